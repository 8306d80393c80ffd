// Sizes, times and counts as people read them.
import { signal } from "@preact/signals";

// now is the time in ms, anew each second.
export const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 1000);

const units = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(n: number): string {
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

const grouped = new Intl.NumberFormat("en");
export const count = (n: number) => grouped.format(n);
export const many = (n: number, what: string, plural = `${what}s`) => `${count(n)} ${n === 1 ? what : plural}`;

// duration is a time span in its two largest units.
export function duration(ms: number): string {
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms < 1000) return `${ms < 10 && ms % 1 ? ms.toFixed(1) : Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  const parts: [number, string][] = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const i = parts.findIndex(([size]) => s >= size);
  const [size, unit] = parts[i]!;
  const whole = Math.floor(s / size);
  const next = parts[i + 1];
  const rest = next ? Math.floor((s - whole * size) / next[0]) : 0;
  return `${whole} ${unit}${next && rest ? ` ${rest} ${next[1]}` : ""}`;
}

// ago is how long something has been, seen from now.
export function ago(ms: number, at: number): string {
  const d = at - ms;
  if (Math.abs(d) < 2000) return "just now";
  const [big] = duration(Math.abs(d)).match(/^\S+ \S+/)!;
  const text = big.replace(/\.\d/, "");
  return d > 0 ? `${text} ago` : `in ${text}`;
}

const pad = (n: number, w = 2) => String(n).padStart(w, "0");

// clock is a time of day, moment one with its date: in the reader's time zone and
// in an order that can be compared with logs.
export const clock = (t: Date) => `${pad(t.getHours())}:${pad(t.getMinutes())}:${pad(t.getSeconds())}`;
export function moment(ms: number): string {
  const t = new Date(ms);
  return `${t.getFullYear()}-${pad(t.getMonth() + 1)}-${pad(t.getDate())} ${clock(t)}.${pad(t.getMilliseconds(), 3)}`;
}

// zxidParts are the epoch and the counter of a zxid.
export function zxidParts(zxid: string): [epoch: number, counter: number] | undefined {
  try {
    const n = BigInt(zxid);
    return [Number(n >> 32n), Number(n & 0xffffffffn)];
  } catch {
    return undefined;
  }
}

export function zxidTitle(zxid: string): string {
  const p = zxidParts(zxid);
  return p ? `epoch ${p[0]}, counter ${count(p[1])}` : "";
}
