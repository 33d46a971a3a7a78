/**
 * One HTTP/1.1 connection, without I/O of its own: bytes in, calls of the application, bytes out (RFC 9112 9).
 *
 * The state of the current request (`core/lifecycle/states.ts`) says what arriving bytes are:
 *
 *     HEAD              a request head; they wait while the client does not read its responses
 *     BODY              the body, decoded into wsgi.input
 *     RECEIVED, BROKEN  later requests: they wait until the response has ended
 *     DRAIN             the rest of a body that nobody reads, decoded and dropped
 *
 * Only one response runs at a time, so pipelined responses are always in order. Bytes that wait are copied once, and then
 * processed from that copy, however many requests they are; at HELD_LIMIT the transport is paused. `#advance` is the only
 * loop over arrived bytes and never runs nested: calls of the application only change the state.
 *
 * The keep-alive verdict is made with the response head: see `mayPersist`.
 *
 * @module
 */

import type { EnvironTemplate } from "../../contract/environ.ts";
import { connectionTemplate } from "../../contract/environ.ts";
import type { BodySource } from "../../contract/request_body.ts";
import { countedBody } from "../../lifecycle/body_decoder.ts";
import { ConnectionLifecycle, nextIdle } from "../../lifecycle/connection.ts";
import { DRAIN_LIMIT, RequestLifecycle } from "../../lifecycle/request.ts";
import { BODY, BROKEN, HEAD, LOST, OVER, RECEIVED } from "../../lifecycle/states.ts";
import { Refusal, REQUEST_TIMEOUT } from "../../refusal.ts";
import type { RawConnection, RawSocket, Transport } from "../../seams.ts";
import type { WireConnection } from "../wire.ts";
import { ChunkedDecoder } from "./chunked_decoder.ts";
import type { Forwarding, Http1Config } from "./config.ts";
import { type ExchangeOwner, Http1Exchange } from "./exchange.ts";
import { HeadModels } from "./head_models.ts";
import { HeadParser } from "./head_parser.ts";
import { RequestHead } from "./request_head.ts";

const HELD_LIMIT = 65536; // bytes of pipelined requests that may wait for a response before reading stops
const EARLY_BODY = 16384; // bytes of a body that are copied before the application has asked for them
const NO_BYTES = new Uint8Array(0);

/** A connection that speaks HTTP/1.1. */
export class Http1Connection implements WireConnection, BodySource, ExchangeOwner {
  readonly #transport: Transport;
  readonly #config: Http1Config;
  readonly #connection: ConnectionLifecycle;
  readonly #request: RequestLifecycle;
  readonly #exchange: Http1Exchange;
  readonly #parser: HeadParser;
  readonly #template: EnvironTemplate;
  readonly #forwarding: Forwarding | undefined; // of a peer that is a trusted proxy
  #head: RequestHead | undefined; // of the current request, or the last one
  #maxRequests: number;
  #idleOrder = 0;
  #bytes: Uint8Array = NO_BYTES; // what has arrived: lent while #advance works on it, a copy while it waits
  #at = 0; // what is before it has been processed; less than the length of #bytes, unless there are none
  #advancing = false;
  #clientEnded = false;

  /** A connection over `transport`; the connections of a server share `models`. */
  constructor(transport: Transport, config: Http1Config, models?: HeadModels) {
    this.#transport = transport;
    this.#config = config;
    this.#maxRequests = config.maxRequestsPerConnection;
    this.#connection = new ConnectionLifecycle(transport, config);
    this.#request = new RequestLifecycle(config, this);
    this.#exchange = new Http1Exchange(this.#connection.writer, this, config.serverHeader);
    this.#parser = new HeadParser(config, models);
    const template = connectionTemplate(config.template, transport.peer);
    this.#forwarding = config.forwardingOf?.(transport.peer, template);
    this.#template = this.#forwarding?.template ?? template;
  }

  // Calls by the host and the server.

  receive(bytes: Uint8Array): void {
    if (!this.#connection.isOpen) return;
    if (this.#unread > 0 || this.#mustWait()) return this.#hold(bytes);
    this.#bytes = bytes;
    this.#advance(false);
  }

  drained(): void {
    this.#connection.writer.drained();
    this.#request.drained();
    if (this.#request.state === HEAD) this.#goOn();
  }

  ended(): void {
    this.#clientEnded = true;
    const left = this.#request.clientEnded();
    if (this.#unread > 0) return;
    this.#noMoreInput();
    if (left) this.#connection.reset();
  }

  closed(): void {
    this.#connection.closed();
    this.#drop();
    this.#request.departed("The client closed the connection");
    this.#config.forget(this);
  }

  /** Sends the server's own error response. `head` has what is known of the request. */
  turnAway(status: string, head: RequestHead = new RequestHead()): void {
    this.#exchange.begin(head);
    this.#exchange.refuse(status);
    this.#config.gateway.log?.refused(status, head.environ(this.#template, this.#config.scriptName));
  }

  get idleOrder(): number {
    const idle = this.#request.state === HEAD && this.#request.count > 0 && this.#connection.isOpen &&
      !this.#parser.begun && this.#unread === 0 && this.#transport.buffered === 0;
    return idle ? this.#idleOrder : 0;
  }

  retire(): void {
    this.#connection.finish();
  }

  serveOne(): void {
    this.#maxRequests = 1;
  }

  shutdown(): void {
    this.#connection.stop();
  }

  tick(now: number): void {
    if (!this.#connection.tick(now, this.#request.state === HEAD)) return;
    const { paused } = this.#connection;
    this.#request.checkRate(now, paused, this.#config);
    if (this.#request.tick(now, paused)) return this.#connection.reset();
    this.#nextOrEnd();
    if (this.#request.state !== HEAD) return;
    const late = this.#connection.lateHead(now, this.#parser.begun, this.#request.count);
    if (late > 0) this.#broken(new Refusal(REQUEST_TIMEOUT, `a request head took longer than ${late} s`));
  }

  // Calls by the request body and the exchange.

  /** The application waits for bytes of the body. */
  wanted(): void {
    if (this.#head !== undefined && this.#awaitsContinue() && !this.#exchange.headSent) {
      this.#exchange.informational("100 Continue", []);
      this.#head.expectsContinue = false;
    }
    this.#regulate();
  }

  /** Whether the client waits for 100 Continue and has sent nothing of the body (RFC 9110 10.1.1). */
  #awaitsContinue(): boolean {
    return this.#head?.expectsContinue === true && !this.#request.bodyBegun && this.#unread === 0;
  }

  mayPersist(): boolean {
    const isLast = this.#clientEnded && this.#unread === 0;
    if (this.#head?.keepAlive !== true || this.#connection.stopping || isLast) return false;
    if (this.#request.state !== BODY) return this.#request.state === RECEIVED;
    return !this.#awaitsContinue() && (this.#request.expected ?? 0) <= DRAIN_LIMIT;
  }

  responded(keepAlive: boolean): void {
    this.#request.responded("the response has ended");
    if (!keepAlive) return this.#connection.finish();
    this.#idleOrder = nextIdle();
    this.#nextOrEnd();
    if (!this.#advancing) queueMicrotask(() => this.#goOn());
  }

  cut(flush: boolean): void {
    this.#request.responded("the response has failed");
    if (flush) this.#connection.finish();
    else this.#connection.reset();
  }

  release(): RawSocket {
    this.#connection.release();
    this.#request.upgraded();
    const leftover = new Uint8Array(this.#bytes.subarray(this.#at)); // a copy
    this.#drop();
    const transport = this.#transport;
    const attach = (next: RawConnection): void => transport.attach(this.#config.adopt(this, next, transport), leftover);
    return { transport, leftover, attach };
  }

  // The loop.

  /** Processes bytes until something has to wait, and holds the rest. `own` bytes are not lent. */
  #advance(own: boolean): void {
    this.#advancing = true;
    try {
      while (this.#unread > 0 && this.#connection.isOpen && !this.#mustWait()) this.#step();
    } catch (error) {
      this.#broken(error);
    }
    this.#advancing = false;
    const waits = this.#unread > 0 && this.#connection.isOpen && !this.#dropsInput();
    if (!waits) this.#drop();
    else if (!own) {
      const lent = this.#bytes.subarray(this.#at);
      this.#drop();
      this.#hold(lent);
    }
    this.#regulate();
  }

  /** Number of bytes that have arrived and have not been processed. */
  get #unread(): number {
    return this.#bytes.length - this.#at;
  }

  /** Whether arriving bytes have to wait for the end of a response, or for the client to read its responses. */
  #mustWait(): boolean {
    const { state } = this.#request;
    return state === RECEIVED || state === BROKEN || (state === HEAD && !this.#connection.writer.flowing);
  }

  #step(): void {
    const bytes = this.#bytes;
    if (this.#request.state === HEAD) {
      const head = this.#parser.parse(bytes, this.#at, bytes.length);
      this.#at = this.#parser.at;
      if (head !== undefined) this.#begin(head);
    } else {
      this.#at = this.#request.feed(bytes, this.#at, bytes.length);
      this.#nextOrEnd();
    }
  }

  /** Calls the application, once a head is complete. */
  #begin(head: RequestHead): void {
    this.#head = head;
    const environ = head.environ(this.#template, this.#config.scriptName);
    this.#forwarding?.apply(environ, head.fields);
    const request = this.#request;
    this.#exchange.begin(head);
    const { chunked, contentLength } = head;
    const decoder = chunked ? new ChunkedDecoder(this.#config, head.fieldCount) : countedBody(contentLength, 0);
    request.open(decoder, this.#transport.givesInput);
    if (request.count >= this.#maxRequests) this.#connection.stop();
    // A small body that arrived with its head is decoded before the application is called, which then need not wait.
    if (contentLength > 0 && contentLength <= Math.min(EARLY_BODY, this.#unread)) {
      this.#at = request.feed(this.#bytes, this.#at, this.#bytes.length);
    }
    request.run(this.#exchange, environ);
  }

  /** After a request that is over, expects the next one or ends the connection. */
  #nextOrEnd(): void {
    if (this.#request.state === OVER) {
      this.#request.next();
      this.#head = undefined;
    } else if (this.#request.state === LOST) this.#connection.finish();
  }

  /** Handles a protocol error or an internal one. */
  #broken(error: unknown): void {
    const refusal = this.#connection.broken(error);
    if (refusal !== undefined) this.turnAway(refusal.status, this.#parser.begunHead ?? this.#head);
  }

  /** Continues with held bytes after a response. */
  #goOn(): void {
    if (this.#advancing || this.#mustWait()) return;
    if (this.#connection.isOpen) this.#advance(true);
    if (this.#clientEnded && this.#unread === 0) this.#noMoreInput();
  }

  /** The client has sent FIN and all its bytes have been processed: an incomplete request will never be complete. */
  #noMoreInput(): void {
    if (this.#request.inputEnded()) this.#connection.finish();
  }

  // Flow.

  /** Holds more bytes. They are added in place while there is room, so that small pieces are not copied again and again. */
  #hold(bytes: Uint8Array): void {
    if (this.#dropsInput()) return;
    const held = this.#bytes;
    const { buffer, byteOffset, length } = held;
    if (length > 0 && buffer.byteLength - byteOffset - length >= bytes.length) {
      this.#bytes = new Uint8Array(buffer, byteOffset, length + bytes.length);
    } else {
      const waiting = this.#unread;
      const size = waiting + bytes.length;
      this.#bytes = new Uint8Array(waiting > 0 ? 2 * size : size).subarray(0, size);
      this.#bytes.set(held.subarray(this.#at));
      this.#at = 0;
    }
    this.#bytes.set(bytes, this.#bytes.length - bytes.length);
    this.#regulate();
  }

  #drop(): void {
    this.#bytes = NO_BYTES;
    this.#at = 0;
    this.#parser.release();
  }

  /**
   * Whether bytes behind the current request are dropped, because it is the last one. Those behind an Upgrade belong to
   * the new owner of the socket.
   */
  #dropsInput(): boolean {
    const { state } = this.#request;
    if (state !== RECEIVED || this.#head?.upgrade === true) return state === BROKEN;
    return this.#head?.keepAlive !== true || (this.#connection.stopping && !this.#exchange.persists);
  }

  /** Pauses reading while the application does not read its input or the client its responses, and resumes it. */
  #regulate(): void {
    if (this.#advancing) return;
    const choked = this.#request.state === HEAD && !this.#connection.writer.flowing;
    this.#connection.regulate(choked || this.#request.isFull || this.#unread >= HELD_LIMIT);
  }
}

/** A function that creates the connections of one server. They share the models of request heads. */
export function http1Connections(): (transport: Transport, config: Http1Config) => WireConnection {
  const models = new HeadModels();
  return (transport, config) => new Http1Connection(transport, config, models);
}
