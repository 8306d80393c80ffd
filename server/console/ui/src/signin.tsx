import { useEffect, useRef, useState } from "preact/hooks";
import { asFailure, loginMethods, signIn, type Failure } from "./api";
import { Loading, Problem, useTitle } from "./parts";
import type { LoginMethods } from "./types";

// SignIn asks who is there. Over a page that somebody was signed in to it lies as a
// dialog, so that what was being written is not lost.
export function SignIn({ over }: { over?: boolean }) {
  useTitle("Sign in");
  const [methods, setMethods] = useState<LoginMethods>();
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  const [way, setWay] = useState<"super" | "token">("super");
  const dialog = useRef<HTMLDialogElement>(null);
  const form = useRef<HTMLFormElement>(null);

  const ask = () => {
    setFailure(undefined);
    loginMethods().then(
      (m) => {
        setMethods(m);
        setWay(m.super ? "super" : "token");
      },
      (e) => setFailure(asFailure(e)),
    );
  };
  useEffect(ask, []);
  useEffect(() => {
    if (over && dialog.current && !dialog.current.open) dialog.current.showModal();
  }, [over]);
  useEffect(() => form.current?.querySelector<HTMLInputElement>("input:not([type=radio])")?.focus(), [methods, way]);

  const submit = async (e: Event) => {
    e.preventDefault();
    const data = new FormData(form.current!);
    setBusy(true);
    setFailure(undefined);
    try {
      await signIn(
        way === "token"
          ? { token: String(data.get("token")).trim() }
          : { user: String(data.get("user")), password: String(data.get("password")) },
      );
    } catch (e) {
      setFailure(asFailure(e));
      form.current?.querySelector<HTMLInputElement>("input[type=password]")?.select();
    } finally {
      setBusy(false);
    }
  };

  const inner = (
    <>
      <header>
        <img src="/ui/icon.svg" alt="" width="32" height="32" />
        <h1>{over ? "Sign in again" : "Zooraft console"}</h1>
      </header>
      {over && <p>Your session has ended: it was idle for long, or the server was restarted.</p>}
      {!methods && !failure && <Loading what="how one signs in here" />}
      {!methods && failure && <Problem failure={failure} again={ask} />}
      {methods?.tokenProblem && <p class="note warn">{methods.tokenProblem}</p>}
      {methods && !methods.super && !methods.token && (
        <div class="note">
          <p>Nobody can sign in to this server yet. Set one of these in its zoo.cfg and restart it:</p>
          <dl>
            <dt>
              <code>admin.uiTokenFile=/path/to/token</code>
            </dt>
            <dd>a file with a long random text, which only the server's user can read</dd>
            <dt>
              <code>DigestAuthenticationProvider.superDigest=super:…</code>
            </dt>
            <dd>ZooKeeper's super user</dd>
          </dl>
        </div>
      )}
      {methods && (methods.super || methods.token) && (
        <form ref={form} onSubmit={submit}>
          {methods.super && methods.token && (
            <fieldset class="choice">
              <legend>With</legend>
              <label>
                <input type="radio" name="way" checked={way === "super"} onChange={() => setWay("super")} /> Super user
              </label>
              <label>
                <input type="radio" name="way" checked={way === "token"} onChange={() => setWay("token")} /> Token
              </label>
            </fieldset>
          )}
          {way === "super" ? (
            <>
              <label>
                User
                <input name="user" autocomplete="username" defaultValue="super" required spellcheck={false} />
              </label>
              <label>
                Password
                <input name="password" type="password" autocomplete="current-password" required />
              </label>
            </>
          ) : (
            <label>
              Token
              <input name="token" type="password" autocomplete="current-password" required />
            </label>
          )}
          {failure && <Problem failure={failure} />}
          <button type="submit" class="primary" disabled={busy}>
            {busy ? "Signing in…" : "Sign in"}
          </button>
        </form>
      )}
    </>
  );
  if (over) {
    return (
      <dialog ref={dialog} class="signin" onCancel={(e) => e.preventDefault()}>
        {inner}
      </dialog>
    );
  }
  return <main class="signin">{inner}</main>;
}
