/**
 * One HTTP/1.1 connection, without I/O of its own: bytes in, calls of the application, bytes out (RFC 9112 9).
 *
 * The reading side is in one of these phases. Independently, a response may be running: then there is an invocation.
 *
 *     phase     arriving bytes are                     leaves for
 *     HEAD      parsed as a request head               BODY or WAIT when a head is complete; LINGER when refused
 *     BODY      decoded into wsgi.input                WAIT at the end of the body, or when it breaks;
 *                                                      DRAIN when the response ends first
 *     WAIT      held: the response still runs          HEAD when the response ends and the connection persists
 *     DRAIN     decoded and dropped, up to a bound     HEAD at the end of the body; LINGER past the bound, in bytes
 *                                                      or in time
 *     LINGER    dropped: we have sent FIN              CLOSED when the peer has too, or after LINGER_TIME
 *     UPGRADED  none: another protocol has the socket  -
 *     CLOSED    dropped                                -
 *
 * Only one response runs at a time, so pipelined responses are always in order. Requests that arrive while it runs, or
 * while the client does not read its responses, are held as bytes; at HELD_LIMIT the transport is paused. `#advance` is
 * the only loop over arrived bytes and never runs nested: calls of the application only change the phase.
 *
 * @module
 */

import type { EnvironTemplate } from "../../contract/environ.ts";
import { connectionTemplate } from "../../contract/environ.ts";
import { logRefusal } from "../../gateway/access_log.ts";
import { errorText } from "../../errors.ts";
import { RequestTimeoutError } from "../../gateway/gateway.ts";
import { Invocation } from "../../gateway/invocation.ts";
import {
  type BodySource,
  BodyTimeoutError,
  InputClosedError,
  InputError,
  RequestBody,
  TruncatedBodyError,
} from "../../contract/request_body.ts";
import type { Connection, RawSocket, Transport } from "../../seams.ts";
import { DRAIN_TIME, INPUT_MARK, LINGER_TIME, nextIdle, type WireConnection } from "../wire.ts";
import { Stopwatch } from "../stopwatch.ts";
import { RawTransport } from "../raw_socket.ts";
import type { Http1Config } from "./config.ts";
import { BodyRate } from "./body_rate.ts";
import { type BodyDecoder, ChunkedDecoder, LengthDecoder } from "./body_decoder.ts";
import { type ExchangeOwner, Http1Exchange } from "./exchange.ts";
import { HeadModels } from "./head_models.ts";
import { HeadParser } from "./head_parser.ts";
import { Refusal, REQUEST_TIMEOUT } from "../../refusal.ts";
import { RequestHead } from "./request_head.ts";

const HEAD = 0;
const BODY = 1;
const WAIT = 2;
const DRAIN = 3;
const LINGER = 4;
const UPGRADED = 5;
const CLOSED = 6;

const HELD_LIMIT = 65536; // bytes of pipelined requests that may wait for a response before reading stops
const EARLY_BODY = 16384; // bytes of a body that are copied before the application has asked for them
const DRAIN_LIMIT = 262144; // bytes of an unread body that are read and dropped to keep a connection

/** The input that a connection waits for. */
const NOTHING_NOW = 0;
const HEAD_END = 1;
const BODY_BYTES = 2;
const NEXT_REQUEST = 3;
const LAST_REQUEST = 4;
const FIN = 5;
const BODY_END = 6;
const NO_BYTES = new Uint8Array(0);

/** A connection that speaks HTTP/1.1. */
export class Http1Connection implements WireConnection, BodySource, ExchangeOwner {
  readonly #transport: Transport;
  readonly #config: Http1Config;
  readonly #parser: HeadParser;
  readonly #exchange: Http1Exchange;
  readonly #template: EnvironTemplate;
  #phase: number = HEAD;
  #request: RequestHead | undefined;
  #invocation: Invocation | undefined;
  #body: RequestBody | undefined;
  #decoder: BodyDecoder | undefined;
  #bodyBegun = false; // bytes of the body have arrived
  #continued = false; // 100 Continue has been sent
  #requests = 0;
  #maxRequests: number;
  #bodyBytes = 0; // of all requests; the progress for the time-out of a body
  #drained = 0;
  #idleOrder = 0;
  #emptyBlocks = 0; // number that the application had yielded when the client's FIN came
  #held: Uint8Array = NO_BYTES; // bytes that wait, as a copy
  #bytes: Uint8Array = NO_BYTES; // bytes that #advance is working on, lent or held
  #at = 0;
  #advancing = false;
  #paused = false;
  #peerEnded = false;
  #stopping = false; // the current request is the last one
  readonly #input: Stopwatch = new Stopwatch();
  readonly #output: Stopwatch = new Stopwatch();
  readonly #response: Stopwatch = new Stopwatch();
  #rate: BodyRate | undefined; // created by the first tick that finds a body in progress

  /** A connection over `transport`; the connections of a server share `models`. */
  constructor(transport: Transport, config: Http1Config, models?: HeadModels) {
    this.#transport = transport;
    this.#config = config;
    this.#maxRequests = config.maxRequestsPerConnection;
    this.#parser = new HeadParser(config, config.latin1, models);
    this.#exchange = new Http1Exchange(transport, this, config.serverHeader);
    this.#template = connectionTemplate(config.template, transport.peer);
  }

  // Calls by the host and the server.

  receive(bytes: Uint8Array): void {
    if (this.#phase >= LINGER) return;
    if (this.#held.length > 0 || this.#mustWait()) this.#hold(bytes);
    else this.#advance(bytes);
  }

  drained(): void {
    this.#exchange.drained();
    this.#invocation?.drained();
    if (this.#phase === HEAD) this.#goOn();
  }

  ended(): void {
    this.#peerEnded = true;
    this.#emptyBlocks = this.#invocation?.emptyBlocks ?? 0;
    if (this.#held.length === 0) this.#noMoreInput();
    this.#departIfStreaming();
  }

  closed(): void {
    if (this.#phase === CLOSED) return;
    this.#phase = CLOSED;
    this.#held = NO_BYTES;
    const invocation = this.#invocation;
    this.#invocation = undefined;
    if (invocation !== undefined) this.#body?.fail(new InputClosedError("The client closed the connection"));
    invocation?.departed();
    this.#config.forget(this);
  }

  turnAway(status: string): void {
    this.#refuse(status, new RequestHead());
  }

  get idleOrder(): number {
    const idle = this.#phase === HEAD && this.#requests > 0 && !this.#parser.begun && this.#held.length === 0 &&
      this.#transport.buffered === 0;
    return idle ? this.#idleOrder : 0;
  }

  retire(): void {
    this.#finish();
  }

  serveOne(): void {
    this.#maxRequests = 1;
  }

  shutdown(): void {
    // A client that expects the connection to persist may send one more request within drainIdle: see #awaited.
    this.#stopping = true;
  }

  tick(now: number): void {
    const config = this.#config;
    const taken = this.#exchange.written - this.#transport.buffered;
    const stalled = this.#output.waited(now, this.#transport.buffered > 0 ? 1 : 0, taken);
    if (this.#transport.buffered > 0 && stalled >= config.writeTimeout * 1000) return this.#transport.reset();
    const running = this.#response.waited(now, this.#invocation === undefined ? 0 : 1, this.#requests);
    if (running >= config.requestTimeout * 1000) {
      this.#invocation?.expired(new RequestTimeoutError(`No response within ${config.requestTimeout} s`));
    }
    this.#tickInput(now);
    // A FIN before the response head is a half-close. But if the iterator yields only empty blocks after it, no write can
    // fail and show that the client is gone: the iterator would run for ever. So the connection is reset.
    if (this.#peerEnded && (this.#invocation?.emptyBlocks ?? 0) > this.#emptyBlocks + 1) this.#reset();
  }

  #tickInput(now: number): void {
    if (this.#phase === BODY && this.#isTooSlow(now)) {
      const { minBodyRate } = this.#config;
      return this.#broken(new BodyTimeoutError(`The request body came at less than ${minBodyRate} bytes a second`));
    }
    const [what, progress, seconds] = this.#awaited();
    if (this.#input.waited(now, what, progress) < seconds * 1000) return;
    switch (what) {
      case HEAD_END:
        if (!this.#parser.begun) return this.#finish(); // no request has begun, so there is none to answer
        return this.#broken(new Refusal(REQUEST_TIMEOUT, `a request head took longer than ${seconds} s`));
      case BODY_BYTES:
        return this.#broken(new BodyTimeoutError(`No byte of the request body came for ${seconds} s`));
      case NEXT_REQUEST:
      case LAST_REQUEST:
      case BODY_END:
        return this.#finish();
      case FIN:
        return this.#transport.destroy();
    }
  }

  #isTooSlow(now: number): boolean {
    const awaited = this.#body?.awaited === true && !this.#paused;
    return (this.#rate ??= new BodyRate(this.#config)).tooSlow(now, this.#requests, this.#bodyBytes, awaited);
  }

  /** The input that the connection waits for, its progress, and the seconds that the client has for more. */
  #awaited(): [what: number, progress: number, seconds: number] {
    const config = this.#config;
    switch (this.#phase) {
      case HEAD:
        if (this.#parser.begun) return [HEAD_END, this.#requests, config.headerTimeout];
        if (this.#stopping) return [LAST_REQUEST, 0, config.drainIdle];
        // The time for the first request runs from the start: a silent client gets no more time than a slow one.
        if (this.#requests === 0) return [HEAD_END, 0, config.headerTimeout];
        return [NEXT_REQUEST, this.#requests, config.keepAliveTimeout];
      case BODY:
        return this.#body?.awaited === true
          ? [BODY_BYTES, this.#bodyBytes, config.bodyTimeout]
          : [NOTHING_NOW, 0, Infinity];
      case DRAIN:
        return [BODY_END, this.#requests, Math.min(config.bodyTimeout, DRAIN_TIME)];
      case LINGER:
        // The time for the client to read the response begins only when our FIN has been sent.
        return this.#transport.buffered > 0 ? [NOTHING_NOW, 0, Infinity] : [FIN, 0, LINGER_TIME];
      default:
        return [NOTHING_NOW, 0, Infinity];
    }
  }

  // Calls by the request body and the exchange.

  /** The application waits for bytes of the body. */
  wanted(): void {
    if (this.#request?.expectsContinue === true && !this.#continued && !this.#bodyBegun && !this.#exchange.headSent) {
      if (this.#at >= this.#bytes.length) {
        this.#exchange.informational("100 Continue", []);
        this.#continued = true;
      }
    }
    this.#regulate();
  }

  mayPersist(): boolean {
    const request = this.#request as RequestHead;
    if (!request.keepAlive || this.#stopping || this.#isLastBeforeFin()) return false;
    if (this.#phase === WAIT) return this.#decoder === undefined || this.#decoder.done;
    if (request.expectsContinue && !this.#continued && !this.#bodyBegun && this.#at >= this.#bytes.length) return false;
    const expected = this.#decoder?.expected ?? 0;
    return expected <= DRAIN_LIMIT;
  }

  #isLastBeforeFin(): boolean {
    return this.#peerEnded && this.#held.length === 0 && this.#at >= this.#bytes.length;
  }

  responded(keepAlive: boolean): void {
    this.#invocation = undefined;
    this.#body?.discard("the response has ended");
    if (!keepAlive) return this.#finish();
    this.#idleOrder = nextIdle();
    if (this.#phase === WAIT) {
      if (this.#decoder?.done === false) return this.#finish(); // the body failed: where the next request begins is unknown
      this.#phase = HEAD;
    } else {
      this.#phase = DRAIN;
      this.#drained = 0;
    }
    if (!this.#advancing) queueMicrotask(() => this.#goOn());
  }

  cut(flush: boolean): void {
    this.#invocation = undefined;
    this.#body?.discard("the response has failed");
    if (flush) this.#finish();
    else this.#reset();
  }

  release(): RawSocket {
    this.#phase = UPGRADED;
    this.#invocation = undefined;
    const unread = this.#bytes.slice(this.#at);
    this.#at = this.#bytes.length;
    const leftover = new Uint8Array(unread.length + this.#held.length);
    leftover.set(unread);
    leftover.set(this.#held, unread.length);
    this.#held = NO_BYTES;
    this.#transport.pause();
    const adopt = (next: Connection): Connection => this.#config.adopt(this, next, this.#transport);
    return { transport: new RawTransport(this.#transport, adopt), leftover };
  }

  // The loop.

  /** Processes bytes until something has to wait, and holds the rest. */
  #advance(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#at = 0;
    this.#advancing = true;
    try {
      while (this.#at < bytes.length && this.#phase < LINGER && !this.#mustWait()) this.#step(bytes);
    } catch (error) {
      this.#broken(error);
    }
    this.#advancing = false;
    this.#parser.release();
    const at = this.#at;
    this.#bytes = NO_BYTES;
    this.#at = 0;
    if (this.#phase < LINGER && at < bytes.length) this.#hold(bytes.subarray(at));
    this.#regulate();
  }

  /** Whether arriving bytes have to wait for the end of a response, or for the client to read its responses. */
  #mustWait(): boolean {
    return this.#phase === WAIT || (this.#phase === HEAD && !this.#exchange.flowing);
  }

  #step(bytes: Uint8Array): void {
    if (this.#phase === HEAD) {
      this.#at = this.#parser.parse(bytes, this.#at, bytes.length);
      const head = this.#parser.complete;
      if (head === undefined) return;
      this.#parser.complete = undefined;
      this.#begin(head);
      return;
    }
    const decoder = this.#decoder as BodyDecoder;
    const before = this.#at;
    const sink = this.#phase === BODY ? this.#body : undefined;
    this.#bodyBegun = true;
    this.#at = decoder.decode(bytes, before, bytes.length, sink);
    this.#bodyBytes += this.#at - before;
    if (this.#phase === DRAIN && (this.#drained += this.#at - before) > DRAIN_LIMIT) return this.#finish();
    if (!decoder.done) return;
    if (this.#phase === BODY) {
      this.#phase = WAIT;
      this.#body?.finish();
    } else {
      this.#phase = HEAD;
    }
  }

  /** Calls the application, once a head is complete. */
  #begin(head: RequestHead): void {
    const config = this.#config;
    this.#request = head;
    if (++this.#requests >= this.#maxRequests) this.#stopping = true;
    this.#continued = false;
    this.#bodyBegun = false;
    this.#exchange.begin(head);
    if (head.chunked) this.#decoder = new ChunkedDecoder(config, head.fieldCount, config.latin1);
    else this.#decoder = head.contentLength > 0 ? new LengthDecoder(head.contentLength) : undefined;
    this.#body = this.#decoder === undefined ? RequestBody.empty() : new RequestBody(this, this.#transport.givesInput);
    this.#phase = this.#decoder === undefined ? WAIT : BODY;
    // A small body that arrived with its head is decoded before the application is called, which then need not wait.
    const { contentLength } = head;
    if (contentLength > 0 && contentLength <= Math.min(EARLY_BODY, this.#bytes.length - this.#at)) {
      this.#step(this.#bytes);
    }
    const environ = head.environ(this.#template, config.scriptName);
    const invocation = new Invocation(config.gateway, this.#exchange, environ, this.#body);
    this.#invocation = invocation;
    invocation.run();
  }

  /** Handles a protocol error or an internal one. */
  #broken(error: unknown): void {
    const client = `${this.#transport.peer.remoteAddress || "client"}`;
    if (error instanceof Refusal) {
      this.#config.gateway.errors.write(`tsgi: refused a request from ${client}: ${error.status}: ${error.message}\n`);
      this.#refuse(error.status, this.#parser.begunHead ?? new RequestHead());
    } else if (error instanceof InputError) {
      if (this.#phase === DRAIN) return this.#finish();
      this.#body?.fail(error);
      this.#phase = WAIT; // its decoder is not done, so nothing after this response is served
    } else {
      this.#config.gateway.errors.write(`tsgi: connection from ${client}: ${errorText(error)}\n`);
      this.#reset();
    }
  }

  /** Sends the server's own error response. `head` has what is known of the request. */
  #refuse(status: string, head: RequestHead): void {
    this.#exchange.begin(head);
    this.#exchange.refuse(status);
    logRefusal(this.#config.gateway, status, () => head.environ(this.#template, this.#config.scriptName));
  }

  /** Continues with held bytes after a response. */
  #goOn(): void {
    if (this.#mustWait()) return;
    const held = this.#held;
    this.#held = NO_BYTES;
    if (held.length > 0 && this.#phase < LINGER) this.#advance(held);
    if (this.#peerEnded && this.#held.length === 0) this.#noMoreInput();
    this.#regulate();
  }

  /** The peer has sent FIN and all its bytes have been processed: an incomplete request will never be complete. */
  #noMoreInput(): void {
    if (this.#phase === HEAD || this.#phase === DRAIN) return this.#finish();
    if (this.#phase !== BODY) return;
    this.#body?.fail(new TruncatedBodyError("The client ended the request body before its declared end"));
    this.#phase = WAIT;
  }

  // Flow and endings.

  #hold(bytes: Uint8Array): void {
    // Bytes after the last request are dropped, but bytes after an Upgrade belong to the new owner of the socket.
    if (this.#phase === WAIT && this.#lastRequest() && this.#request?.upgrade !== true) return;
    const held = new Uint8Array(this.#held.length + bytes.length);
    held.set(this.#held);
    held.set(bytes, this.#held.length);
    this.#held = held;
    this.#regulate();
  }

  #lastRequest(): boolean {
    const stopping = this.#stopping && !this.#exchange.persists;
    return stopping || this.#request?.keepAlive !== true || this.#decoder?.done === false;
  }

  /** Pauses reading while the application does not read its input or the client its responses, and resumes it. */
  #regulate(): void {
    const unread = this.#phase === BODY && this.#body?.awaited === false && this.#body.buffered >= INPUT_MARK;
    const choked = this.#phase === HEAD && !this.#exchange.flowing;
    const pause = unread || choked || this.#held.length >= HELD_LIMIT;
    if (pause === this.#paused || this.#phase >= UPGRADED) return;
    this.#paused = pause;
    if (pause) this.#transport.pause();
    else this.#transport.resume();
  }

  /** Treats a FIN during a response body as departure, unless more requests wait. Before the head it is a half-close. */
  #departIfStreaming(): void {
    if (this.#phase === WAIT && this.#held.length === 0 && this.#invocation?.streaming === true) this.#reset();
  }

  /** Sends the buffered output, then FIN, and waits for the FIN of the peer. */
  #finish(): void {
    if (this.#phase >= LINGER) return;
    this.#phase = LINGER;
    this.#held = NO_BYTES;
    this.#transport.end();
    this.#regulate();
  }

  /** Cuts the socket; `closed` follows. */
  #reset(): void {
    if (this.#phase >= LINGER) return;
    this.#phase = LINGER;
    this.#transport.reset();
  }
}

/** A function that creates the connections of one server. They share the models of request heads. */
export function http1Connections(): (transport: Transport, config: Http1Config) => WireConnection {
  const models = new HeadModels();
  return (transport, config) => new Http1Connection(transport, config, models);
}
