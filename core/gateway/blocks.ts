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
  throw new ApplicationError(
    `${what}: expected a block of type Uint8Array or string, got ${describe(chunk)}${blockAdvice(chunk)}`,
  );
}

function blockAdvice(chunk: unknown): string {
  if (typeof chunk === "number" || typeof chunk === "bigint") return "; write String(value)";
  if (isThenable(chunk)) return "; await it first";
  if (Array.isArray(chunk)) return "; give its elements one by one";
  if (chunk instanceof ArrayBuffer) return "; write new Uint8Array(buffer)";
  if (ArrayBuffer.isView(chunk)) return "; write new Uint8Array(view.buffer, view.byteOffset, view.byteLength)";
  return typeof chunk === "object" && chunk !== null ? "; write JSON.stringify(value)" : "";
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

/** The error for a value that `app` returned and that is not a body, with what to do. */
export function notABody(value: unknown, { name }: { readonly name: string }): ApplicationError {
  const app = /^[\w$.]+$/.test(name) ? `The application ${name}` : "The application";
  return new ApplicationError(`${app} returned ${describe(value)}${bodyAdvice(value)}`);
}

const BODY = "an iterable or async iterable of blocks, or one block";

function bodyAdvice(value: unknown): string {
  switch (typeof value) {
    case "undefined":
      return `: is a "return" missing? It returns the body: ${BODY}`;
    case "function":
      return `; expected ${BODY}. Is the function to be called?`;
    case "number":
    case "bigint":
      return `; expected ${BODY}. Return [String(value)]`;
    case "object":
      break;
    default:
      return `; expected ${BODY}`;
  }
  if (value === null) return `; expected ${BODY}. Return [] for an empty body`;
  if (value instanceof Response) {
    return `; expected ${BODY}. fromFetch, of "tsgi/bridges/fetch", makes an application of a function that returns ` +
      "a Response; for the command, that is --app-type fetch";
  }
  return `; expected ${BODY}. Return [JSON.stringify(value)] for JSON, with its Content-Type`;
}

/** Whether a value can be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
