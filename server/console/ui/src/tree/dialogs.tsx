import { useState } from "preact/hooks";
import { useLocation } from "wouter-preact";
import { asFailure, call, post, type Failure } from "../api";
import { encode } from "../bytes";
import { count } from "../format";
import { join, linkTo, Name, nameOf, parentOf } from "../names";
import { Problem } from "../parts";
import type { Written, Znode } from "../types";
import { Dialog } from "./dialog";
import { bytesOf, Editor, type Draft } from "./editor";

// CreateDialog makes a child.
export function CreateDialog({ parent, close, made }: { parent: Znode; close: () => void; made: () => void }) {
  const [, go] = useLocation();
  const [name, setName] = useState("");
  const [type, setType] = useState("persistent");
  const [ttl, setTTL] = useState("60");
  const [sequential, setSequential] = useState(false);
  const [like, setLike] = useState(false);
  const [draft, setDraft] = useState<Draft>({ text: "", hex: false });
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  const data = bytesOf(draft);
  const seconds = Number(ttl);
  const problem =
    name.includes("/") ? "A name has no slash." : name === "." || name === ".." ? "This name has a meaning of its own." : type === "ttl" && !(seconds > 0) ? "The TTL is a number of seconds above 0." : "";
  const ready = (name !== "" || sequential) && !problem && data !== undefined && !busy;

  const submit = async () => {
    if (!ready) return;
    setBusy(true);
    setFailure(undefined);
    try {
      const w = await post<Written>("create", {
        path: join(parent.path, name),
        data: encode(data),
        acl: like ? parent.acl : null,
        type,
        sequential,
        ttlMillis: type === "ttl" ? Math.round(seconds * 1000) : 0,
      });
      made();
      close();
      go(linkTo(w.path));
    } catch (e) {
      setFailure(asFailure(e));
      setBusy(false);
    }
  };
  return (
    <Dialog title={<>Create a child of <Name text={nameOf(parent.path)} /></>} close={close} dirty={name !== "" || draft.text !== ""} wide onSubmit={() => void submit()}>
      <div class="fields">
        <label class="grow">
          Name
          <input name="name" value={name} autofocus spellcheck={false} autocapitalize="off" autocomplete="off" onInput={(e) => setName(e.currentTarget.value)} />
        </label>
        <label>
          Type
          <select value={type} onChange={(e) => {
            setType(e.currentTarget.value);
            if (e.currentTarget.value === "container") setSequential(false);
          }}>
            <option value="persistent">persistent</option>
            <option value="container">container</option>
            <option value="ttl">TTL</option>
          </select>
        </label>
        {type === "ttl" && (
          <label>
            TTL (s)
            <input value={ttl} inputmode="decimal" size={8} onInput={(e) => setTTL(e.currentTarget.value)} />
          </label>
        )}
        <label>
          ACL
          <select value={like ? "parent" : "open"} onChange={(e) => setLike(e.currentTarget.value === "parent")}>
            <option value="open">world:anyone, everything</option>
            <option value="parent">as its parent's</option>
          </select>
        </label>
      </div>
      <label class="check">
        <input type="checkbox" checked={sequential} disabled={type === "container"} onChange={(e) => setSequential(e.currentTarget.checked)} /> Sequential: the server
        adds a number to the name
      </label>
      <Editor draft={draft} set={setDraft} max={parent.maxBuffer} />
      {problem && name !== "" && <p class="note bad" role="alert">{problem}</p>}
      {failure && <Problem failure={failure} />}
      <div class="buttons">
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={!ready}>
          {busy ? "Creating…" : "Create"}
        </button>
      </div>
    </Dialog>
  );
}

// DeleteDialog deletes a znode, of the version that was seen; with all below it only
// if its name is typed.
export function DeleteDialog({ znode, close }: { znode: Znode; close: () => void }) {
  const [, go] = useLocation();
  const [typed, setTyped] = useState("");
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  const [children, setChildren] = useState(znode.stat.numChildren);
  const [seen, setSeen] = useState(znode.stat); // znode is kept up to date
  // Another may have been made in its place, of the same version.
  const newer = znode.stat.version !== seen.version || znode.stat.czxid !== seen.czxid;
  const name = nameOf(znode.path);
  const below = Math.max(children, znode.stat.numChildren) > 0;
  // What cannot be typed is confirmed by a word.
  const wanted = /^[\x20-\x7e\p{L}\p{N}]+$/u.test(name) && name.trim() === name && name.length <= 80 ? name : "delete";
  const submit = async () => {
    if (busy || newer || (below && typed !== wanted)) return;
    setBusy(true);
    setFailure(undefined);
    try {
      await call<Written>("POST", "delete", { body: { path: znode.path, version: seen.version, recursive: below }, timeout: 120_000 });
      close();
      go(linkTo(parentOf(znode.path)));
    } catch (e) {
      const f = asFailure(e);
      if (f.code === "NotEmpty") setChildren(f.current?.stat.numChildren ?? 1);
      setFailure(f);
      setBusy(false);
    }
  };
  return (
    <Dialog title={<>Delete <Name text={name} />?</>} close={close} onSubmit={() => void submit()}>
      <p class="path mono">
        <Name text={znode.path} />
      </p>
      {below ? (
        <>
          <p class="note bad">
            It has <strong>{count(Math.max(children, znode.stat.numChildren))}</strong> children. They and <strong>all below them</strong> are deleted first, bit by
            bit; clients see that happen. There is no way back.
          </p>
          <label>
            <span>
              Type <code>{wanted}</code> to delete all of it
            </span>
            <input name="confirm" value={typed} autofocus autocomplete="off" spellcheck={false} autocapitalize="off" onInput={(e) => setTyped(e.currentTarget.value)} />
          </label>
        </>
      ) : (
        <p>
          {znode.size > 0 ? "Its data goes with it. " : ""}
          {znode.type === "ephemeral" ? "A client's session holds it, and may not expect that. " : ""}There is no way back.
        </p>
      )}
      {newer && (
        <p class="note warn" role="status" data-test="newer">
          Somebody else has changed this znode since you began.{" "}
          <button type="button" class="link" onClick={() => setSeen(znode.stat)}>
            Take it as it is now
          </button>
        </p>
      )}
      {failure && <Problem failure={failure} />}
      <div class="buttons">
        <button type="button" autofocus={!below} onClick={close}>
          Cancel
        </button>
        <button type="submit" class="danger" disabled={busy || newer || (below && typed !== wanted)}>
          {busy ? "Deleting…" : below ? "Delete all" : "Delete"}
        </button>
      </div>
    </Dialog>
  );
}
