/**
 * Compresses the responses of an application for clients that accept it.
 *
 * Whether a response is compressed depends on its head and, if it has no Content-Length, on its body: an array has a
 * length that can be summed up, and a short one is not worth the effort. So the head of a response that may be compressed
 * is held back until the application returns its body or calls `write()`. It is checked at once nevertheless, so that an
 * error of `startResponse` appears at the faulty call.
 *
 * @module
 */

import { isThenable, named } from "../core/contract/application.ts";
import { CALLED_TWICE, responseHead, StartResponseError } from "../core/contract/response_head.ts";
import type { Body, HeaderList, StartResponse, Write } from "../core/contract/types.ts";
import { checkMiddlewareOptions, type OptionNames } from "../http/options.ts";
import { CompressedBody, isIterableBody } from "./compression/body.ts";
import type { Coding } from "./compression/encoder.ts";
import { chooseEncoding } from "./representation/encodings.ts";
import { fieldOf, isHeaderList } from "./representation/fields.ts";
import { isCompressible } from "./representation/media_types.ts";
import { type Middleware, varying } from "./middleware.ts";

/** Options of {@linkcode compress}. */
export interface CompressOptions {
  /** Least octets that a body must have, if its length is known. Default 1024: below, little is saved. */
  readonly minimum?: number;
  /** The content codings to offer, the preferred one first. Default `["br", "gzip", "deflate"]`. */
  readonly encodings?: readonly Coding[];
}

const OPTIONS: OptionNames<CompressOptions> = { minimum: true, encodings: true };
const CODINGS: readonly Coding[] = ["br", "gzip", "deflate"];
const MINIMUM = 1024;

/**
 * Makes middleware that compresses responses with the coding that the client prefers. Each block of the body is
 * sent as it comes, in a form that the client can decompress at once.
 *
 * A response passes as it is if it has no compressible Content-Type, if it is an event stream, a range, already encoded or
 * shorter than `minimum`, if its Cache-Control says `no-transform`, if it has no content, or if `write()` is used.
 *
 * Do not compress pages that have a secret, such as a token against forged requests, beside text of the request: the
 * length of the response would reveal the secret (the attack called BREACH).
 *
 * @throws {TypeError} for an unknown coding.
 *
 * @example
 * ```ts
 * import { gunzipSync } from "node:zlib";
 * import type { ApplicationFunction } from "tsgi";
 * import { compress } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 *
 * const page: ApplicationFunction = (_environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return ["a long page ".repeat(1000)];
 * };
 * const site = client(compress()(page));
 * const response = await site.get("/", { headers: { "Accept-Encoding": "gzip" } });
 * console.assert(response.headers.get("content-encoding") === "gzip");
 * console.assert(gunzipSync(await response.bytes()).length === 12_000);
 * ```
 */
export function compress(options: CompressOptions = {}): Middleware {
  checkMiddlewareOptions("compress", options, OPTIONS);
  const { minimum = MINIMUM, encodings = CODINGS } = options;
  const unknown = encodings.find((name) => !CODINGS.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`compress: expected encodings among ${CODINGS.join(", ")}, got ${JSON.stringify(unknown)}`);
  }
  return (app) =>
    named((environ, startResponse) => {
      const accepted = chooseEncoding(environ.HTTP_ACCEPT_ENCODING, encodings);
      const call = new Call(startResponse, accepted, minimum, environ.REQUEST_METHOD === "HEAD");
      const body = app(environ, (...args) => call.start(args));
      return isThenable(body)
        ? (body as Promise<Body>).then((settled) => call.respond(settled))
        : call.respond(body as Body);
    }, app.name);
}

type Arguments = Parameters<StartResponse>;

/** One call of the application. */
class Call {
  readonly #startResponse: StartResponse;
  readonly #accepted: Coding | undefined; // what the client prefers
  readonly #minimum: number;
  readonly #isHead: boolean;
  #held: Arguments | undefined; // a head that may become that of a compressed response
  #started = false; // startResponse of the server was called
  #returned = false; // the application has returned its body
  #coding: Coding | undefined; // of the response
  #write: Write | undefined; // that of the server

  constructor(startResponse: StartResponse, accepted: Coding | undefined, minimum: number, isHead: boolean) {
    this.#startResponse = startResponse;
    this.#accepted = accepted;
    this.#minimum = minimum;
    this.#isHead = isHead;
  }

  /** A call of startResponse by the application. */
  start(args: Arguments): Write {
    const [status, headers, excInfo] = args;
    const isFirst = excInfo === undefined || excInfo === null;
    if (this.#held !== undefined && isFirst) throw new StartResponseError(CALLED_TWICE);
    this.#held = undefined;
    const isProper = args.length <= 3 && typeof status === "string" && isHeaderList(headers);
    // What follows a first call is an error, or the answer to one: the server decides.
    if (!isProper || this.#started || !mayCompress(status, headers, this.#minimum)) return this.#pass(args);
    try {
      responseHead(status, headers);
    } catch {
      return this.#pass(args); // where the same error is thrown again
    }
    if (this.#accepted === undefined) return this.#pass([status, varying(headers, "Accept-Encoding"), ...rest(args)]);
    this.#held = args;
    if (this.#returned) this.#compress();
    return (chunk) => {
      this.#release();
      return (this.#write as Write)(chunk);
    };
  }

  /** The body that the application has returned. */
  respond(body: Body): Body {
    this.#returned = true;
    const isStream = isIterableBody(body) && !Array.isArray(body);
    if (this.#held === undefined) {
      // A generator calls startResponse when its first block is asked for.
      const isOpen = isStream && !this.#started && this.#accepted !== undefined;
      return isOpen ? new CompressedBody(body, () => this.#coding) : body;
    }
    const blocks: unknown = typeof body === "string" || body instanceof Uint8Array ? [body] : body;
    if (!isIterableBody(blocks) || (Array.isArray(blocks) && !this.#declared() && octetsOf(blocks) < this.#minimum)) {
      this.#release();
      return body;
    }
    this.#compress();
    return new CompressedBody(blocks, () => this.#coding);
  }

  /** Whether the head that is held back declares the length of a body that a HEAD request does not get. */
  #declared(): boolean {
    return this.#isHead && fieldOf((this.#held as Arguments)[1], "content-length") !== undefined;
  }

  /** Sends on a head as it is. */
  #pass(args: Arguments): Write {
    this.#started = true;
    this.#coding = undefined;
    this.#write = this.#startResponse(...args);
    return this.#write;
  }

  /** Sends on the head that is held back, if there is one, as it is. */
  #release(): void {
    const args = this.#held;
    this.#held = undefined;
    if (args !== undefined) this.#pass(args);
  }

  /** Sends on the head that is held back, as that of a compressed response. */
  #compress(): void {
    const [status, headers, ...others] = this.#held as Arguments;
    this.#held = undefined;
    this.#pass([status, compressedHeaders(headers, this.#accepted as Coding), ...others]);
    this.#coding = this.#accepted;
  }
}

function rest([_status, _headers, ...others]: Arguments): [excInfo?: unknown] {
  return others;
}

const NO_CONTENT = /^(?:204|205|206|304)/;
const EVENT_STREAM = /^text\/event-stream\s*(?:;|$)/i;
const NO_TRANSFORM = /(?:^|,)\s*no-transform\s*(?:,|$)/i;

/** Whether a response may be compressed, as far as its head says. */
function mayCompress(status: string, headers: HeaderList, minimum: number): boolean {
  const type = fieldOf(headers, "content-type");
  if (type === undefined || !isCompressible(type) || EVENT_STREAM.test(type) || NO_CONTENT.test(status)) return false;
  const length = fieldOf(headers, "content-length");
  return (length === undefined || Number(length) >= minimum) &&
    fieldOf(headers, "content-encoding") === undefined &&
    fieldOf(headers, "content-range") === undefined &&
    !NO_TRANSFORM.test(fieldOf(headers, "cache-control") ?? "");
}

/** What describes the octets before compression. Ranges of a compressed response cannot be had. */
const OF_OCTETS: ReadonlySet<string> = new Set(["content-length", "content-md5", "content-digest", "accept-ranges"]);

function compressedHeaders(headers: HeaderList, coding: Coding): HeaderList {
  const kept = headers.filter(([name]) => !OF_OCTETS.has(name.toLowerCase()));
  const weak = kept.map(([name, value]): readonly [string, string] =>
    name.toLowerCase() === "etag" && value.startsWith('"') ? [name, `W/${value}`] : [name, value]
  );
  return [...varying(weak, "Accept-Encoding"), ["Content-Encoding", coding]];
}

/** The length of a body that is an array. Text counts at least as many octets as it has code units. */
function octetsOf(blocks: readonly unknown[]): number {
  let sum = 0;
  for (const block of blocks) {
    if (typeof block !== "string" && !(block instanceof Uint8Array)) return -1; // no body: the server says so
    sum += block.length;
  }
  return sum;
}
