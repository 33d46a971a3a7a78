/**
 * Runs one request through a listener, and turns what it does with `req` and `res` into a WSGI response.
 *
 * A listener is called, returns, and answers at any later time. Its response is delivered in one of three ways:
 *
 * - *At once.* The listener has ended the response before it returns. Then its blocks are returned directly.
 * - *Later, whole.* The application returns a promise, which resolves with the blocks when the response ends.
 * - *In pieces.* There is a block, or a flushed head, before the end. Then the body is this object, and the server asks
 *   it for blocks one at a time. Blocks not asked for yet count against the high-water mark of `res.write()`.
 *
 * Events are handled after the listener's turn, so that a `write()` and the `end()` after it are sent together.
 *
 * When the client leaves, the same events are emitted as in node:http: `"aborted"` and `"close"` of the request,
 * `"close"` of the response.
 *
 * @module
 */

import { IncomingMessage, ServerResponse } from "node:http";
import process from "node:process";
import { errorText } from "../../core/errors.ts";
import { foreignStatus } from "../../core/contract/response_head.ts";
import type { Body, Chunk, Environ, StartResponse, Write } from "../../core/contract/types.ts";
import type { Maker } from "./prototypes.ts";
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
  /** The first argument of the listener. */
  readonly request: IncomingMessage;
  /** The second argument of the listener. */
  readonly response: ServerResponse;
  readonly #socket: RequestSocket;
  readonly #startResponse: StartResponse;
  readonly #queue = new Queue();
  #state: number = CALLED;
  #write: Write | undefined; // set once the head is decided
  #refused: unknown; // the error that startResponse threw
  #framing: Framing | undefined;
  #flushed = false; // the head has to be sent, even without a block
  #ended = false;
  #finished = false;
  #blocked = false; // the listener waits for "drain"
  #failure: { readonly error: unknown } | undefined;
  #scheduled = false;
  #settle: ((body: Body | Promise<Body>) => void) | undefined;
  #wake: (() => void) | undefined;

  /** Makes the two objects that a listener gets. */
  constructor(environ: Environ, startResponse: StartResponse, maker: Maker) {
    this.environ = environ;
    this.#startResponse = startResponse;
    this.#socket = new RequestSocket(this);
    this.request = requestOf(environ, maker, this.#socket, this);
    this.response = responseOf(this.request, maker, this.#socket, this);
  }

  // The call.

  /** Returns the result of the application, once the listener has returned. */
  result(): Body | Promise<Body> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#ended && !isReading(this.request)) return this.#whole();
    this.#watch();
    if (this.#failure !== undefined || this.#ended || this.#started()) return this.#stream();
    this.#state = PENDING;
    return new Promise((resolve) => this.#settle = resolve);
  }

  /** Handles an error that the listener threw, or that rejected its promise. */
  failed(error: unknown): void {
    if (this.#failure !== undefined) return; // a consequence of the failure that is already known
    if (this.#ended || this.#state === OVER) this.environ["wsgi.errors"].write(`tsgi: ${errorText(error)}\n`);
    else this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#failure = { error };
    this.#go();
    process.nextTick(() => this.#depart());
  }

  /** Starts to watch for the client's departure. */
  #watch(): void {
    this.environ["tsgi.request"].onDeparture(() => this.#depart());
  }

  // Called by the response.

  head(code: number, reason: string, headers: [string, string][], framing: Framing): void {
    if (framing.length !== null && isReading(this.request)) headers.push(["Content-Length", String(framing.length)]); // will be streamed
    const status = foreignStatus(`${code} ${reason.trim()}`);
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

  // Called by the socket.

  get queued(): number {
    return this.#queue.bytes;
  }

  destroyed(error: Error | undefined): void {
    if (this.#failure !== undefined) return;
    if (this.#ended || this.#state === OVER) {
      // An ended response is still sent, as in node:http. Deno emits no "finish", so "close" has to be emitted here.
      setTimeout(closeResponse, 0, this.response);
      return;
    }
    const failure = error ?? new Error("The listener destroyed the connection before its response was complete");
    if (this.#state !== STREAMING) this.#sendHead();
    this.#fail(failure);
  }

  /** Sends a head, so that the connection is visibly cut: without a head, the cut response would look complete. */
  #sendHead(): void {
    try {
      this.#write ??= this.#startResponse("500 Internal Server Error", [["Content-Length", "1"]], this.#refused);
    } catch {
      return; // a head was sent before, which is enough
    }
    this.#flush();
  }

  timedOut(): boolean {
    const heard = !this.request.complete && this.request.emit("timeout", this.#socket);
    return this.response.emit("timeout", this.#socket) || heard;
  }

  // Called by the server.

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Marks the previous block as sent, then waits for the next one. */
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

  /** Stops the body: the client has left, or has received the full Content-Length. */
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
    if (blocks.length === 0) this.#flush(); // otherwise the server would add a length that the listener did not state
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
      // The response is already over. Its end is reported elsewhere.
    }
  }

  /** Whether there is a flushed head or a block to send. */
  #started(): boolean {
    return this.#flushed || !this.#queue.empty;
  }

  /** Schedules `#go` for after the listener's turn. */
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

  /** Handles that the taken blocks were sent: runs their callbacks, and emits "drain" if the listener waits for it. */
  #gone(): void {
    const callbacks = this.#queue.gone();
    if (callbacks !== undefined) process.nextTick(runAll, callbacks);
    if (this.#blocked && !this.#ended && this.#queue.empty) {
      this.#blocked = false;
      process.nextTick(drainResponse, this.response);
    }
  }

  /** Runs the callbacks of a response that was returned whole. */
  sent(): void {
    const callbacks = this.#queue.gone();
    if (callbacks !== undefined) runAll(callbacks);
  }

  // Failures and departures.

  inputFailed(error: unknown): void {
    if (this.#finished || this.#state === OVER) this.request.destroy(abortedError(error));
    else if (this.environ["tsgi.request"].signal.aborted) this.#depart();
    else this.#fail(error);
  }

  /** Ends the request for the listener, because the connection is over. */
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

/** Used to schedule microtasks. queueMicrotask() costs several times as much on Node. */
const SETTLED = Promise.resolve();

function sent(call: Call): void {
  call.sent();
}

/** A body for HEAD without a stated length. Servers send none of it, and cannot derive a length from an iterable. */
const LENGTH_UNKNOWN: Iterable<string> = new Set(["-"]);

function runAll(callbacks: readonly Written[], error?: Error): void {
  for (const callback of callbacks) callback(error);
}
