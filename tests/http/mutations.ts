/** Bodies of multipart/form-data with faults, from a seed. @module */

/** How many the gate tries on each runtime. */
export const mutations = 5000;

/** Numbers from 0 to below 1 (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const BODY = [
  "--B7z\r\n",
  'Content-Disposition: form-data; name="title"\r\n',
  "\r\n",
  "A cat\r\n",
  "--B7z\r\n",
  'Content-Disposition: form-data; name="photo"; filename="cat.png"\r\n',
  "Content-Type: image/png\r\n",
  "\r\n",
  "\x89PNG\r\n\x1a\n\0\r\n--B7\r\n",
  "\r\n--B7z\r\n",
  'Content-Disposition: form-data; name="note"\r\n',
  "\r\n",
  "\r\n",
  "--B7z--\r\n",
];

const PIECES = [
  "\r",
  "\n",
  "\r\n",
  "--",
  "--B7z",
  "--B7z--",
  "\r\n--B7z\r\n",
  "\0",
  '"',
  ";",
  ":",
  " ",
  "name=",
  "\xff",
  "=",
];

/** A body with one to four faults, in blocks of some size. */
export function mutant(next: () => number): { type: string; blocks: Uint8Array[] } {
  const below = (count: number): number => Math.floor(next() * count);
  const piece = (): string => PIECES[below(PIECES.length)] as string;
  const lines = [...BODY];
  let text = "";
  for (let faults = below(4); faults >= 0; faults--) {
    const at = below(lines.length);
    const kind = below(4);
    if (kind === 0) lines.splice(at, 1);
    else if (kind === 1) lines.splice(at, 0, lines[below(lines.length)] as string);
    else if (kind === 2) lines[at] = (lines[at] as string).slice(0, below(20));
    text = lines.join("");
    if (kind !== 3) continue;
    const where = below(text.length + 1);
    text = text.slice(0, where) + piece() + text.slice(where + below(3));
    lines.splice(0, lines.length, ...text.split(/(?<=\n)/));
  }
  const bytes = Uint8Array.from(text, (unit) => unit.charCodeAt(0) & 0xff);
  const size = next() < 0.3 ? 1 + below(7) : 1 + below(400);
  const blocks = [];
  for (let at = 0; at < bytes.length; at += size) blocks.push(bytes.slice(at, at + size));
  const type = next() < 0.95 ? "multipart/form-data; boundary=B7z" : `multipart/form-data; boundary=${piece()}`;
  return { type: /[\r\n\0]/.test(type) ? "multipart/form-data" : type, blocks };
}
