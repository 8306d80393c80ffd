// The stream of what happens on the server, opened again whenever it breaks.
import { effect, signal } from "@preact/signals";
import { address, asFailure, me, whoAmI } from "./api";
import type { NodeEvent } from "./types";

// Status is what the server says of itself once a second: how it is, and a point
// for each of the charts (rates a second, latencies in ms).
export interface Status extends Record<string, unknown> {
  atMs: number;
  state: string; // in ZooKeeper's words, "" while it looks for a leader for the first time
  serving: boolean;
  leader: number; // 0: none
  sinceMs: number; // when the leader was known, or one was looked for; 0 for neither
  zxid: string;
}

export const status = signal<Status | null>(null);

// link says whether the page hears of its server, and since when it does not.
export const link = signal<"opening" | "live" | "lost">("opening");
export const lostSince = signal(0);
export const lostReason = signal("");

// fresh is counted up when events may have been missed: what is shown has to be
// read again.
export const fresh = signal(0);

// watched are the znodes whose changes, and whose children's, are wanted.
export const watched = signal<readonly string[]>([]);

const silence = 6000; // ms without a status, after which a stream counts as broken
const settle = 150; // ms that watched has to stay as it is before the stream follows
const unseen = 5000; // ms for which a page may be hidden and still hold its stream
const retries = [300, 700, 1500, 3000];

const listeners = new Set<(e: NodeEvent) => void>();

// onNode has fn called with each event until the returned function is.
export function onNode(fn: (e: NodeEvent) => void): () => void {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

let stream: EventSource | undefined;
let tries = 0;
let quiet: ReturnType<typeof setTimeout> | undefined;
let again: ReturnType<typeof setTimeout> | undefined;

function heard() {
  clearTimeout(quiet);
  quiet = setTimeout(() => broken("it has fallen silent"), silence);
}

function close() {
  clearTimeout(quiet);
  clearTimeout(again);
  stream?.close();
  stream = undefined;
}

function broken(why: string) {
  close();
  if (link.value !== "lost") {
    lostSince.value = Date.now();
    link.value = "lost";
  }
  lostReason.value = why;
  again = setTimeout(retry, retries[Math.min(tries++, retries.length - 1)]);
}

// retry asks first who is signed in: a stream does not say why it was refused.
async function retry() {
  try {
    await whoAmI();
  } catch (e) {
    broken(asFailure(e).message);
    return;
  }
  if (me.peek()) open();
}

function open() {
  close();
  const query = new URLSearchParams();
  for (const path of watched.peek()) query.append("path", path);
  const s = new EventSource(`${address("events")}?${query}`);
  stream = s;
  heard();
  const receive = (name: string, fn: (data: string) => void) =>
    s.addEventListener(name, (e) => {
      if (s !== stream) return;
      heard();
      fn((e as MessageEvent<string>).data);
    });
  s.onopen = () => {
    if (s !== stream) return;
    fresh.value++;
  };
  s.onerror = () => {
    if (s === stream) broken("the connection has ended");
  };
  receive("status", (data) => {
    tries = 0;
    lostReason.value = "";
    status.value = JSON.parse(data) as Status;
    link.value = "live";
  });
  receive("node", (data) => {
    const e = JSON.parse(data) as NodeEvent;
    for (const fn of listeners) fn(e);
  });
  receive("resync", () => fresh.value++);
  receive("end", (data) => broken(data));
}

// begin keeps the stream open while somebody is signed in.
export function begin() {
  let who: string | undefined;
  effect(() => {
    const now = me.value?.user;
    if (now === who) return;
    who = now;
    if (who === undefined) close();
    else if (!stream) open();
  });
  // Browsers open six connections to a server, for all its pages together: one that
  // nobody sees must not hold one. That goes for pages kept for the way back, too.
  let hidden: ReturnType<typeof setTimeout> | undefined;
  const leave = () => {
    if (link.peek() !== "lost") link.value = "opening";
    close();
  };
  const come = () => {
    clearTimeout(hidden);
    if (me.peek() && !stream) void retry();
  };
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (e) => e.persisted && come());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hidden = setTimeout(leave, unseen);
    else come();
  });

  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = "";
  effect(() => {
    const want = watched.value.join("\0");
    if (want === asked) return;
    asked = want;
    clearTimeout(timer);
    timer = setTimeout(() => me.peek() && stream && open(), settle);
  });
}
