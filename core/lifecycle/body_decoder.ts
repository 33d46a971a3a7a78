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
  /** Bytes of the body that are still to come: 0 once it has ended, null if the number is not known. */
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
 * A body of a declared length (RFC 9112 6.2, RFC 3875 4.2), or one that ends where the input ends and has a limit.
 *
 * @example
 * ```ts
 * import { RequestBody } from "../contract/request_body.ts";
 * import { CountedDecoder } from "./body_decoder.ts";
 * const decoder = new CountedDecoder(3, false);
 * console.assert(decoder.decode(new Uint8Array(5), 0, 5, RequestBody.empty()) === 3 && decoder.expected === 0);
 * const open = new CountedDecoder(10, true);
 * console.assert(open.decode(new Uint8Array(5), 0, 5, RequestBody.empty()) === 5 && open.expected === null);
 * ```
 */
export class CountedDecoder implements BodyDecoder {
  readonly endsWithInput: boolean;
  readonly #most: number;
  #received = 0;

  /** A body of `most` bytes, or of at most `most` bytes if it ends with the input. */
  constructor(most: number, endsWithInput: boolean) {
    this.#most = most;
    this.endsWithInput = endsWithInput;
  }

  get expected(): number | null {
    return this.endsWithInput ? null : this.#most - this.#received;
  }

  decode(bytes: Uint8Array, start: number, end: number, sink: RequestBody): number {
    const stop = Math.min(end, start + this.#most - this.#received);
    this.#received += stop - start;
    sink.push(bytes, start, stop);
    if (this.endsWithInput && stop < end) {
      throw new BodyTooLargeError(`The request body is longer than ${this.#most} bytes`);
    }
    return stop;
  }
}

/** The decoder of a body of `length` bytes, or of at most `limit` bytes if `length` is null; undefined without a body. */
export function countedBody(length: number | null, limit: number): BodyDecoder | undefined {
  if (length === null) return new CountedDecoder(limit, true);
  return length > 0 ? new CountedDecoder(length, false) : undefined;
}
