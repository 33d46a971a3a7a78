/**
 * Converts and checks the blocks of a body, and the values that an application returns.
 *
 * @module
 */

import { describe } from "../errors.ts";
import type { Octets } from "../seams.ts";
import { ApplicationError } from "../contract/application.ts";

const encoder = new TextEncoder();
const SHORT = 2048; // code units: for longer text, encoding is cheaper than checking for ASCII
// deno-lint-ignore no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

/**
 * The octets of a block; a string is encoded as UTF-8. Short ASCII text, which is the usual case, stays a string: wires
 * copy it into their output. Allocating a byte array for it would cost more than all the rest of a small response.
 */
export function blockOctets(chunk: unknown, what: string): Octets {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === "string") return chunk.length <= SHORT && ASCII.test(chunk) ? chunk : encoder.encode(chunk);
  throw new ApplicationError(`${what}: expected a block of type Uint8Array or string, got ${describe(chunk)}`);
}

/** Octets as bytes, for callers that have no output memory to copy text into. */
export function bytesOf(octets: Octets): Uint8Array {
  return typeof octets === "string" ? encoder.encode(octets) : octets;
}

/** The first `count` octets of a block. */
export function firstOctets(octets: Octets, count: number): Octets {
  return typeof octets === "string" ? octets.slice(0, count) : octets.subarray(0, count);
}

/** Cancels a web stream that has not been read. It has no iterator to stop, so this is the only way to release it. */
export function cancelled(body: unknown): unknown {
  return body instanceof ReadableStream ? body.cancel() : undefined;
}

/** The error for a value that is not a body. */
export function notABody(value: unknown): ApplicationError {
  return new ApplicationError(
    `The application returned ${describe(value)}; expected an iterable or async iterable of blocks, or one block`,
  );
}

/** Whether a value can be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
