/**
 * One FastCGI connection, without I/O of its own: records in, calls of applications, records out (FastCGI 1.0).
 *
 * A web server may have several requests on a connection at a time; each is a `FastcgiRequest` with its own states.
 * The connection decodes records and passes each to the request that it names. It ends when no request runs and no other
 * is allowed, or with a reset when the records are invalid.
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

import { type EnvironTemplate, localTemplate } from "../../contract/environ.ts";
import { ConnectionLifecycle, nextIdle } from "../../lifecycle/connection.ts";
import { Stopwatch } from "../../lifecycle/progress.ts";
import { NOT_IMPLEMENTED, type Refusal, SERVICE_UNAVAILABLE } from "../../refusal.ts";
import type { Transport } from "../../seams.ts";
import type { Environ } from "../../contract/types.ts";
import type { WireConfig, WireConnection } from "../wire.ts";
import { managementAnswer, MOST_REQUESTS } from "./management.ts";
import * as fcgi from "./records.ts";
import { FastcgiRequest, type RequestOwner } from "./request.ts";
import { RecordWriter } from "./writer.ts";

const BEGIN_BODY = 8; // bytes of content of BEGIN_REQUEST
const EXCESS_LIMIT = 65536; // bytes of answers by the wire itself that may wait for the web server to read them
const TURN_BYTES = 1048576; // of output; after these bytes other connections get a turn
const BLOCK_COST = 256; // each turn counts as at least this many bytes
const QUIET_TIME = 0.5; // seconds without a request, after which a web server is unlikely to reuse a connection

/** The configuration of the FastCGI wire. */
export interface FastcgiConfig extends WireConfig {
  /** Most connections of the server at a time. */
  readonly maxConnections?: number;
}

class FastcgiConnection implements WireConnection, RequestOwner, fcgi.RecordSink {
  readonly config: FastcgiConfig;
  readonly writer: RecordWriter;
  readonly template: EnvironTemplate;
  readonly #connection: ConnectionLifecycle;
  readonly #decoder: fcgi.RecordDecoder = new fcgi.RecordDecoder();
  readonly #active: Map<number, FastcgiRequest> = new Map();
  #type = 0; // of the current record, as are the next two
  #id = 0;
  #length = 0;
  #content = ""; // of a record type that is decoded as a whole
  #requests = 0;
  #maxRequests: number;
  #ending = false; // no further request is allowed
  #idleOrder = 0;
  #keepConn = true; // false once a request came without KEEP_CONN
  readonly #queue: Set<FastcgiRequest> = new Set(); // requests that wait for output, in turn
  #rotating = false;
  #turnAsked = false;
  readonly #unused: Stopwatch = new Stopwatch();
  readonly #drain: Stopwatch = new Stopwatch();

  constructor(transport: Transport, config: FastcgiConfig) {
    this.config = config;
    this.writer = new RecordWriter(transport);
    this.#connection = new ConnectionLifecycle(transport, config, this.writer);
    this.#maxRequests = config.maxRequestsPerConnection;
    this.template = localTemplate(config.template, transport.peer);
  }

  // Calls by the host and the server.

  receive(bytes: Uint8Array): void {
    const end = bytes.length;
    try {
      for (let at = 0; at < end && this.#connection.isOpen;) at = this.#decoder.step(bytes, at, end, this);
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
    if (this.#active.size === 0) return this.#connection.finish();
    this.#abandon();
    this.#connection.destroy();
  }

  closed(): void {
    this.#connection.closed();
    this.#abandon();
    this.config.forget(this);
  }

  turnAway(status: string): void {
    this.config.gateway.log?.refused(status, { ...this.template } as Environ);
    this.#connection.finish(); // FastCGI has no status before a request; without an answer a web server tries another server
  }

  serveOne(): void {
    this.#maxRequests = 1;
  }

  shutdown(): void {
    this.#connection.stop(); // requests are still served for drainIdle: see tick
  }

  get idleOrder(): number {
    return this.#isUnused && this.#requests > 0 && !this.#decoder.begun ? this.#idleOrder : 0;
  }

  retire(): void {
    this.#connection.finish();
  }

  get #isUnused(): boolean {
    return this.#connection.isOpen && this.#active.size === 0 && !this.#connection.paused;
  }

  tick(now: number): void {
    const { stopping, paused } = this.#connection;
    if (!this.#connection.tick(now, this.#isUnused)) return this.#abandon();
    for (const request of this.#active.values()) request.tick(now, paused);
    const { headerTimeout, keepAliveTimeout, drainIdle } = this.config;
    if (this.#drain.waited(now, stopping ? 1 : 0, 0) >= drainIdle * 1000 && stopping) this.#ending = true;
    // Records that belong to no request, or never end, must not keep a connection open either.
    const unused = this.#unused.waited(now, this.#isUnused ? 1 : 0, this.#requests);
    if (!this.#isUnused) return;
    const quiet = this.#ending ? Math.min(drainIdle, QUIET_TIME) : Infinity;
    const late = this.#connection.lateHead(now, this.#decoder.begun, this.#requests, quiet);
    if (late > 0) this.#broken(new fcgi.ProtocolError(`a record took longer than ${late} s`));
    else if (unused >= (keepAliveTimeout + headerTimeout) * 1000) this.#connection.finish();
  }

  // Calls by the record decoder.

  recordBegins(type: number, id: number, length: number): void {
    this.#type = type;
    this.#id = id;
    this.#length = length;
    this.#content = "";
    this.#request?.recordBegins(type, length);
  }

  recordContent(bytes: Uint8Array, start: number, end: number): void {
    const type = this.#type;
    if (type === fcgi.FCGI_BEGIN_REQUEST || type === fcgi.FCGI_GET_VALUES) {
      this.#content += this.config.latin1(bytes, start, end);
    } else this.#request?.recordContent(type, bytes, start, end);
  }

  recordEnds(): void {
    if (this.#id === fcgi.FCGI_NULL_REQUEST_ID) this.#manage();
    else if (this.#type === fcgi.FCGI_BEGIN_REQUEST) this.#begin();
    else this.#request?.recordEnds(this.#type, this.#length);
  }

  /** The request that the current record names, while it runs. */
  get #request(): FastcgiRequest | undefined {
    return this.#active.get(this.#id);
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
    this.#connection.log(`refused a request from ${this.#connection.client}: ${reason}`);
    // No HTTP status is sent. The access log gets the one that corresponds to the protocol status.
    const status = protocolStatus === fcgi.FCGI_OVERLOADED ? SERVICE_UNAVAILABLE : NOT_IMPLEMENTED;
    this.config.gateway.log?.refused(status, { ...this.template } as Environ);
    this.writer.end(this.#id, false, 0, protocolStatus);
    this.#settle();
  }

  // Calls by requests.

  mayWrite(request: FastcgiRequest): boolean {
    if (this.writer.flowing && !(this.#rotating && this.#queue.size > 0)) return true;
    this.#queue.add(request);
    return false;
  }

  regulate(): void {
    let pause = this.writer.excess >= EXCESS_LIMIT;
    for (const request of this.#active.values()) pause ||= request.isFull;
    this.#connection.regulate(pause);
  }

  refused(reason: Refusal, environ: () => Environ): void {
    this.#connection.broken(reason);
    this.config.gateway.log?.refused(reason.status, environ());
  }

  get isLast(): boolean {
    return this.#ending && this.#keepConn && this.#active.size === 1;
  }

  over(request: FastcgiRequest): void {
    this.#active.delete(request.id);
    if (this.#active.size === 0) this.#idleOrder = nextIdle();
    this.#queue.delete(request);
    this.#settle();
    this.regulate();
  }

  spoil(): boolean {
    if (this.#active.size > 1) {
      this.#connection.log(
        `connection from ${this.#connection.client}: other requests run on it, so that an incomplete response was ended`,
      );
      return false;
    }
    this.#active.clear();
    this.#queue.clear();
    this.writer.spoil();
    this.#connection.finish();
    return true;
  }

  /** Lets each waiting request write a block in turn, as long as output flows. */
  #rotate(): void {
    const { writer } = this;
    let left = TURN_BYTES;
    this.#rotating = true;
    for (const request of this.#queue) { // a request that has more to write adds itself again, as the last one
      if (!writer.flowing || left <= 0) break;
      const before = writer.written;
      this.#queue.delete(request);
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

  /** Handles a protocol error or an internal one. */
  #broken(error: unknown): void {
    if (error instanceof fcgi.ProtocolError) {
      this.#connection.log(`refused a connection from ${this.#connection.client}: ${error.message}`);
      this.#connection.reset();
    } else this.#connection.broken(error);
    this.#abandon();
  }

  /** Ends the connection if no request runs and no other is allowed. */
  #settle(): void {
    if (this.#active.size === 0 && (this.#ending || !this.#keepConn)) this.#connection.finish();
  }

  /** Ends all running requests as if their clients had left. */
  #abandon(): void {
    const requests = [...this.#active.values()];
    this.#active.clear();
    this.#queue.clear();
    for (const request of requests) request.dropped();
  }
}

/** A connection that speaks FastCGI. */
export function fastcgiConnection(transport: Transport, config: FastcgiConfig): WireConnection {
  return new FastcgiConnection(transport, config);
}
