import { useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { count, duration, many } from "./format";
import { linkTo, Name } from "./names";
import { Cell, Empty, Loading, Problem, SessionLink, Time, useAnswer, useTitle, Zxid } from "./parts";
import type { Connection, Session, SessionDetail } from "./types";

const every = 3000; // ms
const pageRows = 200;

export function SessionsView({ id }: { id: string | null }) {
  return id ? <OneSession key={id} id={id} /> : <AllSessions />;
}

function AllSessions() {
  useTitle("Sessions");
  const [from, setFrom] = useState(0);
  const [cFrom, setCFrom] = useState(0);
  const s = useAnswer<{ total: number; from: number; sessions: Session[] }>(`sessions?from=${from}&count=${pageRows}`, every);
  const c = useAnswer<{ total: number; from: number; connections: Connection[] }>(`connections?from=${cFrom}&count=${pageRows}`, every);
  return (
    <div class="page">
      <h1>Sessions</h1>
      {s.failure && !s.answer && <Problem failure={s.failure} again={s.again} />}
      {!s.answer && !s.failure && <Loading what="the sessions" />}
      {s.answer?.total === 0 && <Empty>No client has a session.</Empty>}
      {s.answer && s.answer.total > 0 && (
        <>
          <p class="lead">{many(s.answer.total, "session")} that this server knows, of the whole ensemble. When one expires only the leader knows, its client and watches only the server that it is connected to.</p>
          <div class="scroll">
            <table class="cards">
              <thead>
                <tr>
                  <th>Session</th>
                  <th class="num">Timeout</th>
                  <th class="num">Expires in</th>
                  <th class="num">Server</th>
                  <th>Client</th>
                  <th class="num">Ephemerals</th>
                  <th class="num">Watches</th>
                </tr>
              </thead>
              <tbody>
                {s.answer.sessions.map((x) => (
                  <tr key={x.id}>
                    <Cell name="Session">
                      <SessionLink id={x.id} />
                      {x.local && <span class="tag">local</span>}
                    </Cell>
                    <Cell name="Timeout" num>
                      {duration(x.timeoutMs)}
                    </Cell>
                    <Cell name="Expires in" num>
                      {x.expiresMs === null ? null : duration(Math.max(0, x.expiresMs))}
                    </Cell>
                    <Cell name="Server" num>
                      {x.server || null}
                    </Cell>
                    <Cell name="Client" class="mono">
                      {x.client}
                    </Cell>
                    <Cell name="Ephemerals" num>
                      {count(x.ephemerals)}
                    </Cell>
                    <Cell name="Watches" num>
                      {x.watches === null ? null : count(x.watches)}
                    </Cell>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <Pager total={s.answer.total} from={s.answer.from} go={setFrom} />
        </>
      )}
      <h2>Connections of this server</h2>
      {c.failure && !c.answer && <Problem failure={c.failure} again={c.again} />}
      {!c.answer && !c.failure && <Loading what="the connections" />}
      {c.answer?.total === 0 && <Empty>No client is connected to this server.</Empty>}
      {c.answer && c.answer.total > 0 && (
        <>
          <div class="scroll">
            <table class="cards">
              <thead>
                <tr>
                  <th>Client</th>
                  <th>Session</th>
                  <th>Since</th>
                  <th class="num">Waiting</th>
                  <th class="num">Received</th>
                  <th class="num">Sent</th>
                  <th>Last request</th>
                  <th class="num">Latency</th>
                </tr>
              </thead>
              <tbody>
                {c.answer.connections.map((x) => (
                  <tr key={x.client}>
                    <Cell name="Client" class="mono">
                      {x.client}
                    </Cell>
                    <Cell name="Session">{x.session && <SessionLink id={x.session} />}</Cell>
                    <Cell name="Since">
                      <Time ms={Date.parse(x.established)} />
                    </Cell>
                    <Cell name="Waiting" num>
                      {count(x.queued)}
                    </Cell>
                    <Cell name="Received" num>
                      {count(x.received)}
                    </Cell>
                    <Cell name="Sent" num>
                      {count(x.sent)}
                    </Cell>
                    <Cell name="Last request">
                      {x.lastOp && (
                        <>
                          {x.lastOp}{" "}
                          {x.lastReply && (
                            <span class="faint">
                              <Time ms={Date.parse(x.lastReply)} />
                            </span>
                          )}
                        </>
                      )}
                    </Cell>
                    <Cell name="Latency" num>
                      {x.latencyAvgMs.toFixed(1)}, max {count(x.latencyMaxMs)} ms
                    </Cell>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <Pager total={c.answer.total} from={c.answer.from} go={setCFrom} />
        </>
      )}
    </div>
  );
}

function Pager({ total, from, go }: { total: number; from: number; go: (from: number) => void }) {
  if (total <= pageRows) return null;
  return (
    <div class="pager">
      <button type="button" disabled={from === 0} onClick={() => go(Math.max(0, from - pageRows))}>
        Before
      </button>
      <span>
        {count(from + 1)} to {count(Math.min(total, from + pageRows))} of {count(total)}
      </span>
      <button type="button" disabled={from + pageRows >= total} onClick={() => go(from + pageRows)}>
        Next
      </button>
    </div>
  );
}

function OneSession({ id }: { id: string }) {
  useTitle(`Session ${id}`);
  const { answer: s, failure, again } = useAnswer<SessionDetail>(`sessions/${encodeURIComponent(id)}`, every);
  return (
    <div class="page">
      <p>
        <Link href="/sessions">
          <span aria-hidden="true">‹ </span>All sessions
        </Link>
      </p>
      <h1>
        Session <span class="mono">{id}</span>
      </h1>
      {failure?.code === "NoSession" ? (
        <Empty>{s ? "It has ended since it was read." : "There is no such session: it has expired or was closed."}</Empty>
      ) : (
        failure && !s && <Problem failure={failure} again={again} />
      )}
      {!s && !failure && <Loading what="the session" />}
      {s && (
        <>
          <dl class="stat">
            <dt>Timeout</dt>
            <dd>{duration(s.timeoutMs)}</dd>
            {s.expiresMs !== null && (
              <>
                <dt>Expires in</dt>
                <dd>{duration(Math.max(0, s.expiresMs))} if nothing is heard of it</dd>
              </>
            )}
            <dt>Kind</dt>
            <dd>{s.local ? "local: this server alone knows it" : "global"}</dd>
            <dt>Connected to</dt>
            <dd>{s.connection ? "this server" : s.server ? `server ${s.server}` : "not known"}</dd>
            {s.connection && (
              <>
                <dt>Client</dt>
                <dd class="mono">{s.connection.client}</dd>
                <dt>Connected since</dt>
                <dd>
                  <Time ms={Date.parse(s.connection.established)} />
                </dd>
                <dt>Packets</dt>
                <dd>
                  {count(s.connection.received)} received, {count(s.connection.sent)} sent, {count(s.connection.queued)} waiting
                </dd>
                <dt>Last request</dt>
                <dd>
                  {s.connection.lastOp || "none"} {s.connection.lastZxid && <Zxid zxid={s.connection.lastZxid} />}
                </dd>
              </>
            )}
          </dl>
          <h2>Ephemeral znodes ({count(s.ephemerals)})</h2>
          <Paths paths={s.ephemeralPaths ?? []} total={s.ephemerals} none="It has none." />
          <h2>Watches{s.watches !== null && ` (${count(s.watches)})`}</h2>
          {s.watchPaths === null ? (
            <Empty>Not known here: {s.server ? `ask server ${s.server}, which it is connected to.` : "only the server that it is connected to knows."}</Empty>
          ) : (
            <Paths paths={s.watchPaths.map((w) => w.path)} kinds={s.watchPaths.map((w) => w.kind)} total={s.watches ?? s.watchPaths.length} none="It has none." />
          )}
        </>
      )}
    </div>
  );
}

function Paths({ paths, kinds, total, none }: { paths: string[]; kinds?: string[]; total: number; none: string }) {
  if (paths.length === 0) return <Empty>{none}</Empty>;
  return (
    <>
      <ul class="paths">
        {paths.map((p, i) => (
          <li key={`${kinds?.[i]} ${p}`}>
            <Link href={linkTo(p)}>
              <Name text={p} />
            </Link>
            {kinds && <span class="tag">{kinds[i]}</span>}
          </li>
        ))}
      </ul>
      {total > paths.length && <p class="hint">and {count(total - paths.length)} more.</p>}
    </>
  );
}
