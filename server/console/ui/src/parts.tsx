// Small parts that the views share.
import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import type { ComponentChildren, RefObject } from "preact";
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { Link } from "wouter-preact";
import { asFailure, get, type Failure } from "./api";
import { ago, moment, now, zxidTitle } from "./format";
import { fresh } from "./live";

// Title is what the browser calls the page.
export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · Zooraft`;
  }, [title]);
}

export function Loading({ what }: { what: string }) {
  return (
    <p class="state" role="status">
      <span class="spinner" aria-hidden="true" />
      Reading {what}…
    </p>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="state empty">{children}</p>;
}

export function Problem({ failure, again }: { failure: Failure; again?: () => void }) {
  return (
    <div class="problem" role="alert">
      <strong>{failure.code}</strong>
      <span>{failure.message}</span>
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Copy({ text, what }: { text: () => string; what: string }) {
  const [done, setDone] = useState("");
  useEffect(() => {
    if (!done) return;
    const t = setTimeout(() => setDone(""), 1500);
    return () => clearTimeout(t);
  }, [done]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setDone("Copied");
    } catch {
      setDone(copyOld(text()) ? "Copied" : "Not allowed");
    }
  };
  return (
    <button type="button" class="quiet" onClick={copy} aria-label={`Copy ${what}`} title={`Copy ${what}`}>
      <span aria-live="polite">{done || "Copy"}</span>
    </button>
  );
}

// copyOld is for pages without TLS, which have no navigator.clipboard.
function copyOld(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "away";
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const ok = document.execCommand("copy");
  area.remove();
  return ok;
}

export function Time({ ms }: { ms: number }) {
  return (
    <time dateTime={new Date(ms).toISOString()} title={moment(ms)}>
      {ago(ms, now.value)}
    </time>
  );
}

export function Zxid({ zxid }: { zxid: string }) {
  return (
    <span class="mono" title={zxidTitle(zxid)}>
      {zxid}
    </span>
  );
}

export function SessionLink({ id }: { id: string }) {
  return (
    <Link href={`/sessions?id=${id}`} class="mono">
      {id}
    </Link>
  );
}

// Cell is a cell of a table that becomes cards on narrow screens: there its name
// stands before it, and it is left out if there is nothing in it.
export function Cell({ name, num, none = "–", class: more = "", children }: { name: string; num?: boolean; none?: string; class?: string; children?: ComponentChildren }) {
  const nothing = children === null || children === undefined || children === false || children === "";
  return (
    <td data-name={name} class={`${num ? "num" : ""} ${nothing ? "nothing" : ""} ${more}`}>
      <div>{nothing ? <span class="faint">{none}</span> : children}</div>
    </td>
  );
}

// useAnswer asks the API, again when events may have been missed and, with every,
// at intervals in ms. The last answer stays while the next is awaited or fails.
export function useAnswer<T>(name: string, every = 0): { answer?: T; failure?: Failure; again: () => void } {
  const [state, set] = useState<{ name: string; answer?: T; failure?: Failure }>({ name });
  const [turn, again] = useReducer<number, void>((n) => n + 1, 0);
  const missed = fresh.value;
  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (first: boolean) => {
      try {
        if (first || !document.hidden) {
          const answer = await get<T>(name, undefined, !first || missed > 0);
          if (!over) set({ name, answer });
        }
      } catch (e) {
        if (!over) set((s) => ({ name, answer: s.name === name ? s.answer : undefined, failure: asFailure(e) }));
      }
      if (!over && every) timer = setTimeout(() => void ask(false), every);
    };
    void ask(true);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [name, every, turn, missed]);
  return { ...(state.name === name ? state : { name }), again: () => again() };
}

// useVirtual lays out rows of one height, of which those in sight exist.
export function useVirtual(scroller: RefObject<HTMLElement>, count: number, height: number) {
  const [, redraw] = useReducer<number, void>((n) => n + 1, 0);
  const v = useRef<Virtualizer<HTMLElement, HTMLElement>>();
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 8,
    initialRect: { width: 400, height: 800 },
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => redraw(),
  };
  v.current ??= new Virtualizer<HTMLElement, HTMLElement>(options);
  v.current.setOptions(options);
  useEffect(() => v.current!._didMount(), []);
  useEffect(() => v.current!._willUpdate());
  return v.current;
}

export function Bar({ part, label, tone }: { part: number; label: string; tone?: "warn" | "bad" | undefined }) {
  return (
    <span class={`bar ${tone ?? ""}`} role="img" aria-label={label} title={label}>
      <span style={{ width: `${Math.max(0, Math.min(1, part)) * 100}%` }} />
    </span>
  );
}
