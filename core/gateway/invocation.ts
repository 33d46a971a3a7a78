/**
 * One call of an application, from the environ to the last byte of the response: the handler of PEP 3333.
 *
 * An invocation knows nothing about wires: it sends everything through an Exchange. Its main rules:
 *
 * - `startResponse` checks and stores a head but sends nothing (PEP 3333).
 * - The head is sent late: with the first non-empty block, the first `write()`, or the end. Until then an error can
 *   still become a clean 500; afterwards it can only cut the response off.
 * - Blocks are pulled one at a time, never while the exchange is above its high-water mark. After each MiB other
 *   connections get a turn of the event loop. A synchronous application creates no promise while the client keeps up.
 * - `#release` ends every response in the same way, whether it was complete, failed, was cut short or lost its client:
 *   it stops the iterator if it is not exhausted, and calls `close()` once.
 *
 * @module
 */

import { errorText } from "../errors.ts";
import type { Exchange, Octets, ResponseHead } from "../seams.ts";
import { LoggedExchange } from "./access_log.ts";
import { blockOctets, cancelled, firstOctets, isThenable, notABody } from "./blocks.ts";
import { closeBody, hasClose } from "./closing.ts";
import { type Gateway, type RequestTimeoutError, statusOf, WriteError } from "./gateway.ts";
import { InputStream } from "../contract/input_stream.ts";
import { GatewayRequest, type RequestState } from "../contract/tsgi_request.ts";
import { ClientDisconnectedError, InputError, type RequestBody } from "../contract/request_body.ts";
import { isContentless, responseHead, StartResponseError } from "../contract/response_head.ts";
import type { Environ, StartResponse, Write } from "../contract/types.ts";

type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>;

/** How a pull loop continues after a block. */
const GO = 0;
const WAIT = 1;
const STOP = 2;

const TURN_BYTES = 1024 * 1024; // after these bytes other connections get a turn
const BLOCK_COST = 256; // each block counts as at least this many bytes

/** One call of an application. */
export class Invocation implements RequestState {
  readonly #gateway: Gateway;
  readonly #environ: Environ;
  readonly #method: string;
  readonly #uri: string;
  #exchange: Exchange | undefined;
  #head: ResponseHead | undefined;
  #headSent = false;
  #began = false; // startResponse was called, even if it threw
  #returned = false; // the application has returned: write() is not allowed any more
  #inside = false; // the application or its iterator is on the stack
  #pulled = false; // the iterator was asked for a block
  #released = false;
  #bodyless = false;
  #whole = false; // the body is an array, so all its blocks exist already
  #autoLength: number | null = null; // length in bytes of such a body
  #remaining = Infinity; // bytes that the Content-Length still allows
  #emptyBlocks = 0;
  #turnBytes = 0;
  #unawaited = 0; // bytes that write() accepted above the high-water mark
  #body: unknown;
  #iterator: AnyIterator | undefined;
  #waiters: (() => void)[] | undefined; // called by `drained`
  #failure: unknown; // the error that has been reported
  #departure: Error | undefined;
  #controller: AbortController | undefined;
  #departing: ((reason: Error) => void)[] | undefined; // the listeners of onDeparture

  /** Prepares a call: adds `wsgi.input` and `tsgi.request` to `environ`. The response goes to `exchange`. */
  constructor(gateway: Gateway, exchange: Exchange, environ: Environ, body: RequestBody) {
    this.#gateway = gateway;
    const log = gateway.accessLog;
    this.#exchange = log === undefined ? exchange : new LoggedExchange(exchange, log, environ, gateway.errors);
    this.#environ = environ;
    this.#method = environ.REQUEST_METHOD; // the application may change the environ
    this.#uri = environ.REQUEST_URI;
    environ["wsgi.input"] = new InputStream(body, gateway.limitReadline);
    environ["tsgi.request"] = new GatewayRequest(this);
  }

  // Calls by tsgi.request.

  /** The receiver of the response; undefined once it has ended or the client is gone. */
  get exchange(): Exchange | undefined {
    return this.#exchange;
  }

  /** Whether the response head has been sent. */
  get headSent(): boolean {
    return this.#headSent;
  }

  /** Whether the head is sent and the application still produces the body: then a FIN means that the client left. */
  get streaming(): boolean {
    return this.#headSent && !this.#whole;
  }

  /**
   * Number of empty blocks that the iterator has yielded before the head. While an iterator yields only empty blocks,
   * nothing is written, so no failing write shows that the client is gone. The ticks of the wires check this number.
   */
  get emptyBlocks(): number {
    return this.#headSent ? 0 : this.#emptyBlocks;
  }

  /** Fires when the client goes away before the response is complete. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#departure !== undefined) this.#controller.abort(this.#departure);
    }
    return this.#controller.signal;
  }

  /** Calls `listener` when `signal` fires, or would fire if it had been created. */
  onDeparture(listener: (reason: Error) => void): void {
    const departure = this.#departure;
    if (departure === undefined) (this.#departing ??= []).push(listener);
    else queueMicrotask(() => listener(departure));
  }

  #depart(reason: Error): void {
    this.#departure = reason;
    this.#controller?.abort(reason);
    for (const listener of this.#departing ?? []) {
      try {
        listener(reason);
      } catch (error) {
        this.#log(`onDeparture: ${errorText(error)}`);
      }
    }
  }

  /** The protocols that the client offers to change to. */
  get offered(): string {
    return this.#environ.HTTP_UPGRADE ?? "";
  }

  /** Notes that the socket has left the wire: the invocation sends nothing more. */
  upgraded(): void {
    this.#exchange = undefined;
  }

  /** Makes the server wait for a promise before it ends. */
  waitUntil(promise: Promise<unknown>): void {
    this.#gateway.background.add(promise, (error) => this.#log(`waitUntil: ${errorText(error)}`));
  }

  // Calls by a wire.

  /** Output is below the high-water mark again. */
  drained(): void {
    this.#unawaited = 0;
    const waiters = this.#waiters;
    this.#waiters = undefined;
    waiters?.forEach((resume) => resume());
  }

  /** The client is gone: ends the response without a report of an error. */
  departed(): void {
    if (this.#exchange === undefined) return;
    if (this.#exchange instanceof LoggedExchange) this.#exchange.departed();
    this.#exchange = undefined;
    this.#depart(new ClientDisconnectedError("The client closed the connection before the response was complete"));
    this.#release();
    this.drained(); // wakes those that wait for output: they find that there is no exchange
  }

  /** The response has taken too long: fires the signal and fails the response. */
  expired(reason: RequestTimeoutError): void {
    if (this.#exchange === undefined) return;
    this.#depart(reason);
    this.#fail(reason);
    this.drained();
  }

  // The call.

  /** Calls the application and sends its response. Never throws. */
  run(): void {
    this.#inside = true;
    try {
      const result: unknown = this.#gateway.app(this.#environ, this.#startResponse());
      this.#inside = false;
      if (isThenable(result)) result.then((body) => this.#respond(body), (error) => this.#failed(error));
      else this.#respond(result);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#inside = false;
    this.#returned = true;
    this.#fail(error);
  }

  /** Creates the callable for the application. A closure, so that a kept callable cannot affect another request. */
  #startResponse(): StartResponse {
    const write: Write = (chunk) => this.#write(chunk);
    return (...args: [status: unknown, headers: unknown, excInfo?: unknown]): Write => {
      if (args.length < 2 || args.length > 3) {
        this.#began = true;
        throw new StartResponseError(
          `startResponse: expected 2 or 3 arguments, got ${args.length}; give [] for no headers`,
        );
      }
      this.#start(args[0], args[1], args[2]);
      return write;
    };
  }

  #start(status: unknown, headers: unknown, excInfo: unknown): void {
    if (excInfo === undefined || excInfo === null) {
      if (this.#began) {
        throw new StartResponseError(
          "startResponse: called a second time without excInfo; return after the first call, or give the error that made " +
            "the second one necessary",
        );
      }
    } else if (this.#headSent) {
      this.#fail(excInfo);
      throw excInfo;
    }
    this.#began = true;
    this.#head = undefined;
    this.#head = responseHead(status, headers);
  }

  #write(chunk: unknown): Promise<void> | undefined {
    if (this.#returned) {
      throw new WriteError(
        "write: called after the application has returned; await all writes before, or yield the blocks",
      );
    }
    const bytes = blockOctets(chunk, "write");
    if (this.#departure !== undefined) return handled(Promise.reject(this.#departure));
    if (this.#exchange === undefined) throw new WriteError("write: the response has ended");
    if (this.#unawaited > 0 && this.#unawaited + bytes.length > this.#gateway.writeBufferLimit) {
      throw new WriteError(
        `write: more than ${this.#gateway.writeBufferLimit} bytes wait for the client; await write()`,
      );
    }
    if (!this.#headSent) this.#sendHead();
    if (bytes.length === 0 || this.#bodyless) return this.#nextTurn(bytes);
    const fits = bytes.length <= this.#remaining;
    const flowing = this.#send(bytes);
    if (!fits) throw new WriteError(`write: more bytes than the Content-Length of ${this.#head?.contentLength}`);
    if (flowing) return this.#nextTurn(bytes);
    this.#unawaited += bytes.length;
    return this.#untilDrained();
  }

  /** Takes the body that the application returned, or that its promise resolved to. */
  #respond(body: unknown): void {
    if (this.#returned) return; // a thenable of a library may settle twice
    this.#returned = true;
    this.#body = body;
    if (this.#exchange === undefined) return this.#release(); // departed, upgraded, or failed by excInfo
    try {
      if (typeof body === "string" || body instanceof Uint8Array) return this.#respondArray([body]);
      if (Array.isArray(body)) return this.#respondArray(body);
      if (body === null || typeof body !== "object") throw notABody(body, this.#gateway.app);
      if (Symbol.iterator in body) {
        this.#iterator = (body as Iterable<unknown>)[Symbol.iterator]();
        return this.#beginPump();
      }
      if (!(Symbol.asyncIterator in body)) throw notABody(body, this.#gateway.app);
      this.#iterator = (body as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    } catch (error) {
      return this.#fail(error);
    }
    this.#pumpAsync(this.#iterator as AsyncIterator<unknown>).catch((error) => this.#fail(error));
  }

  /** Sends an array as the body. Its length in bytes is known before anything is sent. */
  #respondArray(chunks: unknown[]): void {
    this.#requireStart();
    this.#whole = true;
    if (chunks.length === 1 && this.#unawaited === 0) {
      const block = blockOctets(chunks[0], "The body");
      this.#autoLength = block.length;
      this.#sendBlock(block);
      return this.#complete();
    }
    const blocks = chunks.map((chunk) => blockOctets(chunk, "The body"));
    this.#autoLength = blocks.reduce((sum, block) => sum + block.length, 0);
    this.#iterator = blocks.values();
    this.#beginPump();
  }

  /** Begins to pull, after waiting for `drained` if `write()` went above the high-water mark. */
  #beginPump(): void {
    if (this.#unawaited > 0) (this.#waiters ??= []).push(() => this.#pump());
    else this.#pump();
  }

  /** Pulls blocks from a synchronous iterator until it ends, has to stop, or has to wait. */
  #pump(): void {
    const iterator = this.#iterator as Iterator<unknown>;
    try {
      while (this.#exchange !== undefined) {
        const step = this.#next(iterator) as IteratorResult<unknown>;
        if (step.done === true) {
          this.#iterator = undefined;
          return this.#complete();
        }
        const verdict = this.#take(step.value);
        if (verdict === STOP) return this.#complete();
        if (verdict === WAIT) {
          (this.#waiters ??= []).push(() => this.#pump());
          return;
        }
        if (this.#turnIsOver()) return this.#gateway.turn(() => this.#pump());
      }
      this.#release();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Pulls blocks from an asynchronous iterator, as `#pump` does. */
  async #pumpAsync(iterator: AsyncIterator<unknown>): Promise<void> {
    if (this.#unawaited > 0) await this.#untilDrained();
    while (this.#exchange !== undefined) {
      let step: IteratorResult<unknown>;
      try {
        step = await (this.#next(iterator) as Promise<IteratorResult<unknown>>);
      } catch (error) {
        this.#iterator = undefined; // it has ended by throwing
        throw error;
      }
      if (this.#exchange === undefined) break;
      if (step.done === true) {
        this.#iterator = undefined;
        return this.#complete();
      }
      const verdict = this.#take(step.value);
      if (verdict === STOP) return this.#complete();
      if (verdict === WAIT) await this.#untilDrained();
      if (this.#turnIsOver()) await new Promise<void>((resolve) => this.#gateway.turn(resolve));
    }
    this.#release();
  }

  #next(iterator: AnyIterator): IteratorResult<unknown> | Promise<IteratorResult<unknown>> {
    this.#inside = true;
    this.#pulled = true;
    try {
      return iterator.next();
    } catch (error) {
      this.#iterator = undefined; // it has ended by throwing
      throw error;
    } finally {
      this.#inside = false;
    }
  }

  /** Sends a block of the body, and says whether to pull another. */
  #take(chunk: unknown): typeof GO | typeof WAIT | typeof STOP {
    if (this.#exchange === undefined) return STOP; // the application failed the response while producing the block
    this.#requireStart();
    return this.#sendBlock(blockOctets(chunk, "The body"));
  }

  #sendBlock(block: Octets): typeof GO | typeof WAIT | typeof STOP {
    this.#turnBytes += Math.max(block.length, BLOCK_COST);
    if (block.length === 0) {
      this.#emptyBlocks++;
      return GO;
    }
    if (!this.#headSent) this.#sendHead();
    if (this.#bodyless) return STOP;
    const fits = block.length <= this.#remaining;
    const flowing = this.#send(block);
    if (!fits) {
      this.#log(`the body is longer than its Content-Length of ${this.#head?.contentLength}; the rest was not sent`);
      return STOP;
    }
    return flowing ? GO : WAIT;
  }

  /** For `write()`: a promise of the next turn of the event loop if this turn has used its share, else undefined. */
  #nextTurn(block: Octets): Promise<void> | undefined {
    this.#turnBytes += Math.max(block.length, BLOCK_COST);
    return this.#turnIsOver() ? new Promise((resolve) => this.#gateway.turn(resolve)) : undefined;
  }

  #turnIsOver(): boolean {
    if (this.#turnBytes < TURN_BYTES) return false;
    this.#turnBytes = 0;
    return true;
  }

  #requireStart(): void {
    if (this.#head === undefined) {
      throw new StartResponseError(
        "The application gave a body without a successful call of startResponse; call it before the first block",
      );
    }
  }

  #sendHead(): void {
    this.#requireStart();
    const head = this.#head as ResponseHead;
    const contentless = isContentless(head.code);
    const length = head.contentLength ?? (contentless ? null : this.#autoLength);
    this.#bodyless = contentless || this.#method === "HEAD";
    this.#remaining = this.#bodyless ? 0 : length ?? Infinity;
    this.#headSent = true;
    this.#exchange?.head(head, length, this.#bodyless);
  }

  /** Sends the part of a block that the Content-Length allows. */
  #send(block: Octets): boolean {
    const fitting = block.length <= this.#remaining ? block : firstOctets(block, this.#remaining);
    this.#remaining -= fitting.length;
    return fitting.length === 0 || this.#exchange === undefined || this.#exchange.body(fitting);
  }

  #untilDrained(): Promise<void> {
    return new Promise((resolve) => (this.#waiters ??= []).push(resolve));
  }

  // The endings.

  /** Ends a response whose body is exhausted. */
  #complete(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return this.#release();
    if (!this.#headSent) {
      this.#requireStart();
      this.#autoLength ??= 0;
      this.#sendHead();
    }
    this.#exchange = undefined;
    if (this.#remaining > 0 && this.#remaining !== Infinity) {
      const reason =
        `the body ended ${this.#remaining} bytes before its Content-Length of ${this.#head?.contentLength}`;
      this.#log(`${reason}; the connection was cut`);
      exchange.abort(new WriteError(reason));
    } else {
      exchange.end();
    }
    this.#release();
  }

  /** Ends a response with an error. */
  #fail(error: unknown): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (exchange === undefined) {
      if (error !== this.#failure && !this.#followsDeparture(error)) this.#log(errorText(error));
    } else {
      this.#failure = error;
      const status = statusOf(error);
      this.#log(status.startsWith("500") ? errorText(error) : `${status}: ${(error as Error).message}`);
      try {
        if (!this.#headSent) exchange.refuse(status);
        else if (this.#remaining === 0) exchange.end(); // the body is complete by its Content-Length
        else exchange.abort(error);
      } catch (second) {
        this.#log(errorText(second)); // an error of the transport: the body is closed anyway
      }
    }
    this.#release();
  }

  /** Whether an error only follows from the departure of the client, which is known already. */
  #followsDeparture(error: unknown): boolean {
    if (this.#departure === undefined) return false;
    try {
      return error === this.#departure || error instanceof InputError || (error as Error | null)?.name === "AbortError";
    } catch {
      return false;
    }
  }

  /** Stops the iterator if it is not exhausted, then calls `close()`. Acts once, and not while the application runs. */
  #release(): void {
    if (this.#released || this.#inside || !this.#returned) return;
    this.#released = true;
    if (this.#whole && !hasClose(this.#body)) return this.#gateway.closed?.();
    const iterator = this.#iterator;
    this.#iterator = undefined;
    const stop = (): unknown =>
      iterator !== undefined ? iterator.return?.() : this.#pulled ? undefined : cancelled(this.#body);
    const failed = (error: unknown, where: string): void => {
      if (!this.#followsDeparture(error)) this.#log(`${where}${errorText(error)}`);
    };
    closeBody(this.#body, stop, failed, () => this.#gateway.closed?.());
  }

  #log(text: string): void {
    const uri = this.#uri.replace(/[^\x21-\x7e]/g, (octet) => `\\x${octet.charCodeAt(0).toString(16)}`);
    this.#gateway.errors.write(`tsgi: ${this.#method} ${uri}: ${text}\n`);
  }
}

/** Marks a promise as handled: if it rejects and nobody awaits it, the process does not end. */
function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}
