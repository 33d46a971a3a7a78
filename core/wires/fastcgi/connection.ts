/**
 * One FastCGI connection, without I/O of its own: records in, calls of applications, records out (FastCGI 1.0).
 *
 * A web server may have several requests on a connection at a time; each is a `FastcgiRequest` with its own states.
 * The connection decodes records, passes each to the request that it names, and is in one of these phases:
 *
 *     phase    arriving bytes are      leaves for
 *     OPEN     decoded as records      LINGER when no request runs and no other is allowed, see below; or, with a reset,
 *                                      when the records are invalid
 *     LINGER   dropped: we have ended  CLOSED when the peer has too, or after LINGER_TIME
 *     CLOSED   dropped                 -
 *
 * *No other request is allowed* after one without KEEP_CONN, after the last that `maxRequestsPerConnection` allows, and
 * once shutdown has lasted for `drainIdle`; until then every request is served. A BEGIN_REQUEST that still arrives while
 * others run gets OVERLOADED; after our FIN it is ignored. If a web server sends a request while our FIN is on its way, it
 * retries elsewhere only if the request is idempotent, which a POST is not. So the last response tells nginx that it is
 * the last (see `RecordWriter.end`), and in a shutdown an idle connection ends only QUIET_TIME after its last request,
 * because web servers reuse the most recently used connection first.
 *
 * *Roles*: only the responder. An ordinary application answers 200 to nearly everything; as an authorizer it would admit
 * everybody, so it is never called as one. WSGI has nothing for the second stream of a filter.
 *
 * *Turns*: all requests share one high-water mark. Requests that wait for output to flow, and new ones that arrive in that
 * time, form a queue. When output flows again, each writes one block in turn, as long as it flows. So neither many
 * requests nor a huge one starve another. MOST_REQUESTS bounds the queue if a web server reads no output.
 *
 * *Input*: a body that one application does not read stops the input of all, because FastCGI has only one stream. A FIN
 * of the web server counts as departure for all requests, since it can send no more records. It is not the end of a body:
 * that is an empty STDIN record.
 *
 * *Truncation*: an incomplete response must not look complete. After an END_REQUEST it does, with any appStatus: nginx and
 * Apache ignore it, and cleanly end a body that is shorter than its Content-Length. nginx also takes the end of the
 * connection for the end of the response, unless it is a reset, which Unix sockets do not have. So we send a record with
 * an invalid version, which every web server treats as an error, and end the connection. If other requests run on it, we
 * can only send END_REQUEST with appStatus 1.
 *
 * @module
 */

import type { CgiRules } from "../cgi/environ.ts";
import { errorText } from "../../errors.ts";
import { logRefusal } from "../../gateway/access_log.ts";
import { type EnvironTemplate, localTemplate } from "../../contract/environ.ts";
import { NOT_IMPLEMENTED, type Refusal, SERVICE_UNAVAILABLE } from "../../refusal.ts";
import type { Transport } from "../../seams.ts";
import { Stopwatch } from "../stopwatch.ts";
import type { Environ } from "../../contract/types.ts";
import { LINGER_TIME, nextIdle, type WireConfig, type WireConnection } from "../wire.ts";
import { managementAnswer, MOST_REQUESTS } from "./management.ts";
import * as fcgi from "./records.ts";
import { FastcgiRequest, type RequestOwner } from "./request.ts";
import { RecordWriter } from "./writer.ts";

const OPEN = 0;
const LINGER = 1;
const CLOSED = 2;

const BEGIN_BODY = 8; // bytes of content of BEGIN_REQUEST
const EXCESS_LIMIT = 65536; // bytes of answers by the wire itself that may wait for the web server to read them
const TURN_BYTES = 1048576; // of output; after these bytes other connections get a turn
const BLOCK_COST = 256; // each turn counts as at least this many bytes
const QUIET_TIME = 0.5; // seconds without a request, after which a web server is unlikely to reuse a connection

/** The input that a connection waits for. */
const NOTHING_NOW = 0;
const RECORD_END = 1;
const NEXT_REQUEST = 2;
const LAST_REQUEST = 3;
const FIN = 4;

/** The configuration of the FastCGI wire. */
export interface FastcgiConfig extends WireConfig {
  /** Most connections of the server at a time. */
  readonly maxConnections?: number;
}

class FastcgiConnection implements WireConnection, RequestOwner, fcgi.RecordSink {
  readonly config: FastcgiConfig;
  readonly writer: RecordWriter;
  readonly template: EnvironTemplate;
  readonly rules: CgiRules;
  paused = false;
  readonly #transport: Transport;
  readonly #decoder: fcgi.RecordDecoder = new fcgi.RecordDecoder();
  readonly #active: Map<number, FastcgiRequest> = new Map();
  #phase: number = OPEN;
  #type = 0; // of the current record, as are the next three
  #id = 0;
  #length = 0;
  #request: FastcgiRequest | undefined;
  #content = ""; // of a record type that is decoded as a whole
  #requests = 0;
  #maxRequests: number;
  #stopping = false; // shutdown has begun
  #ending = false; // no further request is allowed
  #idleOrder = 0;
  #keepConn = true; // false once a request came without KEEP_CONN
  #queue: FastcgiRequest[] = []; // requests that wait for output
  #rotating = false;
  #turnAsked = false;
  readonly #input: Stopwatch = new Stopwatch();
  readonly #output: Stopwatch = new Stopwatch();
  readonly #unused: Stopwatch = new Stopwatch();
  readonly #drain: Stopwatch = new Stopwatch();

  constructor(transport: Transport, config: FastcgiConfig) {
    this.#transport = transport;
    this.config = config;
    this.#maxRequests = config.maxRequestsPerConnection;
    this.writer = new RecordWriter(transport);
    this.template = localTemplate(config.template, transport.peer);
    this.rules = { scriptName: config.scriptName, limitRequestBody: config.limitRequestBody, script: false };
  }

  // Calls by the host and the server.

  receive(bytes: Uint8Array): void {
    const end = bytes.length;
    try {
      for (let at = 0; at < end && this.#phase === OPEN;) at = this.#decoder.step(bytes, at, end, this);
    } catch (error) {
      this.#broken(error);
    }
    this.regulate();
  }

  drained(): void {
    this.writer.drained();
    this.#rotate();
    this.regulate();
  }

  ended(): void {
    if (this.#active.size === 0) return this.#finish();
    this.#phase = LINGER;
    this.#abandon();
    this.#transport.destroy();
  }

  closed(): void {
    if (this.#phase === CLOSED) return;
    this.#phase = CLOSED;
    this.#abandon();
    this.config.forget(this);
  }

  turnAway(status: string): void {
    logRefusal(this.config.gateway, status, () => ({ ...this.template }) as Environ);
    this.#finish(); // FastCGI has no status before a request; without an answer a web server tries another server
  }

  serveOne(): void {
    this.#maxRequests = 1;
  }

  shutdown(): void {
    this.#stopping = true; // requests are still served for drainIdle: see tick
  }

  get idleOrder(): number {
    return this.#isUnused && this.#requests > 0 && !this.#decoder.begun ? this.#idleOrder : 0;
  }

  retire(): void {
    this.#finish();
  }

  get #isUnused(): boolean {
    return this.#phase === OPEN && this.#active.size === 0 && !this.paused;
  }

  tick(now: number): void {
    const { buffered } = this.#transport;
    const stalled = this.#output.waited(now, buffered > 0 ? 1 : 0, this.writer.written - buffered);
    if (buffered > 0 && stalled >= this.config.writeTimeout * 1000) return this.#cut();
    for (const request of this.#active.values()) request.tick(now);
    const { headerTimeout, keepAliveTimeout, drainIdle } = this.config;
    if (this.#drain.waited(now, this.#stopping ? 1 : 0, 0) >= drainIdle * 1000 && this.#stopping) this.#ending = true;
    const [what, seconds] = this.#awaited();
    if (this.#input.waited(now, what, this.#requests) >= seconds * 1000) return this.#late(what, seconds);
    // Records that belong to no request, or never end, must not keep a connection open either.
    const unused = this.#unused.waited(now, this.#isUnused ? 1 : 0, this.#requests);
    if (this.#isUnused && unused >= (keepAliveTimeout + headerTimeout) * 1000) this.#finish();
  }

  /** The input that the connection waits for, and the seconds for it. Requests check their own time-outs. */
  #awaited(): [what: number, seconds: number] {
    const { headerTimeout, keepAliveTimeout, drainIdle } = this.config;
    // The time for the web server to read the responses begins only when our FIN has been sent.
    if (this.#phase === LINGER && this.#transport.buffered === 0) return [FIN, LINGER_TIME];
    if (!this.#isUnused) return [NOTHING_NOW, Infinity];
    if (this.#decoder.begun) return [RECORD_END, headerTimeout];
    if (this.#stopping) return [LAST_REQUEST, this.#ending ? Math.min(drainIdle, QUIET_TIME) : Infinity];
    // The time for the first request runs from the start of the connection.
    return this.#requests === 0 ? [RECORD_END, headerTimeout] : [NEXT_REQUEST, keepAliveTimeout];
  }

  #late(what: number, seconds: number): void {
    if (what === FIN) this.#transport.destroy();
    else if (what === RECORD_END && this.#decoder.begun) {
      this.#broken(new fcgi.ProtocolError(`a record took longer than ${seconds} s`));
    } else this.#finish();
  }

  // Calls by the record decoder.

  recordBegins(type: number, id: number, length: number): void {
    this.#type = type;
    this.#id = id;
    this.#length = length;
    this.#content = "";
    this.#request = this.#active.get(id);
    if (type === fcgi.FCGI_PARAMS) this.#request?.paramsAnnounced(length);
    else if (type === fcgi.FCGI_STDIN) this.#request?.stdinAnnounced();
  }

  recordContent(bytes: Uint8Array, start: number, end: number): void {
    switch (this.#type) {
      case fcgi.FCGI_PARAMS:
        return this.#request?.params(bytes, start, end);
      case fcgi.FCGI_STDIN:
        return this.#request?.stdin(bytes, start, end);
      case fcgi.FCGI_BEGIN_REQUEST:
      case fcgi.FCGI_GET_VALUES:
        this.#content += this.config.latin1(bytes, start, end);
    }
  }

  recordEnds(): void {
    if (this.#id === fcgi.FCGI_NULL_REQUEST_ID) return this.#manage();
    switch (this.#type) {
      case fcgi.FCGI_BEGIN_REQUEST:
        return this.#begin();
      case fcgi.FCGI_ABORT_REQUEST:
        return this.#request?.aborted();
      case fcgi.FCGI_PARAMS:
        if (this.#length === 0) this.#request?.paramsEnded();
        return;
      case fcgi.FCGI_STDIN:
        if (this.#length === 0) this.#request?.stdinEnded();
    }
  }

  /** Answers a management record. Any record with request id 0 is one, so BEGIN_REQUEST with id 0 has an unknown type. */
  #manage(): void {
    const [type, text] = managementAnswer(this.#type, this.#content, this.config.maxConnections ?? Infinity);
    this.writer.text(type, fcgi.FCGI_NULL_REQUEST_ID, text);
  }

  #begin(): void {
    const id = this.#id;
    const body = this.#content;
    if (body.length !== BEGIN_BODY) {
      throw new fcgi.ProtocolError(`BEGIN_REQUEST of ${body.length} bytes; expected ${BEGIN_BODY}`);
    }
    if (this.#request !== undefined) throw new fcgi.ProtocolError(`BEGIN_REQUEST for request ${id}, which runs`);
    const role = (body.charCodeAt(0) << 8) | body.charCodeAt(1);
    if ((body.charCodeAt(2) & fcgi.FCGI_KEEP_CONN) === 0) this.#keepConn = false;
    if (role !== fcgi.FCGI_RESPONDER) {
      return this.#decline(fcgi.FCGI_UNKNOWN_ROLE, `UNKNOWN_ROLE: role ${role}; expected ${fcgi.FCGI_RESPONDER}`);
    }
    if (this.#active.size >= MOST_REQUESTS) {
      return this.#decline(fcgi.FCGI_OVERLOADED, `OVERLOADED: more than ${MOST_REQUESTS} requests at a time`);
    }
    if (this.#ending && this.#active.size > 0) {
      return this.#decline(fcgi.FCGI_OVERLOADED, "OVERLOADED: the connection is about to end");
    }
    if (++this.#requests >= this.#maxRequests) this.#ending = true;
    this.#active.set(id, new FastcgiRequest(this, id));
  }

  #decline(protocolStatus: number, reason: string): void {
    this.#log(`refused a request from ${this.#client}: ${reason}`);
    // No HTTP status is sent. The access log gets the one that corresponds to the protocol status.
    const status = protocolStatus === fcgi.FCGI_OVERLOADED ? SERVICE_UNAVAILABLE : NOT_IMPLEMENTED;
    logRefusal(this.config.gateway, status, () => ({ ...this.template }) as Environ);
    this.writer.end(this.#id, false, 0, protocolStatus);
    this.#settle();
  }

  // Calls by requests.

  mayGoOn(): boolean {
    return this.writer.flowing && !(this.#rotating && this.#queue.length > 0);
  }

  enqueue(request: FastcgiRequest): void {
    if (request.queued) return;
    request.queued = true;
    this.#queue.push(request);
  }

  regulate(): void {
    if (this.#phase === CLOSED) return;
    const pause = this.#phase === OPEN && (this.writer.excess >= EXCESS_LIMIT || this.#choked());
    if (pause === this.paused) return;
    this.paused = pause;
    if (pause) this.#transport.pause();
    else this.#transport.resume();
  }

  #choked(): boolean {
    for (const request of this.#active.values()) if (request.choked) return true;
    return false;
  }

  refused(reason: Refusal, environ: () => Environ): void {
    this.#log(`refused a request from ${this.#client}: ${reason.status}: ${reason.message}`);
    logRefusal(this.config.gateway, reason.status, environ);
  }

  get isLast(): boolean {
    return this.#ending && this.#keepConn && this.#active.size === 1;
  }

  over(request: FastcgiRequest): void {
    this.#active.delete(request.id);
    if (this.#active.size === 0) this.#idleOrder = nextIdle();
    if (request.queued) this.#queue = this.#queue.filter((other) => other !== request);
    this.#settle();
    this.regulate();
  }

  truncated(request: FastcgiRequest): void {
    if (this.#active.size === 1) {
      this.#active.clear();
      this.#queue = [];
      this.writer.spoil();
      return this.#finish();
    }
    this.#log(`connection from ${this.#client}: other requests run on it, so that an incomplete response was ended`);
    request.endIncomplete();
  }

  /** Lets each waiting request write a block in turn, as long as output flows. */
  #rotate(): void {
    const { writer } = this;
    let left = TURN_BYTES;
    this.#rotating = true;
    while (writer.flowing && left > 0) {
      const request = this.#queue.shift();
      if (request === undefined) break;
      const before = writer.written;
      request.queued = false;
      request.resume();
      left -= Math.max(writer.written - before, BLOCK_COST);
    }
    this.#rotating = false;
    if (left > 0 || this.#turnAsked) return;
    this.#turnAsked = true;
    this.config.gateway.turn(() => {
      this.#turnAsked = false;
      this.#rotate();
    });
  }

  // The endings.

  get #client(): string {
    return this.#transport.peer.remoteAddress || "client";
  }

  #log(text: string): void {
    this.config.gateway.errors.write(`tsgi: ${text}\n`);
  }

  /** Handles a protocol error or an internal one. */
  #broken(error: unknown): void {
    if (error instanceof fcgi.ProtocolError) this.#log(`refused a connection from ${this.#client}: ${error.message}`);
    else this.#log(`connection from ${this.#client}: ${errorText(error)}`);
    this.#cut();
  }

  /** Ends the connection if no request runs and no other is allowed. */
  #settle(): void {
    if (this.#active.size === 0 && (this.#ending || !this.#keepConn)) this.#finish();
  }

  /** Sends the buffered output, then FIN, and waits for the FIN of the peer. */
  #finish(): void {
    if (this.#phase !== OPEN) return;
    this.#phase = LINGER;
    this.#transport.end();
    this.regulate();
  }

  /** Cuts the socket; `closed` follows. */
  #cut(): void {
    if (this.#phase === CLOSED) return;
    this.#phase = LINGER;
    this.#abandon();
    this.#transport.reset();
  }

  /** Ends all running requests as if their clients had left. */
  #abandon(): void {
    const requests = [...this.#active.values()];
    this.#active.clear();
    this.#queue = [];
    for (const request of requests) request.departed();
  }
}

/** A connection that speaks FastCGI. */
export function fastcgiConnection(transport: Transport, config: FastcgiConfig): WireConnection {
  return new FastcgiConnection(transport, config);
}
