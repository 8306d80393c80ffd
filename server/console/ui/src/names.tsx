// Names and data come from whoever could write them. Nothing of them is markup
// here, and what would be invisible, or would reorder the text around it, is
// shown as what it is.

// odd are characters that have no shape of their own, or change that of others:
// controls, what steers the direction of writing, joiners, unusual spaces, private
// use, halves of surrogate pairs.
const odd =
  /[\u0000-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ue000-\uf8ff]|[\u{e0000}-\u{e0fff}\u{f0000}-\u{10ffff}]|\p{Cs}/gu;

export interface Piece {
  text: string;
  code?: string; // U+202E: it stands for a character that cannot be seen
}

// label is what is shown in place of a character.
function label(c: string): string {
  const n = c.codePointAt(0)!;
  if (n < 0x20) return String.fromCharCode(0x2400 + n);
  if (n === 0x7f) return "\u2421";
  return code(c).slice(2);
}

const code = (c: string) => `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;

// pieces cuts a text where it has odd characters. In data line ends and tabs are not.
export function pieces(text: string, lines = false): Piece[] {
  const out: Piece[] = [];
  let from = 0;
  for (const m of text.matchAll(odd)) {
    const c = m[0];
    if (lines && (c === "\n" || c === "\t" || (c === "\r" && text[m.index + 1] === "\n"))) continue;
    if (m.index > from) out.push({ text: text.slice(from, m.index) });
    out.push({ text: label(c), code: code(c) });
    from = m.index + c.length;
  }
  if (from < text.length) out.push({ text: text.slice(from) });
  return out;
}

// Shown is a text whose odd characters can be seen.
export function Shown({ text, lines = false }: { text: string; lines?: boolean }) {
  const all = pieces(text, lines);
  const parts = all.map((p) =>
    p.code ? (
      <span class="odd" title={p.code}>
        {p.text}
      </span>
    ) : (
      p.text
    ),
  );
  return <>{parts}</>;
}

// Name is the name of a znode or a path: one that is written from right to left
// does not move what stands beside it, and spaces at its ends can be seen.
export function Name({ text }: { text: string }) {
  const head = /^ +/.exec(text)?.[0].length ?? 0;
  const tail = head < text.length ? (/ +$/.exec(text)?.[0].length ?? 0) : 0;
  const spaces = (n: number) => (n ? <span class="odd" title={`U+0020 × ${n}`}>{"␣".repeat(n)}</span> : null);
  return (
    <bdi class="name">
      {spaces(head)}
      <Shown text={text.slice(head, text.length - tail)} />
      {spaces(tail)}
    </bdi>
  );
}

// plain is a text for places that take no elements: titles and labels.
export const plain = (text: string) =>
  pieces(text)
    .map((p) => (p.code ? `⟨${p.code}⟩` : p.text))
    .join("");

export const join = (parent: string, name: string) => (parent === "/" ? `/${name}` : `${parent}/${name}`);
export const parentOf = (path: string) => path.slice(0, Math.max(1, path.lastIndexOf("/")));
export const nameOf = (path: string) => (path === "/" ? "/" : path.slice(path.lastIndexOf("/") + 1));

// ancestors are the znodes above one, from the root on.
export function ancestors(path: string): string[] {
  const out: string[] = [];
  while (path !== "/") {
    path = parentOf(path);
    out.unshift(path);
  }
  return out;
}

// linkTo is the address of a znode. The path is a parameter and not part of the
// address's own path, where some names would be taken for something else.
// wellFormed: half a surrogate pair has no encoding.
export const linkTo = (path: string) =>
  `/tree?path=${encodeURIComponent(wellFormed(path)).replaceAll("%2F", "/").replaceAll("%3A", ":").replaceAll("%40", "@").replaceAll("%2C", ",")}`;

const wellFormed = (s: string) => s.replace(/\p{Cs}/gu, "\ufffd");
