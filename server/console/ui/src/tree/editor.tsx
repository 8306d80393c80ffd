import { useState } from "preact/hooks";
import { fromHex, fromText, guess, isJSON, isUTF8, layOut, toHex, toText } from "../bytes";
import { bytes } from "../format";

export interface Draft {
  text: string;
  hex: boolean;
}

// draftOf is data as it can be edited: as text if it survives that, else as hex.
export function draftOf(data: Uint8Array): Draft {
  const text = isUTF8(data) && guess(data) !== "hex" && !toText(data).includes("\r");
  return text ? { text: toText(data), hex: false } : { text: toHex(data), hex: true };
}

// bytesOf is what a draft stands for; undefined if it is no hex.
export const bytesOf = (d: Draft) => (d.hex ? fromHex(d.text) : fromText(d.text));

// Editor edits bytes as text or hex. With first it has the keyboard when its dialog
// opens.
export function Editor({ draft, set, max, first = false }: { draft: Draft; set: (d: Draft) => void; max: number; first?: boolean }) {
  const [wasJSON] = useState(() => !draft.hex && /^\s*[{[]/.test(draft.text) && isJSON(draft.text));
  const data = bytesOf(draft);
  const toggle = (hex: boolean) => {
    if (hex === draft.hex || !data) return;
    set(hex ? { text: toHex(data), hex } : { text: toText(data), hex });
  };
  const lossy = draft.hex && data !== undefined && (!isUTF8(data) || toText(data).includes("\r"));
  const problem = !data ? "Hex is pairs of digits 0–9, a–f." : data.length > max ? `${bytes(data.length)} are more than jute.maxbuffer allows (${bytes(max)}).` : "";
  const broken = wasJSON && !draft.hex && draft.text !== "" && !isJSON(draft.text);
  return (
    <div class="editor">
      <div class="data-head">
        <div class="segments" role="group" aria-label="Edit data as">
          <button type="button" aria-pressed={!draft.hex} disabled={lossy || !data} title={lossy ? "As text these bytes would be changed" : ""} onClick={() => toggle(false)}>
            Text
          </button>
          <button type="button" aria-pressed={draft.hex} onClick={() => toggle(true)}>
            Hex
          </button>
        </div>
        {!draft.hex && isJSON(draft.text) && /^\s*[{[]/.test(draft.text) && (
          <button type="button" class="quiet" onClick={() => set({ ...draft, text: layOut(draft.text).map((t) => t.text).join("") })}>
            Lay out JSON
          </button>
        )}
        <span class="grow" />
        <span class="faint">{data ? bytes(data.length) : ""}</span>
      </div>
      <textarea
        aria-label="Data"
        class="data"
        rows={12}
        autofocus={first}
        value={draft.text}
        spellcheck={false}
        autocapitalize="off"
        onInput={(e) => set({ ...draft, text: e.currentTarget.value })}
      />
      {problem && (
        <p class="note bad" role="alert">
          {problem}
        </p>
      )}
      {!problem && broken && <p class="note warn">This was JSON and is not any more.</p>}
    </div>
  );
}
