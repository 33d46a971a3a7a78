/**
 * The coders of node:zlib, as calls that give what has come out.
 *
 * The work is done by the thread pool of the runtime, so that other requests go on. This file is loaded when the first
 * response is compressed: node:zlib takes some milliseconds to load.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import {
  type BrotliCompress,
  constants,
  createBrotliCompress,
  createDeflate,
  createGzip,
  type Deflate,
  type Gzip,
} from "node:zlib";

/** A content coding. */
export type Coding = "br" | "gzip" | "deflate";

/** For content that is made for one response: higher levels take many times as long for a few percent. */
const BROTLI_QUALITY = 4;

function coder(coding: Coding): BrotliCompress | Gzip | Deflate {
  if (coding === "gzip") return createGzip();
  if (coding === "deflate") return createDeflate(); // the format of zlib, as RFC 9110 8.4.1.2 says
  return createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } });
}

/**
 * Compresses one body, a block at a time.
 *
 * @example
 * ```ts
 * import { gunzipSync } from "node:zlib";
 * import { Encoder } from "./encoder.ts";
 * const encoder = new Encoder("gzip");
 * const blocks = [await encoder.block(new Uint8Array([1, 2])), await encoder.last(new Uint8Array([3]))];
 * console.assert(gunzipSync(Buffer.concat(blocks)).join() === "1,2,3");
 * ```
 */
export class Encoder {
  readonly #coder: BrotliCompress | Gzip | Deflate;
  readonly #flush: number;
  #parts: Uint8Array[] = [];
  #wake: (() => void) | undefined; // continues the call that is under way
  #error: Error | undefined;

  /** Makes a coder. */
  constructor(coding: Coding) {
    this.#coder = coder(coding);
    this.#flush = coding === "br" ? constants.BROTLI_OPERATION_FLUSH : constants.Z_SYNC_FLUSH;
    this.#coder.on("data", (part: Uint8Array) => this.#parts.push(part));
    this.#coder.on("error", (error) => {
      this.#error = error;
      this.#wake?.();
    });
  }

  /** Compresses a block. */
  block(bytes: Uint8Array): Promise<Uint8Array> {
    return this.#run((done) => {
      this.#coder.write(bytes);
      this.#coder.flush(this.#flush, done);
    });
  }

  /** Ends the compressed content with a last block, which may be empty. */
  last(bytes: Uint8Array): Promise<Uint8Array> {
    return this.#run((done) => {
      this.#coder.once("end", done);
      this.#coder.end(bytes);
    });
  }

  /** Frees the memory of the coder, which is outside of the garbage collector's sight. */
  close(): void {
    this.#coder.destroy();
    this.#wake?.(); // nobody wants the block any more
  }

  async #run(start: (done: () => void) => void): Promise<Uint8Array> {
    if (this.#coder.destroyed) return new Uint8Array(0);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      start(resolve);
    });
    this.#wake = undefined;
    if (this.#error !== undefined) throw this.#error;
    while (this.#coder.read() !== null); // emits what is still in the stream's buffer
    const parts = this.#parts;
    this.#parts = [];
    if (parts.length === 1) return parts[0] as Uint8Array;
    return Buffer.concat(parts);
  }
}
