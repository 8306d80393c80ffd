import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Link, useLocation } from "wouter-preact";
import { me, signOut } from "./api";
import { clock, duration, now, zxidTitle } from "./format";
import { link, lostReason, lostSince, status } from "./live";
import { theme, type Theme } from "./theme";
import { serious } from "./warnings";

// views are the parts of the console. What stands after a | is left out on a narrow
// screen.
const views: [path: string, name: string][] = [
  ["/tree", "Tree"],
  ["/ensemble", "Ensemble"],
  ["/sessions", "Sessions"],
  ["/requests", "Requests"],
  ["/config", "Config|uration"],
  ["/warnings", "Warnings"],
];

// Frame is what stands around every view: where one is, how the server is, and the
// way to the other views.
export function Frame({ children }: { children: ComponentChildren }) {
  const [here] = useLocation();
  const strip = useRef<HTMLElement>(null);
  const warnings = serious.value;
  useEffect(() => {
    strip.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [here, warnings > 0]);
  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <header class="top">
        <Link href="/tree" class="brand" aria-label="Zooraft console">
          <img src="/ui/icon.svg" alt="" width="22" height="22" />
          <span>Zooraft</span>
        </Link>
        <ServerState />
        <Account />
      </header>
      <nav class="views" aria-label="Views" ref={strip}>
        {views.map(([path, name]) => {
          const [short, rest] = name.split("|");
          const current = here === path || here.startsWith(`${path}/`);
          return (
            <Link key={path} href={path} aria-current={current ? "page" : undefined} aria-label={rest && short + rest}>
              {short}
              {rest && <span class="rest">{rest}</span>}
              {path === "/warnings" && warnings > 0 && (
                <span class="badge" aria-label={`${warnings} open`}>
                  {warnings}
                </span>
              )}
            </Link>
          );
        })}
      </nav>
      <Banner />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

function ServerState() {
  const s = status.value;
  const who = me.value;
  const sid = who?.sid ?? 0;
  const lost = link.value === "lost";
  const state = lost ? "unreachable" : (s?.state || who?.state || "looking");
  const serving = s ? s.serving : (who?.serving ?? true);
  const tone = lost ? "bad" : serving ? "good" : "warn";
  const leader = s?.leader ?? 0;
  return (
    <dl class="server" aria-label="This server">
      <div class="who">
        <dt>Server</dt>
        <dd>{sid > 0 ? sid : location.host}</dd>
      </div>
      <div>
        <dt>State</dt>
        <dd>
          <span class={`dot ${tone}`} aria-hidden="true" />
          <span data-test="state">{state}</span>
        </dd>
      </div>
      {leader > 0 && (
        <div class="leader">
          <dt>Leader</dt>
          <dd data-test="leader">{leader === sid ? `${leader} (this one)` : leader}</dd>
        </div>
      )}
      {s && (
        <div>
          <dt>zxid</dt>
          <dd class="mono" title={zxidTitle(s.zxid)} data-test="zxid">
            {s.zxid}
          </dd>
        </div>
      )}
    </dl>
  );
}

function Account() {
  const themes: [Theme, string][] = [
    ["auto", "Auto"],
    ["light", "Light"],
    ["dark", "Dark"],
  ];
  const who = me.value;
  return (
    <div class="account">
      <label class="theme" title="Theme: light, dark, or as the system has it">
        <span class="hidden">Theme</span>
        <select value={theme.value} onChange={(e) => (theme.value = e.currentTarget.value as Theme)}>
          {themes.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {who && (
        <>
          <span class="user" title={who.writable ? "may change znodes" : "may look, not change (admin.uiWrite)"}>
            {who.user}
            {!who.writable && <span class="tag">read-only</span>}
          </span>
          <button type="button" class="quiet" onClick={() => void signOut()}>
            Sign out
          </button>
        </>
      )}
    </div>
  );
}

function Banner() {
  const s = status.value;
  if (link.value === "lost") {
    return (
      <div class="banner bad" role="alert" data-test="banner">
        <strong>No connection to this server</strong>
        <span>
          for {duration(Math.max(0, Math.round((now.value - lostSince.value) / 1000) * 1000))}: {lostReason.value}. What is shown is of{" "}
          {clock(new Date(lostSince.value))}; trying again.
        </span>
      </div>
    );
  }
  if (s && !s.serving) {
    return (
      <div class="banner warn" role="alert" data-test="banner">
        <strong>The ensemble has no leader that this server follows</strong>
        <span>
          {s.leader === 0 && s.sinceMs > 0 && (
            <>
              for {duration(Math.max(0, Math.round((s.atMs - s.sinceMs) / 1000) * 1000))}, since {clock(new Date(s.sinceMs))},{" "}
            </>
          )}
          so it takes no clients and no writes. An election is under way, or too few members can be reached.
        </span>
      </div>
    );
  }
  return null;
}
