import { computed, effect, signal } from "@preact/signals";
import { Link } from "wouter-preact";
import { asFailure, get, me, type Failure } from "./api";
import { fresh, link, status } from "./live";
import { linkTo, Name } from "./names";
import { Empty, Loading, Problem, useTitle } from "./parts";
import type { Warning } from "./types";

const every = 10_000; // ms

const warnings = signal<Warning[] | undefined>(undefined);
const failure = signal<Failure | undefined>(undefined);

// serious is how many there are that hurt.
export const serious = computed(() => warnings.value?.filter((w) => w.severity !== "info").length ?? 0);

async function ask() {
  if (!me.peek() || link.peek() === "lost") return;
  try {
    warnings.value = (await get<{ warnings: Warning[] }>("warnings", undefined, true)).warnings;
    failure.value = undefined;
  } catch (e) {
    failure.value = asFailure(e);
  }
}
setInterval(() => void ask(), every);
// They change with the server's state, so they are asked for when it does.
const state = computed(() => `${me.value?.user} ${fresh.value} ${status.value?.state} ${status.value?.serving} ${status.value?.leader}`);
effect(() => {
  if (state.value) void ask();
});

const order = { critical: 0, warning: 1, info: 2 };
const names = { critical: "Critical", warning: "Warning", info: "For information" };

const linkOf = (w: Warning) => (w.link === "znode" ? linkTo(w.subject) : w.link ? `/${w.link}` : undefined);

export function WarningsView() {
  useTitle("Warnings");
  const all = warnings.value?.toSorted((a, b) => order[a.severity] - order[b.severity]);
  return (
    <div class="page">
      <h1>Warnings</h1>
      <p class="lead">What somebody should look at, as this server sees it; looked at anew every ten seconds.</p>
      {failure.value && <Problem failure={failure.value} again={() => void ask()} />}
      {!all && !failure.value && <Loading what="the warnings" />}
      {all?.length === 0 && <Empty>Nothing to warn of.</Empty>}
      <ul class="warnings">
        {all?.map((w) => {
          const href = linkOf(w);
          return (
            <li key={`${w.code} ${w.subject}`} class={w.severity}>
              <span class="tag">{names[w.severity]}</span>
              <div>
                {w.subject && (
                  <strong>
                    {href ? (
                      <Link href={href}>
                        <Name text={w.subject} />
                      </Link>
                    ) : (
                      <Name text={w.subject} />
                    )}
                  </strong>
                )}
                <p>
                  {w.text}
                  {!w.subject && href && (
                    <>
                      {" "}
                      <Link href={href}>Look at it</Link>
                    </>
                  )}
                </p>
              </div>
              <code class="faint">{w.code}</code>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
