/**
 * One request on its way through a listener: what the listener does with `req` and `res`, as the contract has it.
 *
 * A listener is called, returns, and answers when it likes. Its response takes one of three ways:
 *
 * - *At once.* It has ended the response by the time it returns: then its blocks are returned, and nothing waits.
 * - *Later, whole.* The application returns a promise, which gets the blocks once the response has ended.
 * - *In pieces.* A block is here, or the head is to be flushed, and the end is not: then the body is this object, which the
 *   server asks for blocks one at a time. What it has not asked for counts against the high-water mark of `res.write()`.
 *
 * What happens in one turn of the event loop is looked at together, so that `write()` and `end()` leave together.
 *
 * A client that leaves is told as node:http tells it: `"aborted"` and `"close"` of the request, `"close"` of the response.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import process from "node:process";
import { errorText } from "../../core/errors.ts";
import { ForeignStatus } from "../../core/contract/response_head.ts";
import type { Body, Chunk, Environ, StartResponse, Write } from "../../core/contract/types.ts";
import { Queue, type Written } from "./queue.ts";
import { abortedError, afterReading, dumpRequest, isReading, requestOf, type RequestOwner } from "./request.ts";
import {
  closeResponse,
  detachResponse,
  drainResponse,
  type Framing,
  responseOf,
  type ResponseOwner,
} from "./response.ts";
import { RequestSocket, type SocketOwner } from "./socket.ts";

/** The listener has not returned. */
const CALLED = 0;
/** The application has returned a promise of its body. */
const PENDING = 1;
/** The server asks for blocks. */
const STREAMING = 2;
/** The server has all of the response, or wants no more of it. */
const OVER = 3;

/** One request. */
export class Call implements SocketOwner, RequestOwner, ResponseOwner, AsyncIterableIterator<Chunk, undefined> {
  /** The request as the server gave it. */
  readonly environ: Environ;
  /** What the listener gets first. */
  readonly request: IncomingMessage;
  /** What the listener gets second. */
  readonly response: ServerResponse;
  readonly #socket: RequestSocket;
  readonly #startResponse: StartResponse;
  readonly #queue = new Queue();
  #state: number = CALLED;
  #write: Write | undefined; // since the head is decided
  #refused: unknown; // what startResponse has thrown
  #framing: Framing | undefined;
  #flushed = false; // the head is to be sent, whether there is a block or not
  #ended = false;
  #finished = false;
  #blocked = false; // the listener waits for "drain"
  #failure: { readonly error: unknown } | undefined;
  #scheduled = false;
  #settle: ((body: Body | Promise<Body>) => void) | undefined;
  #wake: (() => void) | undefined;

  /** Makes the two objects that a listener gets. */
  constructor(environ: Environ, startResponse: StartResponse) {
    this.environ = environ;
    this.#startResponse = startResponse;
    this.#socket = new RequestSocket(this);
    this.request = requestOf(environ, this.#socket, this);
    this.response = responseOf(this.request, this.#socket, this);
  }

  // The call.

  /** What the application returns, now that the listener has returned. */
  result(): Body | Promise<Body> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#ended && !isReading(this.request)) return this.#whole();
    this.#watch();
    if (this.#failure !== undefined || this.#ended || this.#started()) return this.#stream();
    this.#state = PENDING;
    return new Promise((resolve) => this.#settle = resolve);
  }

  /** The listener has thrown, or its promise was rejected. */
  failed(error: unknown): void {
    if (this.#failure !== undefined) return; // it follows from what is known
    if (this.#ended || this.#state === OVER) this.environ["wsgi.errors"].write(`tsgi: ${errorText(error)}\n`);
    else this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#failure = { error };
    this.#go();
    process.nextTick(() => this.#depart());
  }

  /** Hears of the client's departure from now on. */
  #watch(): void {
    this.environ["tsgi.request"].onDeparture(() => this.#depart());
  }

  // What the response tells.

  head(code: number, reason: string, headers: [string, string][], framing: Framing): void {
    if (framing.length !== null && isReading(this.request)) headers.push(["Content-Length", String(framing.length)]); // not returned as a whole
    const text = `${code} ${reason.trim()}`;
    const status = code > 599 ? new ForeignStatus(text) as unknown as string : text;
    try {
      this.#write = this.#refused === undefined
        ? this.#startResponse(status, headers)
        : this.#startResponse(status, headers, this.#refused);
    } catch (error) {
      this.#refused = error;
      throw error;
    }
    this.#framing = framing;
  }

  body(data: string | Uint8Array, encoding: BufferEncoding | null | undefined, callback: unknown): boolean {
    if (this.#state === OVER) {
      if (typeof callback === "function") process.nextTick(callback as () => void);
      return true;
    }
    if (this.#socket.timed) this.#socket.touch();
    this.#queue.add(data, encoding, callback);
    if (data.length === 0) this.#flushed = true;
    this.#schedule();
    return !(this.#blocked = this.#queue.bytes >= this.#socket.writableHighWaterMark);
  }

  ended(): void {
    this.#ended = true;
    if (this.#state === PENDING) this.#go();
    else this.#schedule();
  }

  finished(): void {
    this.#finished = true;
    this.#socket.release();
    detachResponse(this.response, this.#socket);
    dumpRequest(this.request);
    process.nextTick(closeResponse, this.response);
  }

  earlyHints(headers: [string, string][]): void {
    this.environ["tsgi.request"].earlyHints(headers);
  }

  // What the socket asks and tells.

  get queued(): number {
    return this.#queue.bytes;
  }

  destroyed(error: Error | undefined): void {
    if (this.#failure !== undefined) return;
    if (this.#ended || this.#state === OVER) {
      // What has been ended is on its way, as over node:http; Deno emits no "finish", which "close" would follow.
      setTimeout(closeResponse, 0, this.response);
      return;
    }
    const failure = error ?? new Error("The listener destroyed the connection before its response was complete");
    if (this.#state !== STREAMING) this.#sendHead();
    this.#fail(failure);
  }

  /** A response that is cut must not look complete, and only one that has a head can be cut. */
  #sendHead(): void {
    try {
      this.#write ??= this.#startResponse("500 Internal Server Error", [["Content-Length", "1"]], this.#refused);
    } catch {
      return; // a head was sent before: that can be cut
    }
    this.#flush();
  }

  timedOut(): boolean {
    const heard = !this.request.complete && this.request.emit("timeout", this.#socket);
    return this.response.emit("timeout", this.#socket) || heard;
  }

  // What the server asks.

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** What was given has gone; the next block, once there is one. */
  async next(): Promise<IteratorResult<Chunk, undefined>> {
    this.#gone();
    for (;;) {
      if (this.#failure !== undefined) {
        this.#state = OVER;
        throw this.#failure.error;
      }
      if (!this.#queue.empty) return { done: false, value: this.#queue.take() };
      if (this.#state === OVER) return { done: true, value: undefined };
      if (this.#ended) break;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    this.#gone(); // the callback of an end() without a block
    if (isReading(this.request)) await new Promise<void>((resolve) => afterReading(this.request, resolve));
    this.#state = OVER;
    return { done: true, value: undefined };
  }

  /** The server wants no more: the client has gone, or has all that the head promised. */
  return(): Promise<IteratorResult<Chunk, undefined>> {
    if (this.environ["tsgi.request"].signal.aborted) this.#depart();
    else if (this.#state !== OVER) {
      this.#state = OVER;
      this.#queue.takeAll();
      this.#gone();
    }
    return Promise.resolve({ done: true, value: undefined });
  }

  #whole(): Body {
    this.#state = OVER;
    const blocks = this.#queue.takeAll();
    process.nextTick(sent, this);
    const framing = this.#framing as Framing;
    if (framing.bodyless) return this.request.method === "HEAD" && !framing.stated ? LENGTH_UNKNOWN : [];
    if (framing.length !== null || framing.stated) return blocks;
    if (blocks.length === 0) this.#flush(); // else the server would state a length, which the listener has not
    return blocks.values();
  }

  #stream(): this {
    if (this.#flushed && !this.#ended && this.#queue.empty) this.#flush();
    this.#state = STREAMING;
    return this;
  }

  /** Sends the head ahead of the first block. */
  #flush(): void {
    try {
      void this.#write?.("");
    } catch {
      // The response is over already: whoever ended it tells why.
    }
  }

  /** Whether there is something to send. */
  #started(): boolean {
    return this.#flushed || !this.#queue.empty;
  }

  /** Looks at what has happened, once the turn of the listener is over. */
  #schedule(): void {
    if (this.#scheduled || this.#state === CALLED) return;
    this.#scheduled = true;
    SETTLED.then(() => {
      this.#scheduled = false;
      this.#go();
    });
  }

  #go(): void {
    if (this.#state === STREAMING) {
      this.#wake?.();
    } else if (this.#state === PENDING) {
      if (this.#failure !== undefined) {
        this.#state = OVER;
        this.#settle?.(Promise.reject(this.#failure.error));
      } else if (this.#ended && !isReading(this.request)) this.#settle?.(this.#whole());
      else if (this.#ended || this.#started()) this.#settle?.(this.#stream());
    }
  }

  /** What was taken has gone. */
  #gone(): void {
    const callbacks = this.#queue.gone();
    if (callbacks !== undefined) process.nextTick(runAll, callbacks);
    if (this.#blocked && !this.#ended && this.#queue.empty) {
      this.#blocked = false;
      process.nextTick(drainResponse, this.response);
    }
  }

  /** What was returned as a whole has gone. */
  sent(): void {
    const callbacks = this.#queue.gone();
    if (callbacks !== undefined) runAll(callbacks);
  }

  // The end before the end.

  inputFailed(error: unknown): void {
    if (this.#finished || this.#state === OVER) this.request.destroy(abortedError(error));
    else if (this.environ["tsgi.request"].signal.aborted) this.#depart();
    else this.#fail(error);
  }

  /** The connection is over, for the listener. */
  #depart(): void {
    const { response, request } = this;
    if (this.#finished || response.closed) return;
    this.#state = OVER;
    if (!this.#socket.destroyed) this.#socket.closed();
    const callbacks = this.#queue.drop();
    if (callbacks.length > 0) process.nextTick(runAll, callbacks, abortedError());
    request.destroy(abortedError());
    closeResponse(response);
    this.#wake?.();
  }
}

/** For a later microtask; queueMicrotask() costs several times as much on Node. */
const SETTLED = Promise.resolve();

function sent(call: Call): void {
  call.sent();
}

/** The body of a response to HEAD whose length is not stated: a server sends nothing of it, and does not count it. */
const LENGTH_UNKNOWN: Iterable<string> = new Set(["-"]);

function runAll(callbacks: readonly Written[], error?: Error): void {
  for (const callback of callbacks) callback(error);
}
