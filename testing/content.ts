/**
 * Turns the body that a test gives into what a client sends: bytes, a Content-Type, and a length where it is known.
 *
 * The same values are taken as by `fetch`, and they mean the same. In addition, any iterable of blocks is an upload that
 * arrives piece by piece.
 *
 * @module
 */

import { describe } from "../core/errors.ts";

/**
 * The types of a request body. Text is sent as UTF-8, an iterable or a stream chunked, and a FormData as
 * `multipart/form-data`.
 */
export type RequestContent =
  | string
  | Uint8Array
  | URLSearchParams
  | FormData
  | Blob
  | ReadableStream<Uint8Array>
  | Iterable<Uint8Array | string>
  | AsyncIterable<Uint8Array | string>;

/** Names and values: an object, or, with repeated names, a list, a URLSearchParams, a Headers or a Map. */
export type Pairs =
  | Readonly<Record<string, string>>
  | readonly (readonly [string, string])[]
  | Iterable<readonly [string, string]>;

/** The options of a request of which at most one is given. */
export interface BodyOptions {
  /** The body. */
  readonly body?: RequestContent;
  /** A body in JSON. */
  readonly json?: unknown;
  /** A body of form fields, `application/x-www-form-urlencoded`. */
  readonly form?: Pairs;
}

/** A body as it is sent. */
export interface Content {
  /** The bytes, or an iterable of them; null when there is no body. */
  readonly source: Uint8Array | Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string> | null;
  /** Its Content-Type; null when the caller has to set it. */
  readonly type: string | null;
  /** Its length; null when only the end will tell. A source with a length can be read again. */
  readonly length: number | null;
}

const FORM = "application/x-www-form-urlencoded";
const NONE: Content = { source: null, type: null, length: null };

const encoder = new TextEncoder();

/**
 * The list form of names and values.
 *
 * @throws {TypeError} for a FormData with a file, which has no such form.
 */
export function pairs(given: Pairs | undefined): [string, string][] {
  if (given === undefined) return [];
  if (!(Symbol.iterator in given)) return Object.entries(given);
  return [...given as Iterable<readonly [string, unknown]>].map(([name, value]) => {
    if (!(value instanceof Blob)) return [name, value as string];
    throw new TypeError(`form: the field ${JSON.stringify(name)} is a file. Pass the FormData as \`body\` instead`);
  });
}

/**
 * The body of a request.
 *
 * @throws {TypeError} when more than one of `body`, `json` and `form` is given, or a value that is no body.
 */
export function contentOf({ body, json, form }: BodyOptions): Content {
  if ([body, json, form].filter((one) => one !== undefined).length > 1) {
    throw new TypeError("Expected one of body, json and form, got more");
  }
  if (json !== undefined) return text(asJson(json), "application/json");
  if (form !== undefined) return text(new URLSearchParams(pairs(form)).toString(), FORM);
  if (body === undefined) return NONE;
  if (typeof body === "string") return text(body, "text/plain; charset=utf-8");
  if (body instanceof Uint8Array) return { source: body, type: null, length: body.length };
  if (body instanceof URLSearchParams) return text(body.toString(), `${FORM};charset=UTF-8`);
  if (body instanceof FormData) return blob(multipart(body));
  if (body instanceof Blob) return blob(body);
  refuseNoBlocks(body);
  return {
    source: body as Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
    type: null,
    length: null,
  };
}

/** Text as UTF-8. */
function text(value: string, type: string): Content {
  const source = encoder.encode(value);
  return { source, type, length: source.length };
}

function asJson(value: unknown): string {
  const made: string | undefined = JSON.stringify(value);
  if (made === undefined) throw new TypeError(`json: expected a value that JSON can express, got ${describe(value)}`);
  return made;
}

/** A Blob is read anew for each request that sends it. */
function blob(body: Blob): Content {
  const read = (): AsyncIterator<Uint8Array> =>
    (body.stream() as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  return { source: { [Symbol.asyncIterator]: read }, type: body.type || null, length: body.size };
}

/** The encoding that browsers use for a form with files (RFC 7578, HTML "multipart form data"). */
function multipart(form: FormData): Blob {
  const boundary = `tsgi-${crypto.randomUUID()}`; // in lower case, because a Blob changes its type to that
  const quoted = (name: string): string =>
    `"${name.replaceAll("\n", "%0A").replaceAll("\r", "%0D").replaceAll('"', "%22")}"`;
  const parts: (string | Blob)[] = [];
  for (const [name, value] of form) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name=${quoted(lines(name))}`;
    if (typeof value === "string") parts.push(`${head}\r\n\r\n${lines(value)}\r\n`);
    else {
      const type = value.type || "application/octet-stream";
      parts.push(`${head}; filename=${quoted(value.name)}\r\nContent-Type: ${type}\r\n\r\n`, value, "\r\n");
    }
  }
  parts.push(`--${boundary}--\r\n`);
  return new Blob(parts, { type: `multipart/form-data; boundary=${boundary}` });
}

/** Text with the line ends of the Internet, as a form has it. */
function lines(value: string): string {
  return value.replace(/\r\n|\r|\n/g, "\r\n");
}

/**
 * Refuses a value that is not an iterable of blocks, and says what to write instead.
 *
 * @throws {TypeError} for it.
 */
function refuseNoBlocks(body: unknown): void {
  const refuse = (what: string, instead: string): never => {
    const expected = "expected text, Uint8Array, URLSearchParams, FormData, Blob, or an iterable or stream of blocks";
    throw new TypeError(`body: ${expected}, got ${what}. ${instead}`);
  };
  if (Array.isArray(body)) {
    const wrong = body.findIndex((one) => typeof one !== "string" && !(one instanceof Uint8Array));
    if (wrong >= 0) {
      refuse(`an array with ${describe(body[wrong])} at ${wrong}`, "For JSON, write `json` in place of `body`");
    }
    return;
  }
  if (body instanceof ArrayBuffer) refuse("an ArrayBuffer", "Write `new Uint8Array(buffer)`");
  if (ArrayBuffer.isView(body)) {
    refuse(describe(body), "Write `new Uint8Array(view.buffer, view.byteOffset, view.byteLength)`");
  }
  if (body instanceof Map || body instanceof Headers) {
    refuse(describe(body), "For fields, write `form` in place of `body`");
  }
  if (body instanceof Response || body instanceof Request) refuse(describe(body), "Pass its body: `await it.bytes()`");
  if (body === null) refuse("null", "For a request without a body, leave it out");
  if (typeof body === "object" && body !== null && (Symbol.iterator in body || Symbol.asyncIterator in body)) return;
  refuse(describe(body), "For JSON, write `json` in place of `body`");
}
