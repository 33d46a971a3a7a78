/**
 * Reading a whole request body, up to a limit.
 *
 * @module
 */

import { describe } from "../core/errors.ts";
import type { Environ } from "../core/contract/types.ts";
import { HttpError } from "./error.ts";
import { mediaType } from "./media_type.ts";
import { checkOptions, type OptionNames } from "./options.ts";

/** The part of the environ that has the body. */
export type BodyEnviron = Pick<Environ, "wsgi.input" | "CONTENT_TYPE" | "CONTENT_LENGTH"> & {
  readonly HTTP_CONTENT_ENCODING?: string | undefined;
};

/** The error for a body beyond its limit. */
export function tooLarge(limit: number): HttpError {
  return new HttpError(413, `Expected a body of at most ${limit} bytes`);
}

/** Which function has read a body, by `wsgi.input`. */
const readers = new WeakMap<object, string>();

/**
 * Notes that a function reads the body. The second one would find an empty body, and blame the client for it.
 *
 * @throws {HttpError} 415 for a body that is compressed, which would be read as if it were not (RFC 9110 8.4).
 * @throws {TypeError} if the body has been read by a function of this module.
 */
export function takeBody(name: string, { "wsgi.input": input, HTTP_CONTENT_ENCODING: coding }: BodyEnviron): void {
  if (coding !== undefined && !/^(?:identity)?$/i.test(coding)) {
    throw new HttpError(415, "Expected a body without Content-Encoding", {
      headers: [["Accept-Encoding", "identity"]],
    });
  }
  const reader = readers.get(input);
  if (reader !== undefined) {
    throw new TypeError(
      `${name}: ${reader} has read the body of this request already; read it once, and pass on what that returns`,
    );
  }
  readers.set(input, name);
}

/**
 * Reads the body. A declared length above the limit is refused before anything is read.
 *
 * @param name Name of the public function that reads it.
 * @throws {HttpError} 413 or 415 (as a rejection).
 * @throws {TypeError} (as a rejection) if the body has been read already.
 */
export async function readBody(name: string, environ: BodyEnviron, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(environ.CONTENT_LENGTH ?? 0) > limit) throw tooLarge(limit);
  takeBody(name, environ);
  const blocks: Uint8Array[] = [];
  let size = 0;
  for await (const block of environ["wsgi.input"]) {
    size += block.length;
    if (size > limit) throw tooLarge(limit);
    blocks.push(block);
  }
  return joined(blocks, size);
}

/** Handles the rejection of a promise that nobody awaits: a client could otherwise end a program that forgot `await`. */
export function forgettable<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Joins blocks of `size` bytes together. */
export function joined(blocks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const block of blocks) {
    bytes.set(block, at);
    at += block.length;
  }
  return bytes;
}

/** Limits of {@linkcode parseJson}. */
export interface JsonLimits {
  /** Most bytes of the body. Default 1 MiB. */
  readonly limit?: number;
}

const JSON_LIMITS: OptionNames<JsonLimits> = { limit: true };
const MOST_JSON = 1024 * 1024; // bytes
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads a body of JSON: `application/json`, or a type that ends in `+json`.
 *
 * The client chooses what the value is. Check it before you use it.
 *
 * @throws {HttpError} (as a rejection) 415 for another media type, none, or a Content-Encoding, 413 beyond the limit, 400
 *   for what is no JSON in UTF-8.
 * @throws {TypeError} (as a rejection) if the body has been read already, for it can be read once.
 *
 * @example
 * ```ts
 * import type { Environ, StartResponse } from "tsgi";
 * import { json, parseJson } from "tsgi/http";
 * import { client } from "tsgi/testing";
 * async function app(environ: Environ, startResponse: StartResponse) {
 *   const given = await parseJson(environ, { limit: 1000 });
 *   return json(startResponse, { given });
 * }
 * console.assert(await (await client(app).post("/", { json: [1, 2] })).text() === '{"given":[1,2]}');
 * console.assert((await client(app).post("/", { form: { a: "1" } })).status === 415);
 * ```
 */
export function parseJson(environ: BodyEnviron, limits: JsonLimits = {}): Promise<unknown> {
  return forgettable(readJson(environ, limits));
}

async function readJson(environ: BodyEnviron, limits: JsonLimits): Promise<unknown> {
  checkOptions("parseJson", limits, JSON_LIMITS);
  const { limit = MOST_JSON } = limits;
  if (typeof limit !== "number" || !(limit >= 0)) {
    throw new TypeError(`parseJson: expected a number from 0 up as limit, got ${describe(limit)}`);
  }
  const type = mediaType(environ.CONTENT_TYPE ?? "")?.type ?? "";
  if (!/^application\/json$|\+json$/.test(type)) throw new HttpError(415, "Expected a body of type application/json");
  const bytes = await readBody("parseJson", environ, limit);
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new HttpError(400, "Expected JSON in UTF-8 as body", { cause });
  }
}
