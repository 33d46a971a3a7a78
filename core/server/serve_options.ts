/**
 * What `serve` may be told, as an interface with its documentation.
 *
 * `core/server/option_table.ts` has a row for each option: its values, its default, where it is valid.
 *
 * @module
 */

import type { AccessLog } from "../gateway/access_log.ts";
import type { HeaderMap } from "../wires/http1/request_head.ts";
import type { Protocol } from "../wires/protocol.ts";
import type { Address } from "../seams.ts";

/** What `serve` may be told. Every option has a default. */
export interface ServeOptions {
  /**
   * Name or address to listen on; `"0.0.0.0"` or `"::"` for every interface. Default: the environment variable HOST where
   * it is an address or `localhost`, else `"127.0.0.1"`.
   */
  readonly hostname?: string;
  /** Port to listen on; 0 for a free one. Default: the environment variable PORT, else 8000. */
  readonly port?: number;
  /** Path of a Unix socket to listen on in place of a port. A socket nobody answers at is replaced. */
  readonly path?: string;
  /** File mode of that socket, as in `chmod`: `0o660`. Default: what the umask leaves. */
  readonly mode?: number;
  /** A file descriptor that listens already, from a parent process or systemd, in place of all that. */
  readonly fd?: number;
  /** Connections that the system holds until they are accepted. Default: the runtime's, 511. */
  readonly backlog?: number;
  /** Whether several processes may listen on the port, the system sharing out the connections. Default false. */
  readonly reusePort?: boolean;
  /** What is spoken: with clients, or with the web server in front. Default `"http"`. */
  readonly protocol?: Protocol;
  /**
   * Addresses and networks that may connect: `["192.0.2.7", "10.0.0.0/8"]`, or `"*"` for all. Whoever may speak FastCGI,
   * SCGI or uwsgi to a server can tell it anything. Default: all for HTTP, this machine alone for the others. Unix
   * sockets have file modes instead.
   */
  readonly allowIps?: readonly string[] | "*";
  /**
   * Most connections at a time. For one more, the connection that has been idle between requests for longest is closed;
   * where none is idle, the new one is told 503 and closed. Default Infinity.
   */
  readonly maxConnections?: number;
  /** Whether SIGINT and SIGTERM shut the server down, a second one at once. Default true. */
  readonly handleSignals?: boolean;
  /** Seconds that running requests have when a signal or `signal` shuts the server down. Default 30. */
  readonly gracefulTimeout?: number;
  /** Shuts the server down when it fires. */
  readonly signal?: AbortSignal;
  /** Called once listening, instead of a line on standard error. */
  readonly onListen?: (address: Address) => void;
  /** Receives the text of `wsgi.errors` and the server's own reports. Default: standard error. */
  readonly errorLog?: (text: string) => void;
  /** Gets a record of each response that has ended, and of each request that was refused. Default: none, at no cost. */
  readonly accessLog?: AccessLog;
  /** Value of the Server response field. Default: none is sent. */
  readonly serverHeader?: string;
  /** Path the application is mounted at: becomes SCRIPT_NAME. Default `""`. */
  readonly scriptName?: string;
  /** `wsgi.url_scheme`: `"https"` behind a front end that ends TLS. Default `"http"`. */
  readonly urlScheme?: "http" | "https";
  /** Whether other processes serve the same application: `wsgi.multiprocess`. Default false. */
  readonly multiprocess?: boolean;
  /** What becomes of request fields with an underscore in their name. Default `"drop"`. */
  readonly headerMap?: HeaderMap;
  /** Longest request line, bytes. Default 8190. */
  readonly limitRequestLine?: number;
  /** Most header and trailer fields in a request. Default 100. */
  readonly limitRequestFields?: number;
  /** Longest header field line, bytes. Default 8190. */
  readonly limitRequestFieldSize?: number;
  /** Longest request body, bytes. Default Infinity: none. */
  readonly limitRequestBody?: number;
  /** Most bytes `wsgi.input.readline()` reads when it is given no size. Default 65536. */
  readonly limitReadline?: number;
  /** Seconds a request head may take from its first byte, that of a new connection from its beginning; then 408. Default 30. */
  readonly headerTimeout?: number;
  /** Seconds without a byte of a body that the application waits for; then 408. Default 60. */
  readonly bodyTimeout?: number;
  /**
   * Bytes a second that a client has to send of a body, on average, while the application waits for it; a slower one gets
   * 408. Over HTTP only. Default 240; 0 switches it off.
   */
  readonly minBodyRate?: number;
  /** Seconds of waiting for a body before `minBodyRate` counts. Default 5. */
  readonly minBodyRateGrace?: number;
  /**
   * Seconds a connection may be idle between requests; then it is closed. Default 75: longer than web servers and load
   * balancers keep theirs, so that these close it and never send a request to a connection that is being closed.
   */
  readonly keepAliveTimeout?: number;
  /** Seconds a client may take none of the output that waits for it; then it is cut. Default 60. */
  readonly writeTimeout?: number;
  /** Seconds a response may take; then 503, or it is cut. Default Infinity: off. */
  readonly requestTimeout?: number;
  /** Seconds an idle connection still serves what comes once shutdown has begun. Default 1. */
  readonly drainIdle?: number;
  /** Requests on one connection; the last one is answered with `Connection: close`. Default Infinity. */
  readonly maxRequestsPerConnection?: number;
  /** Most bytes `write()` takes while the client is slow and nobody awaits it. Default 1048576. */
  readonly writeBufferLimit?: number;
}

/**
 * The options that make sense where the host has the socket. After `signal` requests are answered for `drainIdle` seconds
 * more, then with 503; those that run have `gracefulTimeout` seconds.
 */
export type FetchOptions = Pick<
  ServeOptions,
  | "accessLog"
  | "drainIdle"
  | "errorLog"
  | "gracefulTimeout"
  | "headerMap"
  | "limitReadline"
  | "limitRequestBody"
  | "multiprocess"
  | "requestTimeout"
  | "scriptName"
  | "serverHeader"
  | "signal"
  | "urlScheme"
  | "writeBufferLimit"
>;
