/**
 * Header blocks that have been parsed before: the fast way through a request head.
 *
 * Clients repeat themselves: all requests of one program, often of all users behind one proxy, differ in their request
 * line and in little else. A block of header lines that is *equal, octet for octet,* to one that has passed every check
 * needs none of them again, so its conclusions are kept. What is not equal takes the slow way, which alone defines what
 * is right; nothing else is ever compared, neither a hash nor a part.
 *
 * The table is small and of fixed size, and a block has two places in it, so that a client that never sends the same
 * block twice costs little and grows nothing.
 *
 * @module
 */

import type { RequestHead } from "./request_head.ts";

const SETS = 64;
const LONGEST = 2048; // code units: of the text that a block is part of, which stays in memory with it

/** Heads that are complete, by their header block. */
export class HeadCache {
  readonly #blocks: string[] = new Array<string>(2 * SETS).fill("");
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

  /** Keeps a head that is complete; `block` is part of a text of `textLength` code units. */
  keep(block: string, textLength: number, head: RequestHead): void {
    if (textLength > LONGEST) return;
    const at = placeOf(block);
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
