import { effect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { asFailure, get, type Failure } from "./api";
import { Chart, type Line } from "./chart";
import { bytes, count, duration, moment } from "./format";
import { fresh, status } from "./live";
import { linkTo, Name } from "./names";
import { Empty, Loading, Problem, SessionLink, useAnswer, useTitle } from "./parts";
import type { History, SlowRequests } from "./types";

const kept = 600; // samples, one a second

const rate = (n: number) => (n < 10 && n % 1 ? n.toFixed(1) : count(Math.round(n)));
const ms = (n: number) => `${n === 0 ? 0 : n < 1 ? n.toFixed(2) : n < 10 ? n.toFixed(1) : Math.round(n)} ms`;

const charts: { title: string; text: (n: number) => string; lines: Line[] }[] = [
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
  { title: "Size of paths and data", text: bytes, lines: [{ key: "dataBytes", name: "bytes", colour: "chart-1" }] },
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
            <Chart key={c.title} title={c.title} lines={c.lines} text={c.text} history={history} />
          ))}
        </div>
      )}
      <Slow />
    </div>
  );
}

function Slow() {
  const { answer, failure, again } = useAnswer<SlowRequests>("slow", 3000);
  const slow = answer?.requests ?? [];
  return (
    <>
      <h2>Slow requests</h2>
      {failure && !answer && <Problem failure={failure} again={again} />}
      {answer && slow.length === 0 && (
        <Empty>{answer.thresholdMs > 0 ? `No request has taken ${duration(answer.thresholdMs)} or more lately.` : "Slow requests are not kept by this server."}</Empty>
      )}
      {slow.length > 0 && (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>At</th>
                <th class="num">Took</th>
                <th>Request</th>
                <th>Path</th>
                <th>Session</th>
                <th>Client</th>
                <th>Of which</th>
              </tr>
            </thead>
            <tbody>
              {slow.map((r, i) => (
                <tr key={`${r.at} ${i}`}>
                  <td>{moment(Date.parse(r.at))}</td>
                  <td class="num">{duration(r.tookMs)}</td>
                  <td>{r.op}</td>
                  <td>
                    {r.path && (
                      <Link href={linkTo(r.path)}>
                        <Name text={r.path} />
                      </Link>
                    )}
                  </td>
                  <td>
                    <SessionLink id={r.session} />
                  </td>
                  <td class="mono">{r.client}</td>
                  <td>
                    {Object.entries(r.partsMs ?? {})
                      .map(([part, took]) => `${part} ${duration(took)}`)
                      .join(", ")}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
