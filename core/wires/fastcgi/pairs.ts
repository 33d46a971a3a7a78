/**
 * Name-value pairs: the content of PARAMS, GET_VALUES and GET_VALUES_RESULT (FastCGI 1.0, 3.4).
 *
 *     nameLength 1 or 4 | valueLength 1 or 4 | name | value
 *
 * A length below 128 is one byte. Any other is four bytes, and the high bit of the first one is set; that bit is not part
 * of the length. Pairs are decoded from text, once all of them have arrived: the block becomes one latin-1 string, whose
 * code units are the lengths and whose slices are the names and values. This needs few calls of the host's decoder instead
 * of two for each variable, and a pair that spans several records is not a special case.
 *
 * @module
 */

/** A receiver of pairs. */
export interface PairSink {
  /** Takes a pair. */
  add(name: string, value: string): unknown;
}

/**
 * Adds all pairs of a block to `sink`, in order. Returns false if the block ends inside a pair; the pairs before it are
 * added.
 *
 * @example
 * ```ts
 * import { decodePairs } from "./pairs.ts";
 * const pairs: string[] = [];
 * const sink = { add: (name: string, value: string) => void pairs.push(`${name}=${value}`) };
 * console.assert(decodePairs("\x01\x02nvv\x80\x00\x00\x01\x00N", sink));
 * console.assert(pairs.join("&") === "n=vv&N=");
 * console.assert(!decodePairs("\x01\x02nv", sink));
 * ```
 */
export function decodePairs(block: string, sink: PairSink): boolean {
  const end = block.length;
  for (let at = 0; at < end;) {
    const wideName = block.charCodeAt(at) > 127;
    const second = at + (wideName ? 4 : 1);
    const wideValue = block.charCodeAt(second) > 127; // NaN, past the end, gives false
    const name = second + (wideValue ? 4 : 1);
    if (name > end) return false;
    const value = name + (wideName ? wideLength(block, at) : block.charCodeAt(at));
    const next = value + (wideValue ? wideLength(block, second) : block.charCodeAt(second));
    if (next > end) return false;
    sink.add(block.slice(name, value), block.slice(value, next));
    at = next;
  }
  return true;
}

function wideLength(block: string, at: number): number {
  const high = block.charCodeAt(at) & 0x7f;
  return (high << 24) | (block.charCodeAt(at + 1) << 16) | (block.charCodeAt(at + 2) << 8) | block.charCodeAt(at + 3);
}

/**
 * A pair as latin-1 text.
 *
 * @example
 * ```ts
 * import { encodePair } from "./pairs.ts";
 * console.assert(encodePair("n", "vv") === "\x01\x02nvv");
 * console.assert(encodePair("", "v".repeat(128)).startsWith("\x00\x80\x00\x00\x80v"));
 * ```
 */
export function encodePair(name: string, value: string): string {
  return encodeLength(name.length) + encodeLength(value.length) + name + value;
}

function encodeLength(length: number): string {
  if (length < 128) return String.fromCharCode(length);
  const high = (length >>> 24) | 0x80;
  return String.fromCharCode(high, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
}
