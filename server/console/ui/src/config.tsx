import { useState } from "preact/hooks";
import { Empty, Loading, Problem, useAnswer, useTitle } from "./parts";
import { Name } from "./names";
import type { Setting } from "./types";

// isSet says whether somebody has chosen the value.
const isSet = (s: Setting) => !/^(default|not set|derived)/.test(s.origin);

export function ConfigView() {
  useTitle("Configuration");
  const { answer, failure, again } = useAnswer<{ settings: Setting[] }>("config");
  const [filter, setFilter] = useState("");
  const [onlySet, setOnlySet] = useState(true);
  const all = answer?.settings ?? [];
  const anyDefault = all.some((s) => !isSet(s));
  const text = filter.toLowerCase();
  const shown = all.filter((s) => (!onlySet || isSet(s)) && (!text || `${s.key} ${s.value} ${s.note}`.toLowerCase().includes(text)));
  return (
    <div class="page">
      <h1>Configuration</h1>
      <p class="lead">What this server runs with, and where each value comes from. Secrets are not shown.</p>
      {failure && <Problem failure={failure} again={again} />}
      {!answer && !failure && <Loading what="the configuration" />}
      {answer && (
        <>
          <div class="fields">
            <label class="grow">
              Filter
              <input type="search" value={filter} spellcheck={false} onInput={(e) => setFilter(e.currentTarget.value)} />
            </label>
            {anyDefault && (
              <label class="check">
                <input type="checkbox" checked={onlySet} onChange={(e) => setOnlySet(e.currentTarget.checked)} /> Only what was set
              </label>
            )}
          </div>
          {shown.length === 0 ? (
            <Empty>{all.length === 0 ? "Nothing was set: all is as it is by default." : "No key matches."}</Empty>
          ) : (
            <div class="scroll">
              <table class="settings cards">
                <thead>
                  <tr>
                    <th>Key</th>
                    <th>Value</th>
                    <th>From</th>
                    <th>Effect here</th>
                  </tr>
                </thead>
                <tbody>
                  {shown.map((s) => (
                    <tr key={s.key} class={isSet(s) ? "" : "default"}>
                      <td class="mono key" data-name="Key">
                        <Name text={s.key} />
                      </td>
                      <td class="mono value" data-name="Value">
                        {s.value ? <Name text={s.value} /> : <span class="faint">–</span>}
                      </td>
                      <td data-name="From">{s.origin}</td>
                      <td data-name="Effect here">
                        <div>
                          {s.effect}
                          {s.note && <small class="reason">{s.note}</small>}
                        </div>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </>
      )}
    </div>
  );
}
