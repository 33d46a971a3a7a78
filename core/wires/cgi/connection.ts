/**
 * A connection that carries one request, sans I/O: the shape of SCGI, of uwsgi, and of a CGI script's standard streams.
 *
 * A decoder takes the request's variables out of the first bytes; CONTENT_LENGTH bytes behind them are the body; the
 * response goes out, and the connection ends. The reading side is in one of these phases:
 *
 *     phase   arriving bytes are                   leaves for
 *     HEAD    decoded into variables               BODY or WAIT when they are complete; LINGER when refused
 *     BODY    put into wsgi.input                  WAIT at the end of the body, or when it is cut off
 *     WAIT    dropped: the response still runs     LINGER when it has ended
 *     DRAIN   dropped: a script's body, unread     LINGER at its end, after DRAIN_LIMIT, or after DRAIN_TIME
 *     LINGER  dropped: we have sent FIN            CLOSED when the peer has too, or after LINGER_TIME
 *     CLOSED  dropped                              -
 *
 * @module
 */

import { type EnvironTemplate, localTemplate } from "../../contract/environ.ts";
import { errorText } from "../../errors.ts";
import { logRefusal } from "../../gateway/access_log.ts";
import { RequestTimeoutError } from "../../gateway/gateway.ts";
import { Invocation } from "../../gateway/invocation.ts";
import {
  type BodySource,
  BodyTimeoutError,
  BodyTooLargeError,
  InputClosedError,
  RequestBody,
  TruncatedBodyError,
} from "../../contract/request_body.ts";
import { Refusal, REQUEST_TIMEOUT } from "../../refusal.ts";
import type { Transport } from "../../seams.ts";
import { Stopwatch } from "../stopwatch.ts";
import { DRAIN_TIME, INPUT_MARK, LINGER_TIME, type WireConfig, type WireConnection } from "../wire.ts";
import { cgiRequest, type CgiRules, knownEnviron } from "./environ.ts";
import { type ExchangeOwner, type HeadFormat, StreamExchange } from "./exchange.ts";
import type { Variables } from "./variables.ts";

const HEAD = 0;
const BODY = 1;
const WAIT = 2;
const DRAIN = 3;
const LINGER = 4;
const CLOSED = 5;

/**
 * Bytes of an unread body that a script takes before it ends: with mod_cgid, input and output are one socket, and what
 * is left in it when the process ends costs the client the response.
 */
const DRAIN_LIMIT = 262144;
/** More than any body has: what is left of one whose end is that of standard input. */
const OPEN_END = 2 ** 52;

/** Takes the variables of a request out of a stream of bytes. */
export interface VariablesDecoder {
  /** Whether bytes of the request have arrived. */
  readonly begun: boolean;
  /** The variables, once they are complete. */
  readonly complete: Variables | undefined;
  /**
   * Decodes from `bytes[start, end)` and returns the index behind what was consumed.
   *
   * @throws {Refusal} when the bytes break the rules of the protocol.
   */
  decode(bytes: Uint8Array, start: number, end: number): number;
}

/** What is the wire's own. */
export interface OneRequestWire {
  /** A decoder for a connection; none where the variables come another way: see `OneRequestConnection.start`. */
  decoder?(config: WireConfig): VariablesDecoder;
  /** How its responses look. */
  readonly format: (config: WireConfig) => HeadFormat;
  /** Whether the other side addresses a program by its path, as in CGI. */
  readonly script: boolean;
}

/** A connection for one request. */
export class OneRequestConnection implements WireConnection, BodySource, ExchangeOwner {
  readonly #transport: Transport;
  readonly #config: WireConfig;
  readonly #decoder: VariablesDecoder | undefined;
  readonly #rules: CgiRules;
  readonly #exchange: StreamExchange;
  #phase: number = HEAD;
  #variables: Variables | undefined; // once they are complete
  #invocation: Invocation | undefined;
  #body: RequestBody = RequestBody.empty();
  #remaining = 0; // bytes of the body that have not arrived; with an open end, that may
  #open = false; // the body ends where standard input does
  #drainable = DRAIN_LIMIT;
  #drainTimer: ReturnType<typeof setTimeout> | undefined;
  #called = false;
  #failed = false;
  #paused = false;
  #stopping = false;
  #peerEnded = false;
  #emptyBlocks = 0; // that the application had given when FIN came
  #headOnly = false;
  readonly #input: Stopwatch = new Stopwatch();
  readonly #output: Stopwatch = new Stopwatch();
  readonly #response: Stopwatch = new Stopwatch();

  /** A connection over `transport`. */
  constructor(transport: Transport, config: WireConfig, wire: OneRequestWire) {
    this.#transport = transport;
    this.#config = config;
    this.#decoder = wire.decoder?.(config);
    this.#rules = { scriptName: config.scriptName, limitRequestBody: config.limitRequestBody, script: wire.script };
    this.#exchange = new StreamExchange(transport, this, wire.format(config));
  }

  /** Whether the request is for the head alone. */
  get headOnly(): boolean {
    return this.#headOnly;
  }

  // What the host tells.

  receive(bytes: Uint8Array): void {
    try {
      const at = this.#phase === HEAD ? this.#decode(bytes) : 0;
      if (this.#phase === BODY) this.#fill(bytes, at);
      else if (this.#phase === DRAIN) this.#drain(bytes.length);
    } catch (error) {
      this.#broken(error);
    }
  }

  drained(): void {
    this.#invocation?.drained();
  }

  ended(): void {
    this.#peerEnded = true;
    this.#emptyBlocks = this.#invocation?.emptyBlocks ?? 0;
    if (this.#phase === HEAD || this.#phase === DRAIN) return this.#finish();
    if (this.#phase === BODY && this.#open) {
      this.#body.finish();
      this.#phase = WAIT;
    } else if (this.#phase === BODY) {
      this.#body.fail(
        new TruncatedBodyError(`The request body ended ${this.#remaining} bytes before its declared end`),
      );
      this.#phase = WAIT;
    }
    // FIN before the head is half-close, and served; while a body is being made it is departure.
    if (this.#invocation?.streaming === true) this.#cut();
  }

  closed(error?: unknown): void {
    if (this.#phase === CLOSED) return;
    this.#phase = CLOSED;
    clearTimeout(this.#drainTimer);
    if (error !== undefined) this.#failed = true; // not all that was written has been sent
    const invocation = this.#invocation;
    this.#invocation = undefined;
    if (invocation !== undefined) this.#body.fail(new InputClosedError("The client closed the connection"));
    invocation?.departed();
    this.#config.forget(this);
  }

  turnAway(status: string): void {
    this.#refuse(status);
  }

  serveOne(): void {
    // There never is another one.
  }

  get idleOrder(): number {
    return 0; // it is never between two requests
  }

  retire(): void {
    this.#finish();
  }

  shutdown(): void {
    this.#stopping = true; // see #awaited
  }

  tick(now: number): void {
    const config = this.#config;
    const waiting = this.#transport.buffered;
    const stalled = this.#output.waited(now, waiting > 0 ? 1 : 0, this.#exchange.written - waiting);
    if (waiting > 0 && stalled >= config.writeTimeout * 1000) return this.#transport.reset();
    const running = this.#response.waited(now, this.#invocation === undefined ? 0 : 1, 0);
    if (running >= config.requestTimeout * 1000) {
      this.#invocation?.expired(new RequestTimeoutError(`No response within ${config.requestTimeout} s`));
    }
    const [progress, seconds] = this.#awaited();
    if (this.#input.waited(now, this.#phase, progress) >= seconds * 1000) this.#late(seconds);
    // As in HTTP: an iterator that gives nothing but empty blocks after FIN would run for ever. A script's standard input
    // ends behind each body and tells nothing of the client; its web server ends the script by a signal.
    const given = this.#invocation?.emptyBlocks ?? 0;
    if (this.#peerEnded && !this.#rules.script && given > this.#emptyBlocks + 1) this.#cut();
  }

  /** How far the other side is with what it has to send now, and how many seconds it has for more. */
  #awaited(): [progress: number, seconds: number] {
    const config = this.#config;
    switch (this.#phase) {
      case HEAD:
        // The request is awaited from the beginning, also while nothing of it has come.
        return this.#stopping && this.#decoder?.begun !== true ? [1, config.drainIdle] : [0, config.headerTimeout];
      case BODY:
        return [this.#remaining, this.#body.awaited ? config.bodyTimeout : Infinity];
      case LINGER:
        // Only once our FIN is out has the other side its time to read what was sent.
        return this.#transport.buffered > 0 ? [1, Infinity] : [0, LINGER_TIME];
      default:
        return [0, Infinity];
    }
  }

  #late(seconds: number): void {
    if (this.#phase === LINGER) return this.#transport.destroy();
    if (this.#phase === BODY) {
      this.#body.fail(new BodyTimeoutError(`No byte of the request body came for ${seconds} s`));
      this.#phase = WAIT;
    } else if (this.#decoder?.begun === true) {
      this.#broken(new Refusal(REQUEST_TIMEOUT, `a request head took longer than ${seconds} s`));
    } else {
      this.#finish();
    }
  }

  // What the application causes.

  /** It waits for body bytes. */
  wanted(): void {
    this.#regulate();
  }

  responded(own: boolean): void {
    this.#failed = !own;
    this.#invocation = undefined;
    this.#body.discard("the response has ended");
    if (this.#rules.script && this.#phase === BODY) {
      this.#phase = DRAIN;
      // A script has no ticks: it serves one request, and its web server bounds the rest.
      const seconds = Math.min(this.#config.bodyTimeout, DRAIN_TIME);
      this.#drainTimer = setTimeout(() => this.#finish(), seconds * 1000);
      this.#regulate();
    } else {
      this.#finish();
    }
  }

  cut(flush: boolean): void {
    this.#failed = true;
    this.#invocation = undefined;
    this.#body.discard("the response has failed");
    if (flush) this.#finish();
    else this.#cut();
  }

  /** Whether the application was called. */
  get called(): boolean {
    return this.#called;
  }

  /** Whether the response was cut short, or is a refusal, or could not be sent. */
  get failed(): boolean {
    return this.#failed;
  }

  // The way of a request.

  /** Begins with variables that come another way: from the process environment of a CGI script. */
  start(variables: () => Variables): void {
    try {
      this.#begin(variables());
      this.#regulate();
    } catch (error) {
      this.#broken(error);
    }
  }

  #decode(bytes: Uint8Array): number {
    const decoder = this.#decoder as VariablesDecoder;
    const at = decoder.decode(bytes, 0, bytes.length);
    if (decoder.complete !== undefined) this.#begin(decoder.complete);
    return at;
  }

  /** The variables are complete: calls the application. */
  #begin(variables: Variables): void {
    const { gateway, template } = this.#config;
    this.#variables = variables;
    this.#headOnly = variables.get("REQUEST_METHOD") === "HEAD";
    const { environ, contentLength } = cgiRequest(this.#local(template), variables, this.#rules);
    // Apache takes a body out of its chunks, gives no length, and ends standard input behind it.
    this.#open = contentLength === null && this.#rules.script && variables.get("HTTP_TRANSFER_ENCODING") !== "";
    this.#remaining = this.#open ? Math.min(this.#rules.limitRequestBody + 1, OPEN_END) : contentLength ?? 0;
    if (this.#remaining > 0) this.#body = new RequestBody(this, this.#transport.givesInput);
    this.#phase = this.#remaining > 0 ? BODY : WAIT;
    this.#invocation = new Invocation(gateway, this.#exchange, environ, this.#body);
    this.#called = true;
    this.#invocation.run();
  }

  /** The template for a front end that does not say which server was asked. */
  #local(template: EnvironTemplate): EnvironTemplate {
    return localTemplate(template, this.#transport.peer);
  }

  #fill(bytes: Uint8Array, at: number): void {
    const end = Math.min(bytes.length, at + this.#remaining);
    this.#remaining -= end - at;
    this.#body.push(bytes, at, end);
    if (this.#remaining === 0) {
      this.#phase = WAIT;
      if (this.#open) {
        this.#body.fail(new BodyTooLargeError(`A body of more than ${this.#rules.limitRequestBody} bytes`));
      } else this.#body.finish();
    }
    this.#regulate();
  }

  #drain(length: number): void {
    this.#remaining -= length;
    this.#drainable -= length;
    if (this.#remaining <= 0 || this.#drainable <= 0) this.#finish();
  }

  /** Something the other side sent broke a rule, or this code did. */
  #broken(error: unknown): void {
    const client = this.#transport.peer.remoteAddress || "client";
    const { errors } = this.#config.gateway;
    if (error instanceof Refusal) {
      errors.write(`tsgi: refused a request from ${client}: ${error.status}: ${error.message}\n`);
      this.#refuse(error.status);
    } else {
      errors.write(`tsgi: connection from ${client}: ${errorText(error)}\n`);
      this.#failed = true;
      this.#cut();
    }
  }

  /** Answers in the application's place. */
  #refuse(status: string): void {
    this.#exchange.refuse(status);
    const { gateway, template } = this.#config;
    logRefusal(gateway, status, () => knownEnviron(this.#local(template), this.#variables));
  }

  /** Reads from the other side, or stops: while the application is behind with its input. */
  #regulate(): void {
    const full = this.#phase === BODY && !this.#body.awaited && this.#body.buffered >= INPUT_MARK;
    const pause = full || (this.#rules.script && this.#phase === WAIT); // standard input has nothing behind the body
    if (pause === this.#paused || this.#phase > DRAIN) return;
    this.#paused = pause;
    if (pause) this.#transport.pause();
    else this.#transport.resume();
  }

  /** Sends FIN behind what is buffered, and waits for that of the peer. */
  #finish(): void {
    if (this.#phase >= LINGER) return;
    clearTimeout(this.#drainTimer);
    this.#phase = LINGER;
    this.#transport.end(); // it reads on
  }

  /** Cuts the socket; `closed` follows. */
  #cut(): void {
    if (this.#phase >= LINGER) return;
    this.#phase = LINGER;
    this.#transport.reset();
  }
}
