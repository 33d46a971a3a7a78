/**
 * The blocks of a response between a listener, which writes when it likes, and a server, which asks for them one at a
 * time.
 *
 * A block counts until the server asks for the next one: only then it is known to have gone. That is when the callbacks
 * of its writes are due, and when a listener that was told to wait may go on.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Chunk } from "../../core/contract/types.ts";

/** Called when a write is over, with what kept it from being sent. */
export type Written = (error?: Error | null) => void;

const NO_BLOCKS: Chunk[] = []; // of all queues that have none; nothing is ever added to it
const MOST_JOINED = 65536; // bytes: small blocks that wait leave as one

/** The blocks that wait. */
export class Queue {
  #blocks: Chunk[] = NO_BLOCKS;
  #callbacks: Written[] | undefined; // of the blocks that wait
  #given: Written[] | undefined; // of the block that was taken last
  #waiting = 0; // bytes
  #taken = 0; // bytes of the block that was taken last

  /** Bytes that are not known to have gone. */
  get bytes(): number {
    return this.#waiting + this.#taken;
  }

  /** Whether no block waits. */
  get empty(): boolean {
    return this.#blocks.length === 0;
  }

  /** Adds a block, which may be empty, and what is to be called when it has gone. */
  add(data: Chunk, encoding: BufferEncoding | null | undefined, callback: unknown): void {
    if (data.length > 0) {
      const isText = typeof data === "string" && (encoding === undefined || encoding === null || UTF8.test(encoding));
      const block = typeof data !== "string" || isText ? data : Buffer.from(data, encoding as BufferEncoding);
      if (this.#blocks === NO_BLOCKS) this.#blocks = [block];
      else this.#blocks.push(block);
      this.#waiting += block.length;
    }
    if (typeof callback !== "function") return;
    if (this.#callbacks === undefined) this.#callbacks = [callback as Written];
    else this.#callbacks.push(callback as Written);
  }

  /** Takes all that waits, for a server that will not ask again; what it gives is not to be changed. */
  takeAll(): Chunk[] {
    const blocks = this.#blocks;
    this.#blocks = NO_BLOCKS;
    this.#hand(this.#waiting);
    return blocks;
  }

  /** Takes the next block: of small ones as many as are here, as one. */
  take(): Chunk {
    const blocks = this.#blocks;
    if (blocks.length === 1 || this.#waiting > MOST_JOINED) {
      const first = blocks.shift() as Chunk;
      if (blocks.length === 0) this.#hand(first.length);
      else {
        // The callbacks wait for the last of the blocks: they tell of a moment, not of a block.
        this.#taken += first.length;
        this.#waiting -= first.length;
      }
      return first;
    }
    const text = blocks.every((block) => typeof block === "string");
    this.takeAll();
    return text
      ? blocks.join("")
      : Buffer.concat(blocks.map((block) => typeof block === "string" ? Buffer.from(block) : block));
  }

  #hand(bytes: number): void {
    this.#taken += bytes;
    this.#waiting -= bytes;
    const callbacks = this.#callbacks;
    this.#callbacks = undefined;
    if (callbacks === undefined) return;
    if (this.#given === undefined) this.#given = callbacks;
    else this.#given.push(...callbacks);
  }

  /** What was taken has gone; gives the callbacks that are due. */
  gone(): Written[] | undefined {
    const given = this.#given;
    this.#given = undefined;
    this.#taken = 0;
    return given;
  }

  /** Drops everything; gives all callbacks. */
  drop(): Written[] {
    this.takeAll();
    return this.gone() ?? [];
  }
}

const UTF8 = /^(?:utf-?8)$/i;
