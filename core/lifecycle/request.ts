/**
 * The life of a request, from its head to the end of its response, on every wire.
 *
 * A wire finds the head of a request and calls `open` and `run`. It passes the bytes of the body to `feed`, and the end of
 * the input to `inputEnded`. It reports the end of the response with `responded`, and the end of the client with
 * `departed`. From these calls the lifecycle fills `wsgi.input`, checks the time-outs of body and response at each tick,
 * and tells the application when the client leaves.
 *
 * A wire whose requests come one after another has one object, and reuses it with `next`. A wire that carries several
 * requests at a time has an object for each.
 *
 * @module
 */

import {
  type BodySource,
  BodyTimeoutError,
  InputClosedError,
  InputError,
  RequestBody,
  TruncatedBodyError,
} from "../contract/request_body.ts";
import type { Environ } from "../contract/types.ts";
import { RequestTimeoutError } from "../gateway/gateway.ts";
import { Invocation } from "../gateway/invocation.ts";
import type { Exchange } from "../seams.ts";
import type { BodyDecoder } from "./body_decoder.ts";
import { BodyRate, type BodyRateRules, Stopwatch } from "./progress.ts";
import * as State from "./states.ts";
import type { LifecycleConfig } from "./config.ts";

const INPUT_MARK = 65536; // bytes of a body that may wait for the application before a wire stops reading

/** Bytes of an unread body that are read and dropped, so that the connection or the response can be kept. */
export const DRAIN_LIMIT = 262144;

/**
 * Most seconds that a connection reads the unread rest of a body, whatever `bodyTimeout` is; then it ends. With a
 * time-out for the next byte alone, a client could hold the connection by sending a byte now and then.
 */
export const DRAIN_TIME = 30;

/** A request, or a sequence of requests. */
export class RequestLifecycle {
  readonly #config: LifecycleConfig;
  readonly #source: BodySource;
  #state: State.RequestState = State.HEAD;
  #invocation: Invocation | undefined;
  #body: RequestBody | undefined;
  #decoder: BodyDecoder | undefined;
  #begun = false; // bytes of the body have arrived
  #count = 0; // of requests, for the stopwatches
  #received = 0; // bytes of all bodies
  #drained = 0; // of them, dropped after the response
  #clientEnded = false;
  #emptyBlocks = 0; // number that the application had yielded when the client's FIN came
  #input: Stopwatch | undefined; // created by the first tick, which most FastCGI requests never reach
  #response: Stopwatch | undefined;
  #rate: BodyRate | undefined;

  /** A life whose request bodies ask `source` for more bytes. */
  constructor(config: LifecycleConfig, source: BodySource) {
    this.#config = config;
    this.#source = source;
  }

  /** The state of the request. */
  get state(): State.RequestState {
    return this.#state;
  }

  /** Number of requests so far. */
  get count(): number {
    return this.#count;
  }

  /** Whether the application has been called and its response has not ended. */
  get running(): boolean {
    return this.#invocation !== undefined;
  }

  /** Whether bytes of the body have arrived. */
  get bodyBegun(): boolean {
    return this.#begun;
  }

  /** Bytes of the body that are still to come; null if the number is not known, 0 without a body. */
  get expected(): number | null {
    return this.#decoder === undefined ? 0 : this.#decoder.expected;
  }

  /** Whether the body has buffered as much as may wait for the application. */
  get isFull(): boolean {
    const body = this.#body;
    return this.#state === State.BODY && body !== undefined && !body.awaited && body.buffered >= INPUT_MARK;
  }

  // The request.

  /** The head is complete. The body is read with `decoder`; undefined if there is none. For `given` see RequestBody. */
  open(decoder: BodyDecoder | undefined, given: boolean): void {
    this.#count++;
    this.#begun = false;
    this.#drained = 0;
    this.#decoder = decoder;
    this.#body = decoder === undefined ? RequestBody.empty() : new RequestBody(this.#source, given);
    this.#move(decoder === undefined ? State.REQUEST : State.REQUEST_WITH_BODY);
  }

  /** Calls the application, whose response goes to `exchange`. */
  run(exchange: Exchange, environ: Environ): void {
    const invocation = new Invocation(this.#config.gateway, exchange, environ, this.#body as RequestBody);
    this.#invocation = invocation;
    invocation.clientEnded = this.#clientEnded; // the client of a pipelined request may have sent FIN before
    invocation.run();
  }

  /** Takes bytes of the body from `bytes[start, end)`, and returns the index behind them. */
  feed(bytes: Uint8Array, start: number, end: number): number {
    const decoder = this.#decoder as BodyDecoder;
    this.#begun = true;
    let at: number;
    try {
      at = decoder.decode(bytes, start, end, this.#body as RequestBody);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.fail(error);
      return end;
    }
    this.#received += at - start;
    if (decoder.expected === 0) this.#complete();
    else if (this.#state === State.DRAIN && (this.#drained += at - start) > DRAIN_LIMIT) this.#move(State.BODY_BROKEN);
    return at;
  }

  #complete(): void {
    this.#move(State.BODY_END);
    this.#body?.finish();
  }

  /** The client sends no more bytes. Returns whether nothing follows: no response runs, and none can begin. */
  inputEnded(): boolean {
    if (this.#state === State.BODY) {
      if (this.#decoder?.endsWithInput === true) this.#complete();
      else {
        const missing = this.expected === null ? "" : `${this.expected} bytes `;
        this.fail(new TruncatedBodyError(`The request body ended ${missing}before its declared end`));
      }
    }
    return this.#state === State.HEAD || this.#state === State.DRAIN;
  }

  /** The body will never be complete. Does nothing if it is, or has failed before. */
  fail(error: InputError): void {
    if (this.#state !== State.BODY && this.#state !== State.DRAIN) return;
    this.#move(State.BODY_BROKEN);
    this.#body?.fail(error);
  }

  // The response.

  /** Output is below the high-water mark again. */
  drained(): void {
    this.#invocation?.drained();
  }

  /** The response has ended: later reads of `wsgi.input` throw `reason`. */
  responded(reason: string): void {
    this.#invocation = undefined;
    this.#move(State.RESPONSE_END);
    this.#body?.discard(reason);
  }

  /** The socket goes to another protocol: there is no response to report. */
  upgraded(): void {
    this.#invocation = undefined;
    this.#move(State.RESPONSE_END);
  }

  /** Waits for the head of another request. */
  next(): void {
    this.#move(State.NEXT);
  }

  /**
   * The client has sent FIN. Before the response head that is a half-close, and the request is served.
   *
   * @returns whether it means that the client left, because the body of the response is under way.
   */
  clientEnded(): boolean {
    this.#clientEnded = true;
    this.#emptyBlocks = this.#invocation?.emptyBlocks ?? 0;
    if (this.#invocation === undefined) return false;
    this.#invocation.clientEnded = true;
    return this.#invocation.streaming;
  }

  /** The client has left: ends the request. */
  departed(reason: string): void {
    const invocation = this.#invocation;
    this.#invocation = undefined;
    this.#move(State.DEPARTURE);
    this.#body?.fail(new InputClosedError(reason));
    invocation?.departed();
  }

  // The clock.

  /**
   * Checks the time-outs of body and response.
   *
   * @param now The clock of the tick.
   * @param paused Whether the wire reads nothing from the client, so that the client cannot be late.
   * @returns whether the client has probably left: after its FIN the iterator yields only empty blocks, so that no failing
   *   write shows that the client is gone, and the iterator would run for ever.
   */
  tick(now: number, paused: boolean): boolean {
    const { requestTimeout, bodyTimeout } = this.#config;
    const running = (this.#response ??= new Stopwatch()).waited(now, this.running ? 1 : 0, this.#count);
    if (running >= requestTimeout * 1000) {
      this.#invocation?.expired(new RequestTimeoutError(`No response within ${requestTimeout} s`));
    }
    const awaited = this.#state === State.BODY && !paused && this.#body?.awaited === true;
    const waits = awaited || this.#state === State.DRAIN;
    const progress = this.#state === State.DRAIN ? this.#count : this.#received;
    const waited = (this.#input ??= new Stopwatch()).waited(now, waits ? this.#state : State.OVER, progress);
    if (this.#state === State.DRAIN && waited >= Math.min(bodyTimeout, DRAIN_TIME) * 1000) {
      this.#move(State.BODY_BROKEN);
    } else if (awaited && waited >= bodyTimeout * 1000) {
      this.fail(new BodyTimeoutError(`No byte of the request body came for ${bodyTimeout} s`));
    }
    return this.#clientEnded && (this.#invocation?.emptyBlocks ?? 0) > this.#emptyBlocks + 1;
  }

  /**
   * Checks the time for the rest of the head, on wires where several heads arrive at a time.
   *
   * @returns the seconds that were exceeded, or 0.
   */
  lateHead(now: number, paused: boolean): number {
    const { headerTimeout } = this.#config;
    const waited = (this.#input ??= new Stopwatch()).waited(now, paused ? State.OVER : State.HEAD, 0);
    return !paused && waited >= headerTimeout * 1000 ? headerTimeout : 0;
  }

  /** Fails a body that arrives too slowly. Called at each tick by wires that read from the client itself. */
  checkRate(now: number, paused: boolean, rules: BodyRateRules): void {
    if (this.#state !== State.BODY) return;
    const awaited = this.#body?.awaited === true && !paused;
    if (!(this.#rate ??= new BodyRate(rules)).tooSlow(now, this.#count, this.#received, awaited)) return;
    this.fail(new BodyTimeoutError(`The request body came at less than ${rules.minBodyRate} bytes a second`));
  }

  #move(event: State.RequestEvent): void {
    this.#state = State.after(State.REQUEST_TRANSITIONS, this.#state, event);
  }
}
