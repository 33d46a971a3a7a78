/**
 * The request as a listener gets it: a real `IncomingMessage`, filled from the environ.
 *
 * Express puts prototypes of its own into its request objects, so a subclass would lose what it overrides. What differs
 * from a message that node:http has parsed are therefore two own properties: `_read`, which takes the body from
 * `wsgi.input` instead of a socket, and `_destroy`. Everything else is the runtime's.
 *
 * The environ has no letter case of field names, and one value for a field that was sent several times.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import process from "node:process";
import type { Environ } from "../../core/contract/types.ts";
import type { RequestSocket } from "./socket.ts";
import { targetOf } from "./target.ts";

/** Where a request object keeps its body. */
const BODY = Symbol("tsgi.body");

/** Told of what goes wrong. */
export interface RequestOwner {
  /** The body cannot be read to its end. */
  inputFailed(error: unknown): void;
}

/** What gives a request object its body. */
interface BodyReader {
  /** Whether there may be more to read. */
  readonly left: boolean;
  /** Pushes the next block into `request`, or its end. */
  read(request: IncomingMessage): void;
  /** Nothing more is read. */
  stop(): void;
}

/** What node:http's own request objects have besides, and Express adds. */
interface Internals {
  _readableState: { readingMore: boolean };
  _consuming: boolean;
  _addHeaderLines(lines: string[], count: number): void;
  _dump(): void;
  _dumped: boolean;
  upgrade: boolean;
  baseUrl?: string;
  originalUrl?: string;
  _dumpAndCloseReadable?(): void; // not on Node 22
  [BODY]: BodyReader;
}

/** A request object with its body. */
type Incoming = IncomingMessage & Internals;

/** What the server's own input has beside the contract, and one that a middleware puts in its place may not have. */
type BridgedInput = AsyncIterable<Uint8Array> & { readonly ended?: boolean; readAvailable?(): Uint8Array | undefined };

/** Makes the request object of an environ. */
export function requestOf(environ: Environ, socket: RequestSocket, owner: RequestOwner): IncomingMessage {
  const request = new IncomingMessage(socket as unknown as Socket) as Incoming;
  const { url, baseUrl } = targetOf(environ);
  request.method = environ.REQUEST_METHOD;
  request.url = url;
  if (baseUrl !== "") {
    request.baseUrl = baseUrl;
    request.originalUrl = environ.REQUEST_URI;
  }
  setVersion(request, environ.SERVER_PROTOCOL);
  const length = environ.CONTENT_LENGTH;
  const body = (length === undefined ? hasBody(environ) : length !== "0") ? new InputReader(environ, owner) : NOTHING;
  const lines = headerLines(environ);
  if (length === undefined && body.left) lines.push("Transfer-Encoding", "chunked");
  request._addHeaderLines(lines, lines.length);
  request.upgrade = false;
  request.complete = !body.left;
  request[BODY] = body;
  request._read = read;
  request._destroy = destroy;
  return request as IncomingMessage;
}

/** The response has been sent: a request that nobody has begun to read ends, as if it had been read. */
export function dumpRequest(request: IncomingMessage): void {
  const incoming = request as Incoming;
  if (incoming._consuming || incoming.destroyed) return;
  if (incoming[BODY].left) {
    incoming[BODY].stop();
    incoming._dump();
  } else {
    const heard = incoming.listenerCount("end") + incoming.listenerCount("close") > 0;
    if (!heard && incoming._dumpAndCloseReadable !== undefined) return incoming._dumpAndCloseReadable();
    // _dump() would read on, and end a turn later than node:http on runtimes where it does not look at `complete`.
    incoming._dumped = true;
    incoming.removeAllListeners("data");
    incoming.push(null);
    incoming.read(0);
  }
}

/** Whether the listener is taking the request's body, and more of it is to come. */
export function isReading(request: IncomingMessage): boolean {
  const { left } = (request as Incoming)[BODY];
  return left && request.readableFlowing === true && !request.destroyed;
}

/** Calls `then` when the listener has read the body to its end, or has stopped reading it. */
export function afterReading(request: IncomingMessage, then: () => void): void {
  for (const event of ["end", "close", "pause"]) request.once(event, then);
}

function setVersion(request: IncomingMessage, protocol: string): void {
  if (protocol === "HTTP/1.1") {
    request.httpVersion = "1.1";
    request.httpVersionMajor = 1;
    request.httpVersionMinor = 1;
    return;
  }
  const [, major = "1", minor = "0"] = /^HTTP\/([0-9]+)(?:\.([0-9]+))?$/.exec(protocol) ?? [];
  request.httpVersion = `${major}.${minor}`;
  request.httpVersionMajor = Number(major);
  request.httpVersionMinor = Number(minor);
}

// The head.

const names = new Map<string, string>(); // of fields, by environ key
const MOST_NAMES = 500; // clients make names up

/** The header fields of an environ, name and value in turn. */
function headerLines(environ: Environ): string[] {
  const lines: string[] = [];
  for (const key in environ) {
    const isField = key.charCodeAt(4) === 0x5f && key.startsWith("HTTP_");
    if (!isField && key !== "CONTENT_TYPE" && key !== "CONTENT_LENGTH") continue;
    const value = environ[key];
    if (typeof value === "string") lines.push(names.get(key) ?? nameOf(key), value);
  }
  return lines;
}

/** `HTTP_X_FORWARDED_FOR` is `X-Forwarded-For`. */
function nameOf(key: string): string {
  const words = key.replace(/^HTTP_/, "").toLowerCase().split("_");
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("-");
  if (names.size < MOST_NAMES) names.set(key, name);
  return name;
}

/**
 * Whether a request without CONTENT_LENGTH has a body: one that is chunked, since HTTP/1.1 has no other. The server's
 * input knows over HTTP; a web server in front tells only at the end, and then the method says what is likely.
 */
function hasBody(environ: Environ): boolean {
  const { ended } = environ["wsgi.input"] as BridgedInput;
  if (ended === true) return false;
  return (ended === false && environ.GATEWAY_INTERFACE === undefined) || !WITHOUT_BODY.has(environ.REQUEST_METHOD);
}

const WITHOUT_BODY = new Set(["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"]);

// The body.

/** The body of a request that has none. */
const NOTHING: BodyReader = {
  left: false,
  read: (request) => void request.push(null),
  stop: () => {},
};

/** Takes the body from `wsgi.input` as it arrives, when it is asked. */
class InputReader implements BodyReader {
  left = true;
  readonly #environ: Environ;
  readonly #owner: RequestOwner;
  #blocks: AsyncIterator<Uint8Array> | undefined;
  #missing: number; // bytes
  #reading = false;

  constructor(environ: Environ, owner: RequestOwner) {
    this.#environ = environ;
    this.#owner = owner;
    this.#missing = environ.CONTENT_LENGTH === undefined ? Infinity : Number(environ.CONTENT_LENGTH);
  }

  read(request: IncomingMessage): void {
    if (!this.left) {
      request.complete = true;
      request.push(null);
      return;
    }
    if (this.#reading) return;
    const input = this.#environ["wsgi.input"] as BridgedInput;
    const block = input.readAvailable?.();
    if (block !== undefined) return this.#push(request, block);
    this.#reading = true;
    this.#blocks ??= input[Symbol.asyncIterator]();
    this.#blocks.next().then((step) => {
      this.#reading = false;
      if (this.left && !request.destroyed) this.#push(request, step.value);
    }, (error) => {
      this.#reading = false;
      if (this.left) this.#owner.inputFailed(error);
    });
  }

  /** Pushes a block, or the end where there is none; and the end with the last block, where the length is known. */
  #push(request: IncomingMessage, block: Uint8Array | undefined): void {
    this.left = block !== undefined && (this.#missing -= block.length) > 0;
    if (!this.left) request.complete = true;
    if (block !== undefined) request.push(Buffer.from(block.buffer, block.byteOffset, block.length));
    if (!this.left) request.push(null);
  }

  stop(): void {
    this.left = false;
  }
}

function read(this: Incoming): void {
  if (!this._consuming) {
    this._readableState.readingMore = false;
    this._consuming = true;
  }
  this[BODY].read(this);
}

/** As in node:http: a request that is destroyed before its end is aborted, and the connection with it. */
function destroy(this: Incoming, error: Error | null, callback: (error?: Error | null) => void): void {
  this[BODY].stop();
  if (!this.readableEnded || !this.complete) {
    this.aborted = true;
    this.emit("aborted");
    this.socket.destroy(error ?? undefined);
  }
  if (error === null && !this.aborted) return callback();
  // An error that nobody listens for ends no process.
  process.nextTick(() => callback(this.listenerCount("error") === 0 ? null : error));
}

/** The error that node:http gives a request whose client has gone. */
export function abortedError(cause?: unknown): Error {
  const error: Error & { code?: string } = new Error("aborted", cause === undefined ? {} : { cause });
  error.code = "ECONNRESET";
  return error;
}
