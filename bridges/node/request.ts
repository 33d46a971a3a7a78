/**
 * The request that a listener gets: a real `IncomingMessage`, filled from the environ.
 *
 * Express replaces the prototype of request objects, so a subclass would lose its overrides. The differences from a
 * message that node:http has parsed are therefore two own properties: `_read`, which takes the body from `wsgi.input`
 * instead of a socket, and `_destroy`. Everything else is the runtime's own code.
 *
 * The environ does not keep the letter case of field names, and has one value for a field that was sent several times.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import process from "node:process";
import type { Environ } from "../../core/contract/types.ts";
import type { Maker } from "./prototypes.ts";
import type { RequestSocket } from "./socket.ts";
import { targetOf } from "./target.ts";

/** The property of a request object that holds its body. */
const BODY = Symbol("tsgi.body");

/** Receives the errors of a request body. */
export interface RequestOwner {
  /** Called when the body cannot be read to its end. */
  inputFailed(error: unknown): void;
}

/** The source of a request object's body. */
interface BodyReader {
  /** Whether there may be more to read. */
  readonly left: boolean;
  /** Pushes the next block into `request`, or its end. */
  read(request: IncomingMessage): void;
  /** Stops reading. */
  stop(): void;
}

/** Internal members of node:http's request objects, and one that Express adds. */
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

/** Members that the server's own input has beyond the contract. An input from a middleware may lack them. */
type BridgedInput = AsyncIterable<Uint8Array> & { readonly ended?: boolean; readAvailable?(): Uint8Array | undefined };

/** Makes the request object from an environ. */
export function requestOf(environ: Environ, maker: Maker, socket: RequestSocket, owner: RequestOwner): IncomingMessage {
  const request = maker.request(socket as unknown as Socket) as Incoming;
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

/** Ends a request that nobody has begun to read, as if it had been read. Called once the response has been sent. */
export function dumpRequest(request: IncomingMessage): void {
  const incoming = request as Incoming;
  if (incoming._consuming || incoming.destroyed) return;
  if (incoming[BODY].left) {
    incoming[BODY].stop();
    incoming._dump();
  } else {
    const heard = incoming.listenerCount("end") + incoming.listenerCount("close") > 0;
    if (!heard && incoming._dumpAndCloseReadable !== undefined) return incoming._dumpAndCloseReadable();
    // On runtimes where _dump() ignores `complete`, it would go on reading, and end one turn later than node:http does.
    incoming._dumped = true;
    incoming.removeAllListeners("data");
    incoming.push(null);
    incoming.read(0);
  }
}

/** Whether the listener is reading the request body, and more of it is to come. */
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

const names = new Map<string, string>(); // cache of field names, by environ key
const MOST_NAMES = 500; // limits the cache, since clients may invent names

/** Returns the header fields of an environ: names and values, alternating. */
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

/** Converts `HTTP_X_FORWARDED_FOR` to `X-Forwarded-For`. */
function nameOf(key: string): string {
  const words = key.replace(/^HTTP_/, "").toLowerCase().split("_");
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("-");
  if (names.size < MOST_NAMES) names.set(key, name);
  return name;
}

/**
 * Whether a request without CONTENT_LENGTH has a body, which must then be chunked (HTTP/1.1 has no other). Over HTTP
 * the server's input knows. Behind a web server, only the end of the input shows it, so the method decides what is
 * likely.
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

/** Reads the body from `wsgi.input` on demand, as it arrives. */
class InputReader implements BodyReader {
  left = true;
  readonly #environ: Environ;
  readonly #owner: RequestOwner;
  #blocks: AsyncIterator<Uint8Array> | undefined;
  #missing: number; // bytes still to come
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

  /**
   * Pushes a block, or the end if there is no block. If the length is known, the end follows the last block at once.
   */
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

/** As in node:http, aborts a request that is destroyed before its end, and cuts the connection. */
function destroy(this: Incoming, error: Error | null, callback: (error?: Error | null) => void): void {
  this[BODY].stop();
  if (!this.readableEnded || !this.complete) {
    this.aborted = true;
    this.emit("aborted");
    this.socket.destroy(error ?? undefined);
  }
  if (error === null && !this.aborted) return callback();
  // An error without a listener must not end the process.
  process.nextTick(() => callback(this.listenerCount("error") === 0 ? null : error));
}

/** Makes the error that node:http gives a request when its client has gone. */
export function abortedError(cause?: unknown): Error {
  const error: Error & { code?: string } = new Error("aborted", cause === undefined ? {} : { cause });
  error.code = "ECONNRESET";
  return error;
}
