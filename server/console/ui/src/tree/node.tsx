import { useEffect, useRef, useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { asFailure, get, me, type Failure } from "../api";
import { bytes, count, duration, many, moment, now } from "../format";
import { fresh, link, onNode, status } from "../live";
import { ancestors, linkTo, Name, nameOf } from "../names";
import { Bar, Copy, Empty, Loading, Problem, SessionLink, Time, Zxid } from "../parts";
import type { ACLEntry, Quota, Znode } from "../types";
import { ACLDialog } from "./acl";
import { CreateDialog, DeleteDialog } from "./dialogs";
import { Data } from "./data";
import { EditDialog } from "./edit";
import type { Model } from "./model";

const changeShown = 5000; // ms
const least = 250; // ms between two readings of a znode that changes all the time

type Dialog = "create" | "edit" | "delete" | "acl";

// useZnode reads a znode, and again whenever it changes.
function useZnode(path: string) {
  const [znode, setZnode] = useState<Znode>();
  const [failure, setFailure] = useState<Failure>();
  const [gone, setGone] = useState(false);
  const [changedAt, setChangedAt] = useState(0);
  const [turn, setTurn] = useState(0);
  const last = useRef<Znode>();
  const missed = fresh.value;

  useEffect(() => {
    let over = false;
    get<Znode>("node", { path }, turn > 0).then(
      (z) => {
        if (over) return;
        const before = last.current;
        if (before && (before.stat.mzxid !== z.stat.mzxid || before.stat.czxid !== z.stat.czxid)) setChangedAt(Date.now());
        last.current = z;
        setZnode(z);
        setFailure(undefined);
        setGone(false);
      },
      (e) => {
        if (over) return;
        const f = asFailure(e);
        if (f.code === "NoNode" && last.current) setGone(true);
        // What is there stays while the server cannot be reached: the banner says so.
        else if (f.status !== 0 || !last.current) setFailure(f);
      },
    );
    return () => {
      over = true;
    };
  }, [path, turn, missed]);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = onNode((e) => {
      if (e.path !== path) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        setTurn((n) => n + 1);
      }, least);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [path]);

  return { znode, failure, gone, changedAt, again: () => setTurn((n) => n + 1) };
}

// NodePane is all there is to know of one znode.
export function NodePane({ path, model }: { path: string; model: Model }) {
  const { znode, failure, gone, changedAt, again } = useZnode(path);
  const [dialog, setDialog] = useState<Dialog>();
  const who = me.value;
  const close = () => setDialog(undefined);
  const problem = link.value === "lost" ? "The server cannot be reached" : !who?.writable ? "Read-only: admin.uiWrite is not set" : status.value && !status.value.serving ? "The server takes no writes now" : "";
  const changed = changedAt > 0 && now.value - changedAt < changeShown;
  return (
    <section class={`node ${gone ? "gone" : ""}`} aria-label="Znode">
      <Link href="/tree" class="back">
        <span aria-hidden="true">‹ </span>Tree
      </Link>
      <div class="node-head">
        <Breadcrumbs path={path} />
        <Copy what="path" text={() => path} />
      </div>
      {gone && (
        <div class="note bad" role="status" data-test="gone">
          <strong>This znode has been deleted.</strong> What is shown is what it was.
        </div>
      )}
      {failure && (failure.code === "NoNode" ? <Empty>There is no znode of this path.</Empty> : <Problem failure={failure} again={again} />)}
      {!znode && !failure && <Loading what="the znode" />}
      {znode && (
        <>
          <div class="actions">
            <button type="button" onClick={() => setDialog("edit")} disabled={!!problem || gone} title={problem}>
              Edit data
            </button>
            <button type="button" onClick={() => setDialog("create")} disabled={!!problem || gone || znode.type === "ephemeral"} title={problem || (znode.type === "ephemeral" ? "Ephemeral znodes have no children" : "")}>
              Create child
            </button>
            <button type="button" onClick={() => setDialog("acl")} disabled={!!problem || gone} title={problem}>
              Edit ACL
            </button>
            <button type="button" class="danger" onClick={() => setDialog("delete")} disabled={!!problem || gone || path === "/"} title={problem}>
              Delete
            </button>
            {who && !who.writable && <span class="why">Read-only: admin.uiWrite is not set</span>}
            <span class={`changed ${changed ? "on" : ""}`} role="status" data-test="changed">
              {changed ? "Changed just now" : ""}
            </span>
          </div>
          <h2>Data</h2>
          <Data data={znode.data} />
          <h2>Stat</h2>
          <StatTable znode={znode} changed={changed} />
          <div class="pair">
            <div>
              <h2>ACL</h2>
              <ACLTable acl={znode.acl} />
            </div>
            <div>
              <h2>Watchers on this server</h2>
              <Watchers watches={znode.watches} />
              <h2>Quota</h2>
              <QuotaPart quota={znode.quota} path={path} />
            </div>
          </div>
          {dialog === "edit" && <EditDialog znode={znode} gone={gone} close={close} done={again} />}
          {dialog === "create" && <CreateDialog parent={znode} close={close} made={() => model.open(path)} />}
          {dialog === "delete" && <DeleteDialog znode={znode} close={close} />}
          {dialog === "acl" && <ACLDialog znode={znode} close={close} done={again} />}
        </>
      )}
    </section>
  );
}

function Breadcrumbs({ path }: { path: string }) {
  return (
    <nav class="crumbs" aria-label="Path">
      <ol>
        {ancestors(path).map((p) => (
          <li key={p}>
            <Link href={linkTo(p)}>{p === "/" ? "/" : <Name text={nameOf(p)} />}</Link>
          </li>
        ))}
        <li>
          <h1 aria-current="page">
            <Name text={nameOf(path)} />
          </h1>
        </li>
      </ol>
    </nav>
  );
}

function StatTable({ znode, changed }: { znode: Znode; changed: boolean }) {
  const s = znode.stat;
  const used = znode.frame / znode.maxBuffer;
  const mark = changed ? "fresh" : "";
  return (
    <dl class="stat">
      <dt>Type</dt>
      <dd>
        {znode.type}
        {znode.ttlMillis ? `, goes ${duration(znode.ttlMillis)} after its last change if it has no children` : ""}
      </dd>
      {s.ephemeralOwner !== "0x0" && znode.type === "ephemeral" && (
        <>
          <dt>
            Owner <small>ephemeralOwner</small>
          </dt>
          <dd>
            session <SessionLink id={s.ephemeralOwner} />
          </dd>
        </>
      )}
      <dt>
        Size <small>dataLength</small>
      </dt>
      <dd class={mark}>
        {bytes(znode.size)}
        {znode.size >= 1024 && ` (${count(znode.size)} B)`}
        {used > 0.25 && (
          <>
            {" "}
            <Bar part={used} tone={used > 0.9 ? "bad" : used > 0.7 ? "warn" : undefined} label={`${Math.round(used * 100)} % of jute.maxbuffer (${bytes(znode.maxBuffer)})`} />{" "}
            {Math.floor(used * 100)} % of jute.maxbuffer
          </>
        )}
      </dd>
      <dt>
        Data version <small>version</small>
      </dt>
      <dd class={mark} data-test="version">
        {s.version}
      </dd>
      <dt>
        Changed <small>mtime, mzxid</small>
      </dt>
      <dd class={mark}>
        <When ms={s.mtime} zxid={s.mzxid} />
      </dd>
      <dt>
        Created <small>ctime, czxid</small>
      </dt>
      <dd>
        <When ms={s.ctime} zxid={s.czxid} />
      </dd>
      <dt>
        Children <small>numChildren, cversion, pzxid</small>
      </dt>
      <dd>
        {count(s.numChildren)}, version {s.cversion}, <Zxid zxid={s.pzxid} />
      </dd>
      <dt>
        ACL version <small>aversion</small>
      </dt>
      <dd>{s.aversion}</dd>
    </dl>
  );
}

function When({ ms, zxid }: { ms: number; zxid: string }) {
  if (ms === 0) return <Zxid zxid={zxid} />;
  return (
    <>
      <Time ms={ms} /> <span class="faint">{moment(ms)}</span> <Zxid zxid={zxid} />
    </>
  );
}

const permNames: Record<string, string> = { c: "create", d: "delete", r: "read", w: "write", a: "admin" };

function ACLTable({ acl }: { acl: ACLEntry[] }) {
  if (acl.length === 0) return <Empty>Anyone may do everything.</Empty>;
  return (
    <ul class="acl">
      {acl.map((e) => (
        <li>
          <span class="mono">
            <Name text={`${e.scheme}:${e.id}`} />
          </span>{" "}
          <span class="perms" title={e.perms}>
            {e.perms === "cdrwa" ? "everything" : [...e.perms].map((p) => permNames[p] ?? p).join(", ") || "nothing"}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Watchers({ watches }: { watches: Znode["watches"] }) {
  if (!watches || watches.data + watches.children + watches.recursive === 0) return <p class="faint">None.</p>;
  const parts = [
    watches.data && `${many(watches.data, "connection")} on its data`,
    watches.children && `${many(watches.children, "connection")} on its children`,
    watches.recursive && `${many(watches.recursive, "connection")} on it and all below`,
  ].filter(Boolean);
  return (
    <ul class="plain">
      {parts.map((p) => (
        <li>{p}</li>
      ))}
    </ul>
  );
}

function QuotaPart({ quota, path }: { quota: Quota | null; path: string }) {
  if (!quota) return <p class="faint">None.</p>;
  const line = (what: string, used: number | null, soft: number | null, hard: number | null, text: (n: number) => string) => {
    const limit = hard ?? soft;
    if (limit === null) return null;
    const part = used === null ? 0 : used / Math.max(1, limit);
    return (
      <li>
        {what}: {used === null ? "?" : text(used)} of {soft !== null && `${text(soft)} (soft)`}
        {soft !== null && hard !== null && ", "}
        {hard !== null && `${text(hard)} (hard)`} <Bar part={part} tone={part >= 1 ? "bad" : part > 0.8 ? "warn" : undefined} label={`${Math.round(part * 100)} %`} />
      </li>
    );
  };
  return (
    <>
      {quota.path !== path && (
        <p class="faint">
          Set on <Link href={linkTo(quota.path)}><Name text={quota.path} /></Link>
        </p>
      )}
      <ul class="plain">
        {line("Znodes", quota.count, quota.countLimit, quota.countHardLimit, count)}
        {line("Bytes", quota.bytes, quota.bytesLimit, quota.bytesHardLimit, bytes)}
      </ul>
    </>
  );
}
