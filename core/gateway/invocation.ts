/**
 * One call of an application, from the environ to the last byte of the response: the handler of PEP 3333.
 *
 * An invocation knows nothing about wires: it sends everything through an Exchange. Its main rules:
 *
 * - `startResponse` checks and stores a head but sends nothing (PEP 3333).
 * - The head is sent late: with the first non-empty block, the first `write()`, or the end. Until then an error can
 *   still become a clean 500; afterwards it can only cut the response off.
 * - A body of one block is sent at once. A `Pump` pulls the blocks of every other body (`pump.ts`).
 * - `release` ends every response in the same way, whether it was complete, failed, was cut short or lost its client:
 *   it stops the iterator if it is not exhausted, and calls `close()` once.
 * - The departure of the client reaches the application through a `Departure` (`departure.ts`).
 *
 * @module
 */

import { errorText } from "../errors.ts";
import type { Exchange, Octets, ResponseHead } from "../seams.ts";
import { blockOctets, cancelled, closeBody, firstOctets, hasClose, notABody } from "./response_body.ts";
import { isThenable } from "../contract/application.ts";
import { Departure } from "./departure.ts";
import { type Gateway, refuse, type RequestTimeoutError, RETURNED, statusOf, WriteError } from "./gateway.ts";
import { GO, Pump, type Pumped, STOP, type Verdict, WAIT } from "./pump.ts";
import { requestReport } from "../contract/error_stream.ts";
import { InputStream } from "../contract/input_stream.ts";
import { GatewayRequest, type RequestState } from "../contract/tsgi_request.ts";
import { ClientDisconnectedError, type RequestBody } from "../contract/request_body.ts";
import { CALLED_TWICE, NOT_CALLED, wrongCount } from "../contract/response_head.ts";
import { isContentless, responseHead, StartResponseError } from "../contract/response_head.ts";
import type { Environ, StartResponse, Write } from "../contract/types.ts";

const TURN_BYTES = 1024 * 1024; // after these bytes other connections get a turn
const BLOCK_COST = 256; // each block counts as at least this many bytes

/** One call of an application. */
export class Invocation implements RequestState, Pumped {
  readonly #gateway: Gateway;
  readonly #environ: Environ;
  readonly #method: string;
  readonly #uri: string;
  #exchange: Exchange | undefined;
  #head: ResponseHead | undefined;
  #headSent = false;
  #began = false; // startResponse was called, even if it threw
  #returned = false; // the application has returned: write() is not allowed any more
  #inside = false; // the application is on the stack
  #released = false;
  #bodyless = false;
  #whole = false; // the body is an array, so all its blocks exist already
  #autoLength: number | null = null; // length in bytes of such a body
  #remaining = Infinity; // bytes that the Content-Length still allows
  #emptyBlocks = 0;
  #turnBytes = 0;
  #unawaited = 0; // bytes that write() accepted above the high-water mark
  #body: unknown;
  #pump: Pump | undefined; // created for a body that has an iterator
  #waiters: (() => void)[] | undefined; // called by `drained`
  #failure: unknown; // the error that has been reported
  #departure: Departure | undefined; // created on first use
  /** Whether the client has sent FIN. The wire sets it. */
  clientEnded = false;

  /** Prepares a call: adds `wsgi.input` and `tsgi.request` to `environ`. The response goes to `exchange`. */
  constructor(gateway: Gateway, exchange: Exchange, environ: Environ, body: RequestBody) {
    this.#gateway = gateway;
    const { log } = gateway;
    this.#exchange = log === undefined ? exchange : log.exchange(exchange, environ);
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
    return (this.#departure ??= new Departure()).signal;
  }

  /** Calls `listener` when `signal` fires, or would fire if it had been created. */
  onDeparture(listener: (reason: Error) => void): void {
    (this.#departure ??= new Departure()).listen(listener);
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
    this.#exchange.departed?.();
    this.#exchange = undefined;
    this.#depart(new ClientDisconnectedError("The client closed the connection before the response was complete"));
    this.release();
    this.drained(); // wakes those that wait for output: they find that there is no exchange
  }

  /** The response has taken too long: fires the signal and fails the response. */
  expired(reason: RequestTimeoutError): void {
    if (this.#exchange === undefined) return;
    this.#depart(reason);
    this.fail(reason);
    this.drained();
  }

  #depart(reason: Error): void {
    (this.#departure ??= new Departure()).happen(reason, (error) => this.#log(`onDeparture: ${errorText(error)}`));
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
    this.fail(error);
  }

  /** Creates the callable for the application. A closure, so that a kept callable cannot affect another request. */
  #startResponse(): StartResponse {
    const write: Write = (chunk) => this.#write(chunk);
    return (...args: [status: unknown, headers: unknown, excInfo?: unknown]): Write => {
      if (args.length < 2 || args.length > 3) {
        this.#began = true;
        throw wrongCount(args.length);
      }
      this.#start(args[0], args[1], args[2]);
      return write;
    };
  }

  #start(status: unknown, headers: unknown, excInfo: unknown): void {
    if (excInfo === undefined || excInfo === null) {
      if (this.#began) throw new StartResponseError(CALLED_TWICE);
    } else if (this.#headSent) {
      this.fail(excInfo);
      throw excInfo;
    }
    this.#began = true;
    this.#head = undefined;
    this.#head = responseHead(status, headers);
  }

  #write(chunk: unknown): Promise<void> | undefined {
    if (this.#returned) throw new WriteError(RETURNED);
    const bytes = blockOctets(chunk, "write");
    if (this.#departure?.reason !== undefined) return this.#departure.rejection();
    if (this.#exchange === undefined) throw new WriteError("write: the response has ended");
    const most = this.#gateway.writeBufferLimit;
    if (this.#unawaited > 0 && this.#unawaited + bytes.length > most) {
      throw new WriteError(`write: more than ${most} bytes wait for the client; await write()`);
    }
    if (!this.#headSent) this.#sendHead();
    if (bytes.length === 0 || this.#bodyless) return this.#turnAfter(bytes);
    const fits = bytes.length <= this.#remaining;
    const flowing = this.#send(bytes);
    if (!fits) throw new WriteError(`write: more bytes than the Content-Length of ${this.#head?.contentLength}`);
    if (flowing) return this.#turnAfter(bytes);
    this.#unawaited += bytes.length;
    return new Promise((resolve) => this.whenDrained(resolve));
  }

  /** Takes the body that the application returned, or that its promise resolved to. */
  #respond(body: unknown): void {
    if (this.#returned) return; // a thenable of a library may settle twice
    this.#returned = true;
    this.#body = body;
    if (this.#exchange === undefined) return this.release(); // departed, upgraded, or failed by excInfo
    try {
      if (typeof body === "string" || body instanceof Uint8Array) return this.#respondArray([body]);
      if (Array.isArray(body)) return this.#respondArray(body);
      if (body === null || typeof body !== "object") throw notABody(body, this.#gateway.app);
      if (Symbol.iterator in body) {
        this.#pump = new Pump(this, (body as Iterable<unknown>)[Symbol.iterator]());
        return this.#pump.pull();
      }
      if (!(Symbol.asyncIterator in body)) throw notABody(body, this.#gateway.app);
      this.#pump = new Pump(this, (body as AsyncIterable<unknown>)[Symbol.asyncIterator]());
      void this.#pump.pullAsync(); // which never rejects
    } catch (error) {
      this.fail(error);
    }
  }

  /** Sends an array as the body. Its length in bytes is known before anything is sent. */
  #respondArray(chunks: unknown[]): void {
    this.#requireStart();
    this.#whole = true;
    if (chunks.length === 1 && this.#unawaited === 0) {
      const block = blockOctets(chunks[0], "The body");
      this.#autoLength = block.length;
      this.#sendBlock(block);
      return this.complete();
    }
    const blocks = chunks.map((chunk) => blockOctets(chunk, "The body"));
    this.#autoLength = blocks.reduce((sum, block) => sum + block.length, 0);
    this.#pump = new Pump(this, blocks.values());
    this.#pump.pull();
  }

  // Calls by the pump.

  /** Whether `write()` has sent more than the client takes, so that no block may be pulled yet. */
  get isWaiting(): boolean {
    return this.#unawaited > 0;
  }

  /** Calls `resume` when output is below the high-water mark. */
  whenDrained(resume: () => void): void {
    (this.#waiters ??= []).push(resume);
  }

  /** Whether this turn of the event loop has used its share. */
  turnIsOver(): boolean {
    if (this.#turnBytes < TURN_BYTES) return false;
    this.#turnBytes = 0;
    return true;
  }

  /** Calls `resume` in a later turn of the event loop. */
  nextTurn(resume: () => void): void {
    this.#gateway.turn(resume);
  }

  /** Sends a block of the body, and says whether to pull another. */
  take(chunk: unknown): Verdict {
    if (this.#exchange === undefined) return STOP; // the application failed the response while producing the block
    this.#requireStart();
    return this.#sendBlock(blockOctets(chunk, "The body"));
  }

  // Sending.

  #sendBlock(block: Octets): Verdict {
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
  #turnAfter(block: Octets): Promise<void> | undefined {
    this.#turnBytes += Math.max(block.length, BLOCK_COST);
    return this.turnIsOver() ? new Promise((resolve) => this.nextTurn(resolve)) : undefined;
  }

  #requireStart(): void {
    if (this.#head === undefined) throw new StartResponseError(NOT_CALLED);
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

  // The endings.

  /** Ends a response whose body is exhausted. */
  complete(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return this.release();
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
    this.release();
  }

  /** Ends a response with an error. */
  fail(error: unknown): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (exchange === undefined) {
      if (error !== this.#failure && this.#departure?.explains(error) !== true) this.#log(errorText(error));
    } else {
      this.#failure = error;
      const status = statusOf(error);
      this.#log(status.startsWith("500") ? errorText(error) : `${status}: ${(error as Error).message}`);
      try {
        if (!this.#headSent) refuse(this.#gateway, exchange, status, error, this.#environ);
        else if (this.#remaining === 0) exchange.end(); // the body is complete by its Content-Length
        else exchange.abort(error);
      } catch (second) {
        this.#log(errorText(second)); // an error of the transport: the body is closed anyway
      }
    }
    this.release();
  }

  /** Stops the iterator if it is not exhausted, then calls `close()`. Acts once, and not while the application runs. */
  release(): void {
    if (this.#released || this.#inside || this.#pump?.inside === true || !this.#returned) return;
    this.#released = true;
    if (this.#whole && !hasClose(this.#body)) return this.#gateway.closed?.();
    const stop = (): unknown => this.#pump === undefined ? cancelled(this.#body) : this.#pump.stop();
    const failed = (error: unknown, where: string): void => {
      if (this.#departure?.explains(error) !== true) this.#log(`${where}${errorText(error)}`);
    };
    closeBody(this.#body, stop, failed, () => this.#gateway.closed?.());
  }

  #log(text: string): void {
    this.#gateway.errors.write(requestReport(this.#method, this.#uri, text));
  }
}
