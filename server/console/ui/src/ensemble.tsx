import { Elections } from "./elections";
import { count, duration, many } from "./format";
import { Bar, Cell, Empty, Loading, Problem, useAnswer, useTitle, Zxid } from "./parts";
import type { Ensemble, Member } from "./types";

const every = 2000; // ms

export function EnsembleView() {
  useTitle("Ensemble");
  const { answer, failure, again } = useAnswer<Ensemble>("ensemble", every);
  return (
    <div class="page">
      <h1>Ensemble</h1>
      {failure && !answer && <Problem failure={failure} again={again} />}
      {!answer && !failure && <Loading what="the ensemble" />}
      {answer && (
        <>
          <Summary e={answer} />
          <Members e={answer} />
          <h2>Elections</h2>
          {answer.elections?.length ? (
            <Elections elections={answer.elections} leader={answer.leader} since={answer.since} />
          ) : (
            <Empty>{answer.standalone ? "This server stands alone: there are no elections." : "None since this server started."}</Empty>
          )}
        </>
      )}
    </div>
  );
}

function Summary({ e }: { e: Ensemble }) {
  if (e.standalone) return <p class="lead">One server, which stands alone.</p>;
  const up = e.members.filter((m) => m.member && m.role === "participant" && (m.self || m.connected)).length;
  const spare = up - e.quorum;
  return (
    <p class="lead" data-test="summary">
      {e.leader ? `Server ${e.leader} leads, for ${duration(Math.max(0, Date.now() - Date.parse(e.since)))}. ` : "There is no leader. "}
      {up} of {many(e.voters, "voter")} can be reached from here, {e.quorum} are needed
      {spare > 0 ? `; ${spare} more may fail.` : spare === 0 ? "; none may fail." : ": there is no quorum."}
    </p>
  );
}

function Members({ e }: { e: Ensemble }) {
  const most = Math.max(100, ...e.members.map((m) => m.lag ?? 0));
  return (
    <div class="scroll">
      <table class="cards">
        <thead>
          <tr>
            <th title="The order in which they would be elected">Rank</th>
            <th>Server</th>
            <th>State</th>
            <th>Lag</th>
            <th>zxid</th>
            <th title="epoch, zxid and id, which ZooKeeper compares in this order">Vote</th>
            <th class="num">Clients</th>
            <th class="num">Waiting</th>
            <th class="num">Latency</th>
            <th class="num">Serving for</th>
            <th>Addresses</th>
          </tr>
        </thead>
        <tbody>
          {e.members.map((m) => (
            <MemberRow key={m.sid} m={m} most={most} led={e.leader > 0 || e.standalone} standalone={e.standalone} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

// MemberRow is one member. What it lags behind is the leader, if there is one.
function MemberRow({ m, most, led, standalone }: { m: Member; most: number; led: boolean; standalone: boolean }) {
  const down = !m.self && !m.connected;
  const tone = down || m.state === "LOOKING" ? "bad" : m.serving === false || m.problem ? "warn" : "good";
  return (
    <tr class={m.leader ? "leading" : ""} data-sid={m.sid}>
      <Cell name="Rank">{m.role === "observer" ? <span title="An observer is not elected">–</span> : m.rank || null}</Cell>
      <Cell name="Server">
        <strong>{m.sid || "this"}</strong>
        {m.self && m.sid > 0 && <span class="tag">this one</span>}
        {m.role === "observer" && <span class="tag">observer</span>}
        {!m.member && !standalone && <span class="tag warn">not a member</span>}
      </Cell>
      <Cell name="State">
        <span class={`dot ${tone}`} aria-hidden="true" />
        <span data-test="member-state">{down ? "unreachable" : m.state || "unknown"}</span>
        {m.readOnly && <span class="tag warn">read-only</span>}
        {m.problem && <small class="reason">{m.problem}</small>}
      </Cell>
      <Cell name="Lag">
        {m.lag === null || !led ? null : (
          <span class="lag">
            <Bar part={m.lag / most} tone={m.lag > 1000 ? "bad" : m.lag > 100 ? "warn" : undefined} label={many(m.lag, "entry", "entries")} />
            {m.lag === 0 ? "none" : many(m.lag, "entry", "entries")}
          </span>
        )}
      </Cell>
      <Cell name="zxid">{m.zxid && <Zxid zxid={m.zxid} />}</Cell>
      <Cell name="Vote">
        {m.vote && (
          <span class="mono" title={`epoch ${m.vote.epoch}, zxid ${m.vote.zxid}, id ${m.vote.sid}`}>
            {m.vote.epoch}, {m.vote.zxid}, {m.vote.sid}
          </span>
        )}
      </Cell>
      <Cell name="Clients" num>
        {m.connections === null ? null : count(m.connections)}
      </Cell>
      <Cell name="Waiting" num>
        {m.outstanding === null ? null : count(m.outstanding)}
      </Cell>
      <Cell name="Latency" num>
        {m.zxid === null ? null : `${m.latencyAvgMs.toFixed(1)}, max ${count(m.latencyMaxMs)} ms`}
      </Cell>
      <Cell name="Serving for" num>
        {m.uptimeMs ? duration(m.uptimeMs) : null}
      </Cell>
      <Cell name="Addresses">
        <span class="mono addresses">
          {m.clientAddress && <span title="clients">{m.clientAddress}</span>}
          {m.address && (
            <span class="faint" title="quorum, election">
              {m.address}
              {m.electionAddress && `, :${m.electionAddress.slice(m.electionAddress.lastIndexOf(":") + 1)}`}
            </span>
          )}
        </span>
      </Cell>
    </tr>
  );
}
