/**
 * What an application may return, and what a block of it is.
 *
 * @module
 */

import { describe } from "../errors.ts";
import { ApplicationError } from "./application.ts";

const encoder = new TextEncoder();
const SHORT = 64; // code units

/** The bytes of a block: a string is UTF-8. */
export function blockBytes(chunk: unknown, what: string): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === "string") return chunk.length <= SHORT ? shortBytes(chunk) : encoder.encode(chunk);
  throw new ApplicationError(`${what}: expected a block of type Uint8Array or string, got ${describe(chunk)}`);
}

/** The same as the encoder gives, faster for short text that is ASCII, as most is. */
function shortBytes(text: string): Uint8Array {
  const length = text.length;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return encoder.encode(text);
    bytes[i] = unit;
  }
  return bytes;
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
