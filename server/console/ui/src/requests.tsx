import { effect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { asFailure, get, type Failure } from "./api";
import { Chart, type Line } from "./chart";
import { bytes, count, duration, moment } from "./format";
import { fresh, status } from "./live";
import { linkTo, Name } from "./names";
import { Cell, Empty, Loading, Problem, SessionLink, useAnswer, useTitle, Zxid } from "./parts";
import type { History, SlowRequest, SlowRequests } from "./types";

const kept = 600; // samples, one a second

const rate = (n: number) => (n < 10 && n % 1 ? n.toFixed(1) : count(Math.round(n)));
const ms = (n: number) => `${n === 0 ? 0 : n < 1 ? n.toFixed(2) : n < 10 ? n.toFixed(1) : Math.round(n)} ms`;

const charts: { title: string; text: (n: number) => string; binary?: boolean; lines: Line[] }[] = [
  {
    title: "Requests per second",
    text: rate,
    lines: [
      { key: "reads", name: "reads", colour: "chart-1" },
      { key: "writes", name: "writes", colour: "chart-2" },
    ],
  },
  {
    title: "Latency, 99th percentile",
    text: ms,
    lines: [
      { key: "readP99", name: "reads", colour: "chart-1" },
      { key: "writeP99", name: "writes", colour: "chart-2" },
    ],
  },
  {
    title: "Latency, median",
    text: ms,
    lines: [
      { key: "readP50", name: "reads", colour: "chart-1" },
      { key: "writeP50", name: "writes", colour: "chart-2" },
    ],
  },
  {
    title: "Sync of the log to the disk",
    text: ms,
    lines: [
      { key: "syncAvg", name: "average", colour: "chart-3" },
      { key: "syncMax", name: "longest", colour: "chart-4" },
    ],
  },
  {
    title: "Requests waiting for an answer",
    text: rate,
    lines: [{ key: "outstanding", name: "requests", colour: "chart-4" }],
  },
  {
    title: "Connections and sessions",
    text: rate,
    lines: [
      { key: "connections", name: "connections", colour: "chart-1" },
      { key: "sessions", name: "sessions", colour: "chart-3" },
    ],
  },
  { title: "Znodes", text: rate, lines: [{ key: "znodes", name: "znodes", colour: "chart-1" }] },
  { title: "Size of paths and data", text: bytes, binary: true, lines: [{ key: "dataBytes", name: "bytes", colour: "chart-1" }] },
];

// useHistory reads the last ten minutes and then follows the stream.
function useHistory() {
  const [state, set] = useState<{ history?: History; failure?: Failure }>({});
  const [turn, setTurn] = useState(0);
  const missed = fresh.value;
  useEffect(() => {
    let over = false;
    get<History>("history", undefined, true).then(
      (history) => !over && set({ history }),
      (e) => !over && set((s) => ({ ...s, failure: asFailure(e) })),
    );
    return () => {
      over = true;
    };
  }, [missed, turn]);
  useEffect(
    () =>
      effect(() => {
        const s = status.value;
        if (s) set((old) => (old.history ? { history: append(old.history, s) } : old));
      }),
    [],
  );
  return { ...state, again: () => setTurn((n) => n + 1) };
}

function append(h: History, s: Record<string, unknown>): History {
  const at = s.atMs as number;
  if (h.atMs.length > 0 && at <= h.atMs.at(-1)!) return h;
  const series: History["series"] = {};
  for (const [key, values] of Object.entries(h.series)) series[key] = [...values.slice(1 - kept), Number(s[key] ?? 0)];
  return { atMs: [...h.atMs.slice(1 - kept), at], series };
}

export function RequestsView() {
  useTitle("Requests");
  const { history, failure, again } = useHistory();
  return (
    <div class="page">
      <h1>Requests</h1>
      <p class="lead">Of this server, the last ten minutes, a point a second.</p>
      {failure && !history && <Problem failure={failure} again={again} />}
      {!history && !failure && <Loading what="the last ten minutes" />}
      {history && history.atMs.length === 0 && <Empty>There are no figures yet.</Empty>}
      {history && history.atMs.length > 0 && (
        <div class="charts">
          {charts.map((c) => (
            <Chart key={c.title} title={c.title} lines={c.lines} text={c.text} binary={c.binary} history={history} />
          ))}
        </div>
      )}
      <Slow />
    </div>
  );
}

// parts are what a request goes through, in this order, and what each means.
const parts: [key: string, what: string][] = [
  ["queue", "waiting to be taken up, behind others"],
  ["fsync", "writing the log to this server's disk"],
  ["replicate", "waiting for a majority to have it"],
  ["sync", "a read's wait for what was written before it"],
  ["apply", "changing the tree"],
];

// Split is where a request's time went: in words what was worth a fiftieth of it, and
// all in the title.
function Split({ r }: { r: SlowRequest }) {
  const all = parts.map(([key, what], i) => ({ key, what, i, took: r.partsMs?.[key] ?? 0 })).filter((p) => p.took > 0);
  const worth = all.filter((p) => p.took >= r.tookMs / 50);
  return (
    <span class="split" title={all.map((p) => `${p.key} ${ms(p.took)}: ${p.what}`).join("\n")}>
      <span class="bar" aria-hidden="true">
        {worth.map((p) => (
          <span key={p.key} class={`part-${p.i + 1}`} style={{ width: `${Math.min(1, p.took / r.tookMs) * 100}%` }} />
        ))}
      </span>
      {worth.map((p) => `${p.key} ${duration(p.took)}`).join(", ") || "not known"}
    </span>
  );
}

function Slow() {
  const { answer, failure, again } = useAnswer<SlowRequests>("slow", 3000);
  const slow = answer?.requests ?? [];
  return (
    <>
      <h2>Slow requests</h2>
      {slow.length > 0 && (
        <p class="lead">
          The last that took {duration(answer!.thresholdMs)} or more (slowRequest.thresholdMs), newest first, and where their time went.
        </p>
      )}
      {failure && !answer && <Problem failure={failure} again={again} />}
      {answer && slow.length === 0 && (
        <Empty>{answer.thresholdMs > 0 ? `No request has taken ${duration(answer.thresholdMs)} or more lately.` : "Slow requests are not kept: slowRequest.thresholdMs is 0."}</Empty>
      )}
      {slow.length > 0 && (
        <div class="scroll">
          <table class="cards slow">
            <thead>
              <tr>
                <th>At</th>
                <th class="num">Took</th>
                <th>Of which</th>
                <th>Request</th>
                <th>Path</th>
                <th>zxid</th>
                <th>Session</th>
                <th>Client</th>
              </tr>
            </thead>
            <tbody>
              {slow.map((r, i) => (
                <tr key={`${r.at} ${i}`}>
                  <Cell name="At">{moment(Date.parse(r.at))}</Cell>
                  <Cell name="Took" num>
                    <strong>{duration(r.tookMs)}</strong>
                  </Cell>
                  <Cell name="Of which">
                    <Split r={r} />
                  </Cell>
                  <Cell name="Request">{r.op}</Cell>
                  <Cell name="Path" class="wrap">
                    {r.path && (
                      <Link href={linkTo(r.path)}>
                        <Name text={r.path} />
                      </Link>
                    )}
                  </Cell>
                  <Cell name="zxid">
                    <Zxid zxid={r.zxid} />
                  </Cell>
                  <Cell name="Session">
                    <SessionLink id={r.session} />
                  </Cell>
                  <Cell name="Client" class="mono">
                    {r.client}
                  </Cell>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
