/**
 * uwsgi packets, taken apart from a whole buffer.
 *
 * @module
 */

import type { NaiveHead } from "../cgi/naive.ts";

/** The head of a connection: see {@linkcode NaiveHead}. */
export function naiveUwsgi(bytes: Uint8Array): NaiveHead | number | null {
  const all = Buffer.from(bytes);
  if (all.length < 4) return null;
  if (all[0] !== 0) return 501;
  const end = 4 + all.readUInt16LE(1);
  if (end === 4) return 400;
  if (all.length < end) return null;
  const words: string[] = [];
  for (let at = 4; at < end;) {
    if (at + 2 > end) return refused(words);
    const next = at + 2 + all.readUInt16LE(at);
    if (next > end) return refused(words);
    words.push(all.subarray(at + 2, next).toString("latin1"));
    at = next;
  }
  if (words.length % 2 !== 0) return refused(words);
  return { pairs: pairsOf(words), bodyAt: end };
}

function pairsOf(words: readonly string[]): [string, string][] {
  return words.flatMap((word, i) => i % 2 === 0 && i + 1 < words.length ? [[word, words[i + 1] as string]] : []);
}

/** A broken packet; but too many variables before the break come first. */
function refused(words: readonly string[]): number {
  const pairs = pairsOf(words);
  const wrong = pairs.findIndex(([name], i) =>
    name === "" || (name === "CONTENT_LENGTH" && pairs.findIndex(([other]) => other === name) < i)
  );
  return pairs.length > 1000 && (wrong === -1 || wrong >= 1000) ? 431 : 400;
}
