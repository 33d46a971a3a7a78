/**
 * Compresses a body block by block.
 *
 * Each block of the inner body gives one block, which a client can decompress as soon as it arrives: the coder is flushed
 * behind every block.
 *
 * @module
 */

import { isThenable } from "../../core/contract/application.ts";
import type { Body, Chunk } from "../../core/contract/types.ts";
import { cancelled } from "../../core/gateway/response_body.ts";
import type { Coding, Encoder } from "./encoder.ts";

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

/** The octets of a block; undefined if it is none, which the server then says. */
function octets(block: unknown): Uint8Array | undefined {
  return typeof block === "string" ? encoder.encode(block) : block instanceof Uint8Array ? block : undefined;
}

/** A body that can be iterated: not a bare block. */
export type IterableBody = Iterable<Chunk> | AsyncIterable<Chunk>;

/**
 * The compressed form of a body. `next()` asks the inner body for one block at most, and `close()` calls that of the inner
 * body.
 *
 * @example
 * ```ts
 * import { gunzipSync } from "node:zlib";
 * import { CompressedBody } from "./body.ts";
 * const body = new CompressedBody(["one ", "two"], () => "gzip");
 * const blocks: Uint8Array[] = [];
 * for await (const block of body) blocks.push(block as Uint8Array);
 * await body.close();
 * console.assert(blocks.length === 2 && gunzipSync(Buffer.concat(blocks)).toString() === "one two");
 * ```
 */
export class CompressedBody implements AsyncIterableIterator<Chunk, undefined> {
  readonly #inner: IterableBody & { close?(): unknown };
  readonly #coding: () => Coding | undefined;
  readonly #count: number; // of blocks that are not empty; Infinity if it is not known
  #iterator: Iterator<Chunk> | AsyncIterator<Chunk> | undefined;
  #encoder: Encoder | undefined;
  #given = 0;
  #ended = false;
  #closed = false;

  /**
   * Wraps a body.
   *
   * @param coding Asked when a block has come, because an application may call `startResponse` as late as that. If it
   *   gives undefined, the body passes as it is.
   */
  constructor(inner: IterableBody, coding: () => Coding | undefined) {
    this.#inner = inner;
    this.#coding = coding;
    this.#count = Array.isArray(inner) ? inner.filter((block) => block.length !== 0).length : Infinity;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Gives the next block, or what ends the compressed content. */
  async next(): Promise<IteratorResult<Chunk, undefined>> {
    if (this.#ended) return { done: true, value: undefined };
    this.#iterator ??= iteratorOf(this.#inner);
    let step: IteratorResult<Chunk>;
    try {
      const stepping = this.#iterator.next();
      step = isThenable(stepping) ? await stepping : stepping as IteratorResult<Chunk>;
    } catch (error) {
      this.#ended = true;
      throw error;
    }
    if (step.done === true) return await this.#end();
    const bytes = octets(step.value);
    // An empty block asks for the next one, and may come before startResponse is called.
    if (bytes === undefined || bytes.length === 0) return { done: false, value: step.value };
    if (this.#encoder === undefined) {
      const coding = this.#coding();
      if (coding === undefined) return { done: false, value: step.value };
      this.#encoder = await this.#make(coding);
    }
    this.#given++;
    if (this.#given < this.#count) return { done: false, value: await this.#encoder.block(bytes) };
    this.#ended = true;
    return { done: false, value: await this.#encoder.last(bytes) };
  }

  async #end(): Promise<IteratorResult<Chunk, undefined>> {
    this.#ended = true;
    const coding = this.#encoder === undefined ? this.#coding() : undefined;
    if (coding !== undefined) this.#encoder = await this.#make(coding); // nothing, in its compressed form
    if (this.#encoder === undefined) return { done: true, value: undefined };
    return { done: false, value: await this.#encoder.last(NOTHING) };
  }

  async #make(coding: Coding): Promise<Encoder> {
    const { Encoder } = await import("./encoder.ts");
    const encoder = new Encoder(coding);
    if (this.#closed) encoder.close(); // in the meantime
    return encoder;
  }

  /** Stops the inner body. */
  async return(): Promise<IteratorResult<Chunk, undefined>> {
    if (!this.#ended) await this.#iterator?.return?.();
    this.#ended = true;
    return { done: true, value: undefined };
  }

  /** Frees the coder, and closes the inner body. */
  close(): unknown {
    if (this.#closed) return undefined;
    this.#closed = true;
    this.#ended = true;
    this.#encoder?.close();
    const stopping = this.#iterator === undefined ? cancelled(this.#inner) : undefined;
    const close = (): unknown => typeof this.#inner.close === "function" ? this.#inner.close() : undefined;
    return isThenable(stopping) ? Promise.resolve(stopping).then(close, close) : close();
  }
}

function iteratorOf(body: IterableBody): Iterator<Chunk> | AsyncIterator<Chunk> {
  return Symbol.iterator in body ? body[Symbol.iterator]() : body[Symbol.asyncIterator]();
}

/** Whether a body is to be iterated. A bare block is none, and neither is a value that is no body at all. */
export function isIterableBody(body: Body | unknown): body is IterableBody {
  if (typeof body !== "object" || body === null || body instanceof Uint8Array) return false;
  return Symbol.iterator in body || Symbol.asyncIterator in body;
}
