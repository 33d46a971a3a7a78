/**
 * A connection that carries one request, without I/O of its own. SCGI, uwsgi and the standard streams of a CGI script
 * use it.
 *
 * A decoder reads the variables of the request from the first bytes. The next CONTENT_LENGTH bytes are the body. Then the
 * response is sent and the connection ends. The reading side is in one of these phases:
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
 * Bytes of an unread body that a script reads before it ends. With mod_cgid, input and output are one socket: if unread
 * input is left in it when the process ends, the client loses the response.
 */
const DRAIN_LIMIT = 262144;
/** More bytes than any body has: the initial #remaining of a body that ends where standard input ends. */
const OPEN_END = 2 ** 52;

/** Reads the variables of a request from a stream of bytes. */
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

/** The parts in which the wires with one request per connection differ. */
export interface OneRequestWire {
  /** Creates the decoder of a connection. Absent if the variables come in another way: see `OneRequestConnection.start`. */
  decoder?(config: WireConfig): VariablesDecoder;
  /** The format of its response heads. */
  readonly format: (config: WireConfig) => HeadFormat;
  /** Whether it is a CGI script, which the other side addresses by its path. */
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
  #remaining = 0; // bytes of the body that have not arrived; with an open end the most that may arrive
  #open = false; // the body has no declared length and ends where standard input ends
  #drainable = DRAIN_LIMIT;
  #drainTimer: ReturnType<typeof setTimeout> | undefined;
  #called = false;
  #failed = false;
  #paused = false;
  #stopping = false;
  #peerEnded = false;
  #emptyBlocks = 0; // number that the application had yielded when FIN came
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

  // Calls by the host and the server.

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
    // A FIN before the response head is a half-close: the request is served. During the body it means that the client left.
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
    // A connection has only one request anyway.
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
    // As in HTTP: an iterator that yields only empty blocks after FIN would run for ever. This does not apply to a script:
    // its standard input ends after each body whatever the client does, and its web server ends the script by a signal.
    const given = this.#invocation?.emptyBlocks ?? 0;
    if (this.#peerEnded && !this.#rules.script && given > this.#emptyBlocks + 1) this.#cut();
  }

  /** The progress of the input that the connection waits for, and the seconds that the other side has for more. */
  #awaited(): [progress: number, seconds: number] {
    const config = this.#config;
    switch (this.#phase) {
      case HEAD:
        // The time-out runs from the start of the connection, also while no byte has arrived.
        return this.#stopping && this.#decoder?.begun !== true ? [1, config.drainIdle] : [0, config.headerTimeout];
      case BODY:
        return [this.#remaining, this.#body.awaited ? config.bodyTimeout : Infinity];
      case LINGER:
        // The time for the other side to read the response begins only when our FIN has been sent.
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

  // Calls by the request body and the exchange.

  /** The application waits for bytes of the body. */
  wanted(): void {
    this.#regulate();
  }

  responded(own: boolean): void {
    this.#failed = !own;
    this.#invocation = undefined;
    this.#body.discard("the response has ended");
    if (this.#rules.script && this.#phase === BODY) {
      this.#phase = DRAIN;
      // A script gets no ticks, so this needs a timer. Its web server limits the time of everything else.
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

  // Processing of a request.

  /** Begins with variables that come in another way: from the process environment of a CGI script. */
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

  /** Calls the application, once the variables are complete. */
  #begin(variables: Variables): void {
    const { gateway, template } = this.#config;
    this.#variables = variables;
    this.#headOnly = variables.get("REQUEST_METHOD") === "HEAD";
    const { environ, contentLength } = cgiRequest(this.#local(template), variables, this.#rules);
    // Apache decodes a chunked body, states no length, and ends standard input after it.
    this.#open = contentLength === null && this.#rules.script && variables.get("HTTP_TRANSFER_ENCODING") !== "";
    this.#remaining = this.#open ? Math.min(this.#rules.limitRequestBody + 1, OPEN_END) : contentLength ?? 0;
    if (this.#remaining > 0) this.#body = new RequestBody(this, this.#transport.givesInput);
    this.#phase = this.#remaining > 0 ? BODY : WAIT;
    this.#invocation = new Invocation(gateway, this.#exchange, environ, this.#body);
    this.#called = true;
    this.#invocation.run();
  }

  /** The template with our own address, for a front end that does not send the name and port of the server. */
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

  /** Handles a protocol error or an internal one. */
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

  /** Sends the server's own error response. */
  #refuse(status: string): void {
    this.#exchange.refuse(status);
    const { gateway, template } = this.#config;
    logRefusal(gateway, status, () => knownEnviron(this.#local(template), this.#variables));
  }

  /** Pauses reading while the application is behind with its input, and resumes it. */
  #regulate(): void {
    const full = this.#phase === BODY && !this.#body.awaited && this.#body.buffered >= INPUT_MARK;
    const pause = full || (this.#rules.script && this.#phase === WAIT); // there is nothing after the body on standard input
    if (pause === this.#paused || this.#phase > DRAIN) return;
    this.#paused = pause;
    if (pause) this.#transport.pause();
    else this.#transport.resume();
  }

  /** Sends the buffered output, then FIN, and waits for the FIN of the peer. */
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
