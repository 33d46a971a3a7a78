/**
 * SCGI heads, taken apart from a whole buffer.
 *
 * @module
 */

import type { NaiveHead } from "../cgi/naive.ts";

/** The head of a connection: see {@linkcode NaiveHead}. */
export function naiveScgi(bytes: Uint8Array): NaiveHead | number | null {
  const text = Buffer.from(bytes).toString("latin1");
  const [digits] = /^\d*/.exec(text) as RegExpExecArray;
  for (let i = 1; i <= digits.length; i++) {
    if (/^0\d/.test(digits.slice(0, i))) return 400;
    if (Number(digits.slice(0, i)) > 131072) return 431;
  }
  if (digits === text) return null;
  if (digits === "" || text[digits.length] !== ":") return 400;
  const start = digits.length + 1;
  const end = start + Number(digits);
  if (text.length <= end) return null;
  if (text[end] !== ",") return 400;
  const block = text.slice(start, end);
  if (!/^(?:[^\0]*\0[^\0]*\0)+$/.test(block)) return 400;
  const words = block.slice(0, -1).split("\0");
  const pairs = words.flatMap((word, i) => i % 2 === 0 ? [[word, words[i + 1] as string] as const] : []);
  if (pairs[0]?.[0] !== "CONTENT_LENGTH" || pairs[0][1] === "") return 400;
  if (pairs.length <= 1000 && pairs.findLast(([name]) => name === "SCGI")?.[1] !== "1") return 400;
  return { pairs, bodyAt: end + 1 };
}
