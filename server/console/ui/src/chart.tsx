import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { clock } from "./format";
import { colour, dark } from "./theme";
import type { History } from "./types";

export interface Line {
  key: string; // of the history's series
  name: string;
  colour: string; // a custom property of the style sheet
}

interface Props {
  title: string;
  lines: Line[];
  text: (n: number) => string;
  binary?: boolean | undefined; // its axis goes in powers of two
  history: History;
}

const height = 150; // px
const gap = 5; // s without a sample, over which no line is drawn
const most = 600; // s that it shows, and at least
const least = 60;

const powers = Array.from({ length: 41 }, (_, i) => 2 ** i);

const sync = uPlot.sync("requests");

// withGaps are the columns of a chart, times in s, with a hole where the server gave
// no samples.
function withGaps(h: History, lines: Line[]): uPlot.AlignedData {
  const at: number[] = [];
  const columns: (number | null)[][] = lines.map(() => []);
  h.atMs.forEach((ms, i) => {
    const t = ms / 1000;
    const last = at.at(-1);
    if (last !== undefined && t - last > gap) {
      at.push(last + 1);
      for (const c of columns) c.push(null);
    }
    at.push(t);
    lines.forEach((l, j) => columns[j]!.push(h.series[l.key]?.[i] ?? null));
  });
  return [at, ...columns];
}

// timeOf is a time at an axis: with seconds only if its neighbours need them.
function timeOf(t: number, all: number[]): string {
  const text = clock(new Date(t * 1000));
  return all.length > 1 && all[1]! - all[0]! < 60 ? text : text.slice(0, 5);
}

const told = (n: number | null | undefined, text: (n: number) => string) => (n === null || n === undefined ? "–" : text(n));

export function Chart({ title, lines, text, binary, history }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const isDark = dark.value;
  const data = withGaps(history, lines);

  useEffect(() => {
    const el = box.current!;
    const faint = colour("faint");
    const grid = { stroke: colour("line"), width: 1 };
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const u = new uPlot(
      {
        width: el.clientWidth,
        height,
        padding: [8, 16, 0, 0],
        legend: { live: true, markers: { width: 0 } },
        cursor: { sync: { key: sync.key }, drag: { x: false, y: false }, points: { size: 6 } },
        scales: {
          x: { time: true, range: (_, min, max) => [Math.max(max - most, Math.min(min, max - least)), max] },
          y: { range: (_, __, max) => [0, max > 0 ? max * 1.15 : 1] },
        },
        axes: [
          { stroke: faint, grid: { show: false }, ticks: { show: false }, font, size: 22, space: 90, values: (_, all) => all.map((t) => timeOf(t, all)) },
          { stroke: faint, grid, ticks: { show: false }, font, size: 62, space: 32, ...(binary && { incrs: powers }), values: (_, all) => all.map(text) },
        ],
        series: [
          { label: "At", value: (u, t) => told(t ?? u.data[0].at(-1), (n) => clock(new Date(n * 1000))) },
          ...lines.map((l, i) => ({
            label: l.name,
            stroke: colour(l.colour),
            width: 1.5,
            points: { show: false },
            // Where nothing is pointed at, what is now.
            value: (u: uPlot, n: number | null, _: number, at: number | null) => told(at === null ? u.data[i + 1]!.at(-1) : n, text),
          })),
        ],
      },
      data,
      el,
    );
    // Which line is which is said in colour by the style sheet.
    u.root.querySelectorAll<HTMLElement>(".u-series .u-marker").forEach((m, i) => {
      m.className = `u-marker ${i > 0 ? (lines[i - 1]?.colour ?? "") : "none"}`;
    });
    plot.current = u;
    const o = new ResizeObserver(() => u.setSize({ width: el.clientWidth, height }));
    o.observe(el);
    return () => {
      o.disconnect();
      u.destroy();
    };
  }, [isDark]);

  useEffect(() => {
    const u = plot.current!;
    u.setData(data);
    if (u.cursor.left === undefined || u.cursor.left < 0) u.setLegend({ idx: data[0].length - 1 }, false);
  }, [history, isDark]);

  const now = lines.map((l) => `${l.name} ${text(history.series[l.key]?.at(-1) ?? 0)}`).join(", ");
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div ref={box} role="img" aria-label={`${title}, now: ${now}`} />
    </figure>
  );
}
