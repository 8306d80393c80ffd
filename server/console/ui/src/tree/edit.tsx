import { useState } from "preact/hooks";
import { asFailure, post, type Failure } from "../api";
import { decode, encode, guess, hexDump, same, toText } from "../bytes";
import { Name, nameOf, Shown } from "../names";
import { Problem, Time } from "../parts";
import type { Written, Znode } from "../types";
import { Dialog } from "./dialog";
import { bytesOf, draftOf, Editor, type Draft } from "./editor";

const dataOf = (z: Znode) => (z.data === null ? new Uint8Array() : decode(z.data));

interface Props {
  znode: Znode; // as it is now, whatever it was when editing began
  gone: boolean;
  close: () => void;
  done: () => void;
}

// EditDialog changes data, from the version that was seen. If the server has another
// one by then, both are shown and one decides.
export function EditDialog({ znode, gone, close, done }: Props) {
  const [base, setBase] = useState(znode);
  const [draft, setDraft] = useState<Draft>(() => draftOf(dataOf(znode)));
  const [failure, setFailure] = useState<Failure>();
  const [conflict, setConflict] = useState<Znode>();
  const [busy, setBusy] = useState(false);
  const mine = bytesOf(draft);
  const dirty = !mine || !same(mine, dataOf(base));
  const ok = mine !== undefined && mine.length <= znode.maxBuffer;
  // Another may have been made in its place, which begins at version 0 again.
  const newer = znode.stat.mzxid !== base.stat.mzxid || znode.stat.czxid !== base.stat.czxid;

  const save = async (over: Znode) => {
    if (!mine || !ok) return;
    setBusy(true);
    setFailure(undefined);
    try {
      await post<Written>("set", { path: base.path, data: encode(mine), version: over.stat.version });
      done();
      close();
    } catch (e) {
      const f = asFailure(e);
      if (f.code === "BadVersion" && f.current) setConflict(f.current);
      else setFailure(f);
    } finally {
      setBusy(false);
    }
  };

  const title = (
    <>
      Edit <Name text={nameOf(base.path)} />
    </>
  );
  if (conflict) {
    const now = znode.stat.mzxid !== base.stat.mzxid && BigInt(znode.stat.mzxid) > BigInt(conflict.stat.mzxid) ? znode : conflict;
    return (
      <Dialog key="conflict" title={title} close={close} dirty wide onSubmit={() => {}}>
        <div class="note warn" role="alert" data-test="conflict">
          <strong>Somebody else has changed this znode</strong> <Time ms={now.stat.mtime} />: you edited version {base.stat.version}, the server has version{" "}
          {now.stat.version}. Nothing of yours has been written.
        </div>
        <Versions theirs={dataOf(now)} mine={mine ?? new Uint8Array()} version={now.stat.version} />
        {failure && <Problem failure={failure} />}
        <div class="buttons">
          <button type="button" onClick={close}>
            Keep the server's
          </button>
          <button
            type="button"
            onClick={() => {
              setBase(now);
              setConflict(undefined);
            }}
          >
            Go on editing mine
          </button>
          <button type="button" class="danger" disabled={busy} onClick={() => void save(now)}>
            Overwrite with mine
          </button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog key="edit" title={title} close={close} dirty={dirty} wide onSubmit={() => (newer && !gone ? setConflict(znode) : void save(base))}>
      {gone && <p class="note bad">The znode has been deleted meanwhile. Copy what you have written if you need it.</p>}
      {!gone && newer && (
        <p class="note warn" role="status" data-test="newer">
          The server has version {znode.stat.version} by now; you began with version {base.stat.version}.{" "}
          <button type="button" class="link" onClick={() => setConflict(znode)}>
            Compare
          </button>
        </p>
      )}
      <Editor draft={draft} set={setDraft} max={znode.maxBuffer} first />
      {failure && <Problem failure={failure} />}
      <div class="buttons">
        <span class="faint grow">Replaces version {base.stat.version}</span>
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={!dirty || !ok || busy || gone}>
          {busy ? "Saving…" : "Save"}
        </button>
      </div>
    </Dialog>
  );
}

const mostLines = 2000; // of a side; what is longer is cut

// Versions puts two versions side by side, with the lines marked that the other
// does not have there: what is the same at both ends is not.
function Versions({ theirs, mine, version }: { theirs: Uint8Array; mine: Uint8Array; version: number }) {
  const hex = guess(theirs) === "hex" || guess(mine) === "hex";
  const lines = (d: Uint8Array) => (hex ? hexDump(d, mostLines * 16) : toText(d)).split("\n").slice(0, mostLines);
  const a = lines(theirs);
  const b = lines(mine);
  let head = 0;
  while (head < Math.min(a.length, b.length) && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const side = (all: string[], mark: string) =>
    all.map((line, i) => (
      <span class={i >= head && i < all.length - tail ? mark : ""}>
        <Shown text={line} lines />
        {"\n"}
      </span>
    ));
  return (
    <div class="versions">
      <section>
        <h3>On the server (version {version})</h3>
        <pre class="data" data-test="theirs" tabIndex={0}>
          {side(a, "theirs")}
        </pre>
      </section>
      <section>
        <h3>Yours</h3>
        <pre class="data" data-test="mine" tabIndex={0}>
          {side(b, "mine")}
        </pre>
      </section>
    </div>
  );
}
