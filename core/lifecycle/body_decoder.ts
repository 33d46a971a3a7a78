/**
 * Decoders of request bodies that are counted, and the interface that every decoder has.
 *
 * A decoder reads the body of one message from the arriving bytes and stops exactly behind it.
 *
 * @module
 */

import { BodyTooLargeError, type RequestBody } from "../contract/request_body.ts";

/** Reads a body from a stream of bytes. */
export interface BodyDecoder {
  /** Whether the body has ended. */
  readonly done: boolean;
  /** Bytes of the body that are still to come, or null if the number is not known. */
  readonly expected: number | null;
  /** Whether the body ends where the input ends. Otherwise the end of the input cuts it off. */
  readonly endsWithInput: boolean;
  /**
   * Decodes from `bytes[start, end)` into `sink` and returns the index behind what was consumed.
   *
   * @throws {MalformedBodyError} when the bytes break the framing.
   * @throws {BodyTooLargeError} when they exceed a limit.
   */
  decode(bytes: Uint8Array, start: number, end: number, sink: RequestBody): number;
}

/**
 * A body of a declared length (RFC 9112 6.2, RFC 3875 4.2).
 *
 * @example
 * ```ts
 * import { RequestBody } from "../contract/request_body.ts";
 * import { LengthDecoder } from "./body_decoder.ts";
 * const decoder = new LengthDecoder(3);
 * console.assert(decoder.decode(new Uint8Array(5), 0, 5, RequestBody.empty()) === 3 && decoder.done);
 * ```
 */
export class LengthDecoder implements BodyDecoder {
  readonly endsWithInput = false;
  #remaining: number;

  /** A body of `length` bytes. */
  constructor(length: number) {
    this.#remaining = length;
  }

  get done(): boolean {
    return this.#remaining === 0;
  }

  get expected(): number {
    return this.#remaining;
  }

  decode(bytes: Uint8Array, start: number, end: number, sink: RequestBody): number {
    const stop = Math.min(end, start + this.#remaining);
    this.#remaining -= stop - start;
    sink.push(bytes, start, stop);
    return stop;
  }
}

/**
 * A body without a declared length, which ends where the input ends.
 *
 * @example
 * ```ts
 * import { RequestBody } from "../contract/request_body.ts";
 * import { OpenDecoder } from "./body_decoder.ts";
 * const decoder = new OpenDecoder(10);
 * console.assert(decoder.decode(new Uint8Array(5), 0, 5, RequestBody.empty()) === 5 && decoder.endsWithInput);
 * ```
 */
export class OpenDecoder implements BodyDecoder {
  readonly done = false;
  readonly expected = null;
  readonly endsWithInput = true;
  readonly #limit: number;
  #received = 0;

  /** A body of at most `limit` bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  decode(bytes: Uint8Array, start: number, end: number, sink: RequestBody): number {
    const stop = Math.min(end, start + this.#limit - this.#received);
    this.#received += stop - start;
    sink.push(bytes, start, stop);
    if (stop < end) throw new BodyTooLargeError(`The request body is longer than ${this.#limit} bytes`);
    return stop;
  }
}

/** The decoder of a body of `length` bytes, or of at most `limit` bytes if `length` is null; undefined without a body. */
export function countedBody(length: number | null, limit: number): BodyDecoder | undefined {
  if (length === null) return new OpenDecoder(limit);
  return length > 0 ? new LengthDecoder(length) : undefined;
}
