/**
 * Changes inputs at random: bytes, numbers, ranges, words of the protocol, parts of other inputs.
 *
 * @module
 */

import type { Random } from "./random.ts";
import { bytesOf } from "./target.ts";

/** Octets that parsers treat in a way of their own. */
const SPECIAL = bytesOf('\0\x01\t\n\r !"#%,-./09:;<=?@AZ[]_az{|}~\x7f\x80\xa0\xff');

/** What mutations draw on. */
export interface Stock {
  readonly words: readonly Uint8Array[];
  /** Another input, to take a part of. */
  other(): Uint8Array;
}

/** An input with one to eight changes, at most `longest` bytes long. */
export function mutated(input: Uint8Array, random: Random, stock: Stock, longest: number): Uint8Array {
  let bytes = input;
  do bytes = change(bytes, random, stock); while (!random.oneIn(3));
  return bytes.length > longest ? bytes.slice(0, longest) : bytes;
}

function change(bytes: Uint8Array, random: Random, stock: Stock): Uint8Array {
  const at = random.below(bytes.length + 1);
  const size = random.oneIn(3) ? random.between(1, 64) : random.between(1, 6);
  switch (random.below(12)) {
    case 0:
      return set(bytes, at, (byte) => byte ^ (1 << random.below(8)));
    case 1:
      return set(bytes, at, () => random.below(256));
    case 2:
      return set(bytes, at, () => random.pick([...SPECIAL]));
    case 3:
      return set(bytes, at, (byte) => byte + random.between(-3, 3));
    case 4:
      return spliced(bytes, at, size, NOTHING);
    case 5:
      return spliced(bytes, at, 0, Uint8Array.from({ length: size }, () => random.pick([...SPECIAL])));
    case 6: // a part again, at once or elsewhere
      return spliced(bytes, random.oneIn(2) ? at : random.below(bytes.length + 1), 0, bytes.slice(at, at + size));
    case 7:
      return spliced(bytes, at, random.oneIn(2) ? 0 : size, random.pick(stock.words));
    case 8: {
      const other = stock.other();
      const from = random.below(other.length + 1);
      return spliced(bytes, at, random.oneIn(2) ? 0 : size, other.slice(from, from + random.between(1, 200)));
    }
    case 9: { // the beginning of one and the end of another
      const other = stock.other();
      return spliced(bytes, at, bytes.length, other.slice(random.below(other.length + 1)));
    }
    case 10: // one byte many times, to come near a limit
      return spliced(bytes, at, 0, new Uint8Array(random.between(1, 300)).fill(bytes[at] ?? 0x61));
    default:
      return bytes.slice(0, at);
  }
}

const NOTHING = new Uint8Array(0);

function set(bytes: Uint8Array, at: number, changed: (byte: number) => number): Uint8Array {
  if (at >= bytes.length) return bytes;
  const copy = bytes.slice();
  copy[at] = changed(copy[at] as number);
  return copy;
}

/** Bytes with `inserted` in place of up to `removed` bytes from `at` on. */
export function spliced(bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array {
  const end = Math.min(bytes.length, at + removed);
  const result = new Uint8Array(at + inserted.length + bytes.length - end);
  result.set(bytes.subarray(0, at));
  result.set(inserted, at);
  result.set(bytes.subarray(end), at + inserted.length);
  return result;
}
