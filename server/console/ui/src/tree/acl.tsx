import { useState } from "preact/hooks";
import { asFailure, post, type Failure } from "../api";
import { Name, nameOf } from "../names";
import { Problem } from "../parts";
import type { ACLEntry, Written, Znode } from "../types";
import { Dialog } from "./dialog";

const perms: [string, string][] = [
  ["c", "create"],
  ["d", "delete"],
  ["r", "read"],
  ["w", "write"],
  ["a", "admin"],
];

// ACLDialog replaces an ACL, of the version that was seen.
export function ACLDialog({ znode, close, done }: { znode: Znode; close: () => void; done: () => void }) {
  const [acl, setACL] = useState<ACLEntry[]>(() => (znode.acl.length ? znode.acl : [{ scheme: "world", id: "anyone", perms: "cdrwa" }]));
  const [version] = useState(znode.stat.aversion);
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  const dirty = JSON.stringify(acl) !== JSON.stringify(znode.acl);
  const change = (i: number, part: Partial<ACLEntry>) => setACL(acl.map((e, j) => (i === j ? { ...e, ...part } : e)));
  const submit = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      await post<Written>("acl", { path: znode.path, acl, aversion: version });
      done();
      close();
    } catch (e) {
      setFailure(asFailure(e));
      setBusy(false);
    }
  };
  return (
    <Dialog title={<>ACL of <Name text={nameOf(znode.path)} /></>} close={close} dirty={dirty} wide onSubmit={() => void submit()}>
      <p class="faint">It holds for this znode alone, not for its children. The super user may do everything, whatever stands here.</p>
      {znode.stat.aversion !== version && <p class="note warn">Somebody else has changed the ACL since you began. Saving yours would be refused; close this and begin anew.</p>}
      <ul class="acl-edit">
        {acl.map((e, i) => (
          <li key={i}>
            <input aria-label="Scheme" list="schemes" size={8} value={e.scheme} onInput={(x) => change(i, { scheme: x.currentTarget.value })} />
            <input aria-label="Id" class="grow" value={e.id} spellcheck={false} onInput={(x) => change(i, { id: x.currentTarget.value })} />
            <span class="perm-boxes">
              {perms.map(([letter, name]) => (
                <label key={letter}>
                  <input
                    type="checkbox"
                    checked={e.perms.includes(letter)}
                    onChange={(x) =>
                      change(i, {
                        perms: perms
                          .map(([l]) => l)
                          .filter((l) => (l === letter ? x.currentTarget.checked : e.perms.includes(l)))
                          .join(""),
                      })
                    }
                  />{" "}
                  {name}
                </label>
              ))}
            </span>
            <button type="button" class="quiet" aria-label="Remove this entry" disabled={acl.length === 1} onClick={() => setACL(acl.filter((_, j) => j !== i))}>
              Remove
            </button>
          </li>
        ))}
      </ul>
      <datalist id="schemes">
        {["world", "auth", "digest", "ip", "x509", "sasl"].map((s) => (
          <option key={s} value={s} />
        ))}
      </datalist>
      <button type="button" onClick={() => setACL([...acl, { scheme: "digest", id: "", perms: "r" }])}>
        Add an entry
      </button>
      {failure && <Problem failure={failure} />}
      <div class="buttons">
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={!dirty || busy}>
          {busy ? "Saving…" : "Save"}
        </button>
      </div>
    </Dialog>
  );
}
