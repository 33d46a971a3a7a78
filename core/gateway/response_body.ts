/**
 * The body that an application returns: the octets of its blocks, the advice for a value that is no body, and its end.
 *
 * To end a body is to stop its iterator and then to call its `close()` (PEP 3333, "The Application/Framework Side"). An
 * asynchronous iterator may take any time to stop, because a generator may wait for something that never comes. So
 * `close()` is called after a deadline even if the iterator has not stopped.
 *
 * @module
 */

import { describe } from "../errors.ts";
import type { Octets } from "../seams.ts";
import { ApplicationError, isThenable } from "../contract/application.ts";

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

/** Receives an error and the place where it occurred: `""` or `"close(): "`. */
export type Failed = (error: unknown, where: string) => void;

const RETURN_DEADLINE = 5000; // ms that an iterator has to stop; after that close() is called anyway

/** Whether a body may have a `close()` to call. */
export function hasClose(body: unknown): boolean {
  return typeof body === "object" && body !== null && "close" in body;
}

/** Calls `stop`; once that has settled, the `close()` of `body` if it has one; and last `closed`. Never throws. */
export function closeBody(body: unknown, stop: () => unknown, failed: Failed, closed: () => void = () => {}): void {
  try {
    const stopping = stop();
    if (isThenable(stopping)) return closeAfter(stopping, body, failed, closed);
  } catch (error) {
    failed(error, "");
  }
  close(body, failed, closed);
}

function closeAfter(stopping: PromiseLike<unknown>, body: unknown, failed: Failed, closed: () => void): void {
  let done = false;
  const once = (): void => {
    if (done) return;
    done = true;
    clearTimeout(deadline);
    close(body, failed, closed);
  };
  const deadline = setTimeout(once, RETURN_DEADLINE);
  Promise.resolve(stopping).then(once, (error) => {
    failed(error, "");
    once();
  });
}

function close(body: unknown, failed: Failed, closed: () => void): void {
  try {
    const closable = body as { close?: unknown } | null | undefined;
    const closing: unknown = typeof closable?.close === "function" ? closable.close() : undefined;
    if (isThenable(closing)) return void closing.then(closed, (error) => (failed(error, "close(): "), closed()));
  } catch (error) {
    failed(error, "close(): ");
  }
  closed();
}
