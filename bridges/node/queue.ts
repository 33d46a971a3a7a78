/**
 * The queue of response blocks between a listener, which writes at any time, and a server, which asks for one block at
 * a time.
 *
 * A block counts as sent when the server asks for the next one, since only then it is known. At that moment the
 * callbacks of its writes are called, and a listener that waits for "drain" may go on.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Chunk } from "../../core/contract/types.ts";

/** Called when a write is over, with an error if the data could not be sent. */
export type Written = (error?: Error | null) => void;

const NO_BLOCKS: Chunk[] = []; // shared by all empty queues, and never changed
const MOST_JOINED = 65536; // bytes; small waiting blocks are joined up to this size

/** The waiting blocks of one response. */
export class Queue {
  #blocks: Chunk[] = NO_BLOCKS;
  #callbacks: Written[] | undefined; // of the blocks that wait
  #given: Written[] | undefined; // of the block that was taken last
  #waiting = 0; // bytes
  #taken = 0; // bytes of the block that was taken last

  /** Number of bytes that are not known to be sent. */
  get bytes(): number {
    return this.#waiting + this.#taken;
  }

  /** Whether no block waits. */
  get empty(): boolean {
    return this.#blocks.length === 0;
  }

  /** Adds a block, which may be empty, and a callback for when it has been sent. */
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

  /** Takes all waiting blocks, for a server that will not ask again. The array must not be changed. */
  takeAll(): Chunk[] {
    const blocks = this.#blocks;
    this.#blocks = NO_BLOCKS;
    this.#hand(this.#waiting);
    return blocks;
  }

  /** Takes the next block. Small blocks are joined into one. */
  take(): Chunk {
    const blocks = this.#blocks;
    if (blocks.length === 1 || this.#waiting > MOST_JOINED) {
      const first = blocks.shift() as Chunk;
      if (blocks.length === 0) this.#hand(first.length);
      else {
        // All callbacks are called after the last of the blocks, since they report a moment, not a single block.
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

  /** Marks the taken blocks as sent; returns the callbacks to call. */
  gone(): Written[] | undefined {
    const given = this.#given;
    this.#given = undefined;
    this.#taken = 0;
    return given;
  }

  /** Drops everything; returns all callbacks. */
  drop(): Written[] {
    this.takeAll();
    return this.gone() ?? [];
  }
}

const UTF8 = /^(?:utf-?8)$/i;
