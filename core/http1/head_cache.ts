/**
 * Header blocks that have been parsed before: the fast way through a request head.
 *
 * Clients repeat themselves: all requests of one program, often of all users behind one proxy, differ in their request
 * line and in little else. A block of header lines that is *equal, octet for octet,* to one that has passed every check
 * needs none of them again, so its conclusions are kept. What is not equal takes the slow way, which alone defines what
 * is right; nothing else is ever compared, neither a hash nor a part.
 *
 * The table is small and of fixed size, and a block enters it at its second sight: a client that never sends the same
 * block twice costs little, and neither grows the table nor drives out what others send again.
 *
 * @module
 */

import type { RequestHead } from "./request_head.ts";

const SETS = 64;
const LONGEST = 2048; // code units: of the text that a block is part of, which stays in memory with it

/** Heads that are complete, by their header block. */
export class HeadCache {
  readonly #blocks: string[] = new Array<string>(2 * SETS).fill("");
  readonly #seen: Int32Array = new Int32Array(2 * SETS); // prints of blocks that came once
  readonly #heads: (RequestHead | undefined)[] = new Array<RequestHead | undefined>(2 * SETS).fill(undefined);

  /** A head of the same version whose header lines are equal to `block`, or undefined. */
  find(block: string, http11: boolean): RequestHead | undefined {
    const at = placeOf(block);
    const head = block === this.#blocks[at]
      ? this.#heads[at]
      : block === this.#blocks[at + 1]
      ? this.#heads[at + 1]
      : undefined;
    return head?.http11 === http11 ? head : undefined;
  }

  /** Keeps a head that is complete, if its block seems to have been here before; `block` is part of a text of `textLength` code units. */
  keep(block: string, textLength: number, head: RequestHead): void {
    if (textLength > LONGEST) return;
    const at = placeOf(block);
    const print = printOf(block);
    const place = at + (print & 1);
    if (this.#seen[place] !== print) {
      this.#seen[place] = print;
      return;
    }
    this.#blocks[at + 1] = this.#blocks[at] as string;
    this.#heads[at + 1] = this.#heads[at];
    this.#blocks[at] = block;
    this.#heads[at] = head;
  }
}

/** The first of the two places of a block. Equal blocks have the same; others often, but not always, another one. */
function placeOf(block: string): number {
  const length = block.length;
  const mixed = length * 31 + block.charCodeAt(length >> 1) * 7 + block.charCodeAt(length - 3);
  return (mixed % SETS) * 2 || 0; // NaN for a block of fewer octets
}

const PRINT_UNITS = 24; // of the end of a block, where what differs from request to request tends to be

/** A number that tells most blocks apart: whether one is worth keeping, never whether two are equal. */
function printOf(block: string): number {
  let print = block.length;
  for (let i = Math.max(0, block.length - PRINT_UNITS); i < block.length; i++) {
    print = (Math.imul(print, 31) + block.charCodeAt(i)) | 0;
  }
  return print;
}
