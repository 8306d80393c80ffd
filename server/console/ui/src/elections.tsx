import { useEffect, useRef, useState } from "preact/hooks";
import { clock, duration, moment, now } from "./format";
import { Cell, Zxid } from "./parts";
import type { Election } from "./types";

const height = 74;
const laneY = 22;
const laneHeight = 24;
const least = 60_000; // ms that the line spans

// Elections draws who has led when, from the first election that the server saw
// until now: gaps are when there was nobody, which since then may be so again.
export function Elections({ elections, leader, since }: { elections: Election[]; leader: number; since: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useEffect(() => {
    const o = new ResizeObserver(([e]) => setWidth(Math.max(240, Math.floor(e!.contentRect.width))));
    o.observe(box.current!);
    return () => o.disconnect();
  }, []);
  const all = elections.toReversed().map((e) => ({ ...e, until: Date.parse(e.at), from: Date.parse(e.at) - e.tookMillis }));
  const end = now.value;
  const lost = leader > 0 ? end : Math.max(all.at(-1)!.until, Math.min(end, Date.parse(since)));
  const begin = Math.min(all[0]!.from, end - least);
  const x = (t: number) => ((t - begin) / (end - begin)) * width;
  const marks = ticks(begin, end, Math.max(2, Math.floor(width / 130)));
  return (
    <>
      <div ref={box} class="elections">
        <svg width={width} height={height} role="img" aria-label={`Elections: ${all.map((e) => `server ${e.leader} from ${moment(e.until)}`).join("; ")}`}>
          <defs>
            <pattern id="nobody" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <line x1="0" y1="0" x2="0" y2="6" class="hatch" />
            </pattern>
          </defs>
          {marks.map((t) => (
            <g key={t}>
              <line x1={x(t)} x2={x(t)} y1={laneY - 6} y2={laneY + laneHeight + 6} class="tick" />
              <text x={x(t)} y={height - 8} text-anchor="middle" class="axis">
                {tickText(t, end - begin)}
              </text>
            </g>
          ))}
          {all.map((e, i) => {
            const to = all[i + 1]?.from ?? lost;
            const w = Math.max(1, x(to) - x(e.until));
            return (
              <g key={e.until}>
                <title>{`Server ${e.leader} leads from ${moment(e.until)}${e.epoch ? `, epoch ${e.epoch}` : ""}; the election took ${duration(e.tookMillis)}`}</title>
                <rect x={x(e.until)} y={laneY} width={w} height={laneHeight} class={`reign lane-${e.leader % 5}`} />
                <Gap from={x(e.from)} to={x(e.until)} />
                {w > 24 && (
                  <text x={x(e.until) + w / 2} y={laneY + 16} text-anchor="middle" class="who">
                    {w > 70 ? `server ${e.leader}` : e.leader}
                  </text>
                )}
              </g>
            );
          })}
          {lost < end && (
            <g>
              <title>{`Nobody leads that this server follows, since ${moment(lost)}`}</title>
              <Gap from={x(lost)} to={x(end)} />
            </g>
          )}
        </svg>
      </div>
      <div class="scroll">
        <table class="cards">
          <thead>
            <tr>
              <th>Leader known</th>
              <th class="num">Took</th>
              <th class="num">Leader</th>
              <th>This server</th>
              <th class="num">Term</th>
              <th>Its vote</th>
            </tr>
          </thead>
          <tbody>
            {elections.slice(0, 20).map((e) => (
              <tr key={e.at}>
                <Cell name="Leader known">{moment(Date.parse(e.at))}</Cell>
                <Cell name="Took" num>
                  {duration(e.tookMillis)}
                </Cell>
                <Cell name="Leader" num>
                  {e.leader}
                </Cell>
                <Cell name="This server">{e.state}</Cell>
                <Cell name="Term" num>
                  {e.term}
                </Cell>
                <Cell name="Its vote" class="mono">
                  {e.vote.epoch}, <Zxid zxid={e.vote.zxid} />, {e.vote.sid}
                </Cell>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

// Gap is a time without a leader: a pattern, not a colour, which could be a server's.
function Gap({ from, to }: { from: number; to: number }) {
  const w = Math.max(3, to - from);
  return <rect x={from + 0.5} y={laneY + 0.5} width={w - 1} height={laneHeight - 1} fill={w > 8 ? "url(#nobody)" : undefined} class="gap" />;
}

const steps = [10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 7 * 86400, 30 * 86400].map((s) => s * 1000);

// ticks are round local times between two, not more than so many.
function ticks(begin: number, end: number, most: number): number[] {
  const step = steps.find((s) => (end - begin) / s <= most) ?? steps.at(-1)!;
  const zone = new Date(end).getTimezoneOffset() * 60_000;
  const out: number[] = [];
  const edge = (end - begin) * 0.05; // where a label would be cut
  for (let t = Math.ceil((begin - zone) / step) * step + zone; t <= end - edge; t += step) if (t >= begin + edge) out.push(t);
  return out;
}

function tickText(t: number, span: number): string {
  const text = clock(new Date(t));
  if (span > 2 * 86_400_000) return moment(t).slice(5, 10);
  return span > 600_000 ? text.slice(0, 5) : text;
}
