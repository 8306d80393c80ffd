// Calls of the server's API. Whatever goes wrong is a Failure.
import { signal } from "@preact/signals";
import type { LoginMethods, Me, Znode } from "./types";

// me is who is signed in: undefined while that is not known, null if nobody is.
export const me = signal<Me | null | undefined>(undefined);

export class Failure extends Error {
  constructor(
    readonly status: number, // of HTTP; 0 if there was no answer
    readonly code: string, // a word for programs, ZooKeeper's where it has one
    message: string,
    readonly current?: Znode, // as it is now, where that is why a write has failed
  ) {
    super(message);
  }
}

export function asFailure(e: unknown): Failure {
  if (e instanceof Failure) return e;
  return new Failure(0, "Fault", e instanceof Error ? e.message : String(e));
}

type Query = Record<string, string | number | undefined>;

interface Options {
  query?: Query;
  body?: unknown;
  background?: boolean; // nobody asked for it, so it does not keep the session from ending
  timeout?: number; // ms
}

export function address(name: string, query: Query = {}): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) if (v !== undefined) q.append(k, String(v));
  const text = q.toString();
  return `/ui/api/${name}${text ? `?${text}` : ""}`;
}

export async function call<T>(method: "GET" | "POST" | "DELETE", name: string, o: Options = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (o.body !== undefined) headers["Content-Type"] = "application/json";
  if (o.background) headers["X-Console-Background"] = "1";
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(address(name, o.query), {
      method,
      headers,
      body: o.body === undefined ? undefined : JSON.stringify(o.body),
      signal: AbortSignal.timeout(o.timeout ?? 15_000),
    });
    text = await answer.text();
  } catch (e) {
    const late = e instanceof DOMException && e.name === "TimeoutError";
    throw new Failure(0, "Unreachable", late ? "the server did not answer in time" : "the server cannot be reached");
  }
  if (answer.ok) return (text ? JSON.parse(text) : undefined) as T;
  let failure: { error?: string; message?: string; current?: Znode } = {};
  try {
    failure = JSON.parse(text);
  } catch {
    // something between here and the server has answered
  }
  if (answer.status === 401 && failure.error === "SignIn") me.value = null;
  throw new Failure(
    answer.status,
    failure.error ?? `HTTP ${answer.status}`,
    failure.message ?? `the server answered ${answer.status} ${answer.statusText}`,
    failure.current,
  );
}

export const get = <T>(name: string, query?: Query, background = false) => call<T>("GET", name, { query, background });
export const post = <T>(name: string, body: unknown) => call<T>("POST", name, { body });

export const loginMethods = () => get<LoginMethods>("login");

// whoAmI finds out who is signed in. It asks first whether anybody is, for browsers
// complain of an answer that says otherwise.
export async function whoAmI(): Promise<void> {
  try {
    if (!(await get<LoginMethods>("login", undefined, true)).signedIn) {
      me.value = null;
      return;
    }
    me.value = await get<Me>("me", undefined, true);
  } catch (e) {
    if (asFailure(e).status !== 401) throw e;
    me.value = null;
  }
}

export async function signIn(credentials: object): Promise<void> {
  me.value = await post<Me>("session", credentials);
}

export async function signOut(): Promise<void> {
  await call("DELETE", "session");
  location.assign("/ui/"); // nothing of what was read stays in memory
}
