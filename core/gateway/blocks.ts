/**
 * What an application may return, and what a block of it is.
 *
 * @module
 */

import { describe } from "../errors.ts";
import type { Octets } from "../seams.ts";
import { ApplicationError } from "../contract/application.ts";

const encoder = new TextEncoder();
const SHORT = 2048; // code units: longer text costs less to encode than to look through
// deno-lint-ignore no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

/**
 * The octets of a block: a string is UTF-8. Short text that is ASCII, as most is, stays text: wires copy it into their
 * output, and memory for bytes of its own would cost more than all the rest of a small response.
 */
export function blockOctets(chunk: unknown, what: string): Octets {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === "string") return chunk.length <= SHORT && ASCII.test(chunk) ? chunk : encoder.encode(chunk);
  throw new ApplicationError(`${what}: expected a block of type Uint8Array or string, got ${describe(chunk)}`);
}

/** The same as bytes, for who has no memory to copy text into. */
export function bytesOf(octets: Octets): Uint8Array {
  return typeof octets === "string" ? encoder.encode(octets) : octets;
}

/** The first `count` octets of a block. */
export function firstOctets(octets: Octets, count: number): Octets {
  return typeof octets === "string" ? octets.slice(0, count) : octets.subarray(0, count);
}

/** A web stream that nobody has begun to read is cancelled: nobody else could. */
export function cancelled(body: unknown): unknown {
  return body instanceof ReadableStream ? body.cancel() : undefined;
}

/** The error for a value that is no body. */
export function notABody(value: unknown): ApplicationError {
  return new ApplicationError(
    `The application returned ${describe(value)}; expected an iterable or async iterable of blocks, or one block`,
  );
}

/** Whether a value can be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
