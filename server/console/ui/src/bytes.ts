// Data of znodes: bytes, of which nobody says what they are.

export function decode(base64: string): Uint8Array {
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

export function encode(data: Uint8Array): string {
  let text = "";
  for (let i = 0; i < data.length; i += 0x8000) text += String.fromCharCode(...data.subarray(i, i + 0x8000));
  return btoa(text);
}

export const toText = (data: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(data);
export const fromText = (text: string) => new TextEncoder().encode(text);

export function isUTF8(data: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(data);
    return true;
  } catch {
    return false;
  }
}

export type Format = "text" | "json" | "hex";

// guess says as what data is best shown: JSON if it is an object or an array, text
// if it is UTF-8 without control characters, else hex.
export function guess(data: Uint8Array): Format {
  if (!isUTF8(data)) return "hex";
  const text = toText(data);
  if (/[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/.test(text)) return "hex";
  return /^\s*[{[]/.test(text) && isJSON(text) ? "json" : "text";
}

export function isJSON(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// hexDump shows bytes as hexdump -C does.
export function hexDump(data: Uint8Array, limit: number): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(data.length, limit); at += 16) {
    let hex = "";
    let text = "";
    for (let i = 0; i < 16; i++) {
      const b = at + i < limit ? data[at + i] : undefined;
      hex += b === undefined ? "   " : `${b.toString(16).padStart(2, "0")} `;
      if (i === 7) hex += " ";
      if (b !== undefined) text += b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : "·";
    }
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex} ${text}`);
  }
  return lines.join("\n");
}

export function toHex(data: Uint8Array): string {
  let out = "";
  data.forEach((b, i) => (out += b.toString(16).padStart(2, "0") + (i % 32 === 31 ? "\n" : i % 2 ? " " : "")));
  return out.trimEnd();
}

// fromHex reads pairs of hex digits, whatever space is between them; undefined if
// there is anything else.
export function fromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, "");
  if (digits.length % 2 || /[^0-9a-f]/i.test(digits)) return undefined;
  const out = new Uint8Array(digits.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return out;
}

export const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((x, i) => x === b[i]);

export interface Token {
  text: string;
  kind: "key" | "string" | "number" | "word" | "other";
}

// layOut puts JSON on lines, token by token: numbers stay as they were written,
// however large, and a key that comes twice comes twice. REQUIRES: isJSON(text).
export function layOut(text: string): Token[] {
  const out: Token[] = [];
  const add = (text: string, kind: Token["kind"] = "other") => {
    const last = out.at(-1);
    if (last && kind === "other" && last.kind === "other") last.text += text;
    else out.push({ text, kind });
  };
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  const all = [...text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs)].map((m) => m[0]);
  all.forEach((t, i) => {
    const next = all[i + 1];
    switch (t) {
      case "{":
      case "[":
        if (next === "}" || next === "]") add(t);
        else {
          depth++;
          add(t + line());
        }
        break;
      case "}":
      case "]":
        if (all[i - 1] === "{" || all[i - 1] === "[") add(t);
        else {
          depth--;
          add(line() + t);
        }
        break;
      case ",":
        add(t + line());
        break;
      case ":":
        add(": ");
        break;
      default:
        if (t.startsWith('"')) add(t, next === ":" ? "key" : "string");
        else add(t, /^[-\d]/.test(t) ? "number" : "word");
    }
  });
  return out;
}
