/**
 * The client's side of a request body: it feeds `wsgi.input` on demand of the application.
 *
 * A body of bytes is available at once. An iterable is read piece by piece, when the application reads. So a test can
 * delay an upload or make it fail: an iterable that throws acts like a client that leaves in the middle.
 *
 * @module
 */

import { blockOctets, bytesOf } from "../core/gateway/response_body.ts";
import { type BodySource, BodyTooLargeError, RequestBody, TruncatedBodyError } from "../core/contract/request_body.ts";
import type { Content } from "./content.ts";

type Pieces = Iterator<Uint8Array | string> | AsyncIterator<Uint8Array | string>;

/** Sends one body. */
export class Upload implements BodySource {
  /** The body that `wsgi.input` reads. */
  readonly body: RequestBody;
  readonly #length: number | null;
  readonly #limit: number;
  #pieces: Pieces | undefined;
  #sent = 0;
  #busy = false;

  /**
   * Sends `source`, but no more than `length` bytes if that is declared. A chunked body may have up to `limit` bytes.
   */
  constructor(source: Content["source"], length: number | null, limit: number) {
    this.#length = length;
    this.#limit = limit;
    if (source === null || length === 0) {
      this.body = RequestBody.empty();
      return;
    }
    this.body = new RequestBody(this);
    if (source instanceof Uint8Array) this.#pieces = [source].values();
    else if (Symbol.asyncIterator in source) this.#pieces = source[Symbol.asyncIterator]();
    else this.#pieces = source[Symbol.iterator]();
    if (source instanceof Uint8Array) {
      this.#send(source);
      this.#end();
    }
  }

  /** Gets the next piece, because the application waits for bytes. */
  wanted(): void {
    if (this.#busy || this.#pieces === undefined) return;
    this.#busy = true;
    void this.#next(this.#pieces);
  }

  async #next(pieces: Pieces): Promise<void> {
    try {
      const step = await pieces.next();
      this.#busy = false;
      if (step.done === true) return this.#end();
      const bytes = bytesOf(blockOctets(step.value, "The request body"));
      this.#send(bytes);
      if (bytes.length === 0) this.wanted();
    } catch (cause) {
      this.#busy = false;
      this.#pieces = undefined;
      this.body.fail(new TruncatedBodyError("The client ended the request body before its declared end", { cause }));
    }
  }

  #send(bytes: Uint8Array): void {
    const room = (this.#length ?? Infinity) - this.#sent;
    const fitting = bytes.length <= room ? bytes : bytes.subarray(0, room);
    this.#sent += fitting.length;
    if (this.#length === null && this.#sent > this.#limit) {
      this.body.fail(new BodyTooLargeError(`The body is longer than limitRequestBody, ${this.#limit} bytes`));
      return this.stop();
    }
    this.body.push(fitting);
    if (this.#sent === this.#length) {
      this.body.finish();
      this.stop();
    }
  }

  #end(): void {
    this.#pieces = undefined;
    if (this.#length === null || this.#sent === this.#length) return this.body.finish();
    const missing = this.#length - this.#sent;
    this.body.fail(new TruncatedBodyError(`The request body ended ${missing} bytes before its declared end`));
  }

  /** Stops the source, because nobody will read the rest. */
  stop(): void {
    const pieces = this.#pieces;
    this.#pieces = undefined;
    try {
      void Promise.resolve(pieces?.return?.()).catch(() => {});
    } catch {
      // An error from the stopped source is ignored.
    }
  }
}
