import { useMemo, useState } from "preact/hooks";
import { decode, guess, hexDump, isJSON, isUTF8, layOut, toHex, toText, type Format } from "../bytes";
import { bytes } from "../format";
import { Shown } from "../names";
import { Copy } from "../parts";

const someText = 64 << 10; // bytes shown before one asks for all
const someHex = 8 << 10;

const formats: [Format, string][] = [
  ["text", "Text"],
  ["json", "JSON"],
  ["hex", "Hex"],
];

// Data shows the bytes of a znode as what they seem to be, or as one wants them.
export function Data({ data }: { data: string | null }) {
  const raw = useMemo(() => (data === null ? new Uint8Array() : decode(data)), [data]);
  const guessed = useMemo(() => guess(raw), [raw]);
  const [wanted, setWanted] = useState<Format>();
  const [all, setAll] = useState(false);
  if (raw.length === 0) {
    return <p class="state empty">{data === null ? "It has no data (null)." : "Its data is empty."}</p>;
  }
  const json = wanted === "json" || guessed === "json" ? isUTF8(raw) && isJSON(toText(raw)) : false;
  const format = wanted === "json" && !json ? guessed : (wanted ?? guessed);
  const limit = all ? raw.length : format === "hex" ? someHex : someText;
  const part = raw.length > limit ? raw.subarray(0, limit) : raw;
  return (
    <>
      <div class="data-head">
        <div class="segments" role="group" aria-label="Show data as">
          {formats.map(([value, name]) => (
            <button
              key={value}
              type="button"
              aria-pressed={format === value}
              disabled={value === "json" && guessed !== "json" && !(isUTF8(raw) && isJSON(toText(raw)))}
              onClick={() => setWanted(value)}
            >
              {name}
            </button>
          ))}
        </div>
        <span class="grow" />
        <Copy what="data" text={() => (format === "hex" ? toHex(raw) : toText(raw))} />
      </div>
      {format === "text" && !isUTF8(raw) && <p class="note">This is not valid UTF-8; bytes that are not are shown as FFFD. Hex shows them all.</p>}
      <pre class="data" tabIndex={0} data-format={format} aria-label="Data">
        {format === "hex" ? hexDump(raw, limit) : format === "json" && part === raw ? <JSONText text={toText(raw)} /> : <Shown text={toText(part)} lines />}
      </pre>
      {part !== raw && (
        <p class="hint">
          The first {bytes(limit)} of {bytes(raw.length)}.{" "}
          <button type="button" class="link" onClick={() => setAll(true)}>
            Show all
          </button>
        </p>
      )}
    </>
  );
}

function JSONText({ text }: { text: string }) {
  return (
    <>
      {layOut(text).map((t) =>
        t.kind === "other" ? (
          t.text
        ) : (
          <span class={`json-${t.kind}`}>
            <Shown text={t.text} />
          </span>
        ),
      )}
    </>
  );
}
