/**
 * The options of `serve`, as an interface with its documentation.
 *
 * `core/server/option_table.ts` has a row for each option: its valid values, its default, and where it is valid.
 *
 * @module
 */

import type { AccessLog } from "../gateway/access_log.ts";
import type { HeaderMap } from "../wires/http1/request_head.ts";
import type { Address, Protocol, TcpAddress } from "../seams.ts";

/** A certificate with its key, each as the path of a file in PEM form or as the text of one. */
export interface TlsCertificate {
  /** The certificate, followed by the intermediate ones. */
  readonly cert: string;
  /** Its private key. Default: in the file of the certificate. */
  readonly key?: string;
  /** The passphrase of the key. */
  readonly passphrase?: string;
}

/** The options of TLS. */
export interface TlsOptions extends TlsCertificate {
  /** Further certificates. A client gets the one that is valid for the name that it asks for (SNI), else the first. */
  readonly sni?: readonly TlsCertificate[];
  /** Who may sign the certificates of clients: the path of a file in PEM form, or the text of one. */
  readonly ca?: string;
  /**
   * Whether clients are asked for a certificate. With `"optional"` a client may have none; with `"required"` it is
   * turned away. A certificate that `ca` has not signed is always refused. Default `"none"`.
   */
  readonly certReqs?: "none" | "optional" | "required";
  /** The oldest version that is spoken. Default `"TLSv1.2"`. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /**
   * The ciphers of TLS 1.2, as a list in OpenSSL's form: `"ECDHE+AESGCM:ECDHE+CHACHA20"`. Those of TLS 1.3 are always the
   * runtime's. Deno takes no list and refuses it. Default: the runtime's.
   */
  readonly ciphers?: string;
}

/** A field by which a proxy states whose request it relays. */
export type ForwardedHeader =
  | "X-Forwarded-For"
  | "X-Forwarded-Proto"
  | "X-Forwarded-Host"
  | "X-Forwarded-Port"
  | "X-Forwarded-Prefix"
  | "Forwarded";

/** The options of `serve`. All of them can be omitted. */
export interface ServeOptions {
  /**
   * Name or address to listen on; `"0.0.0.0"` or `"::"` for every interface. Default: the environment variable HOST where
   * it is an address or `localhost`, else `"127.0.0.1"`.
   */
  readonly hostname?: string;
  /** Port to listen on; 0 for a free one. Default: the environment variable PORT, else 8000. */
  readonly port?: number;
  /** Path of a Unix socket to listen on instead of a port. A stale socket, at which no server answers, is replaced. */
  readonly path?: string;
  /** File mode of that socket, as in `chmod`: `0o660`. Default: what the umask leaves. */
  readonly mode?: number;
  /** A file descriptor that already listens, from a parent process or systemd. Used instead of all of the above. */
  readonly fd?: number;
  /** Where that descriptor listens, for a runtime that cannot tell. Default: what the runtime tells. */
  readonly fdAddress?: Address;
  /**
   * Several places to listen at, instead of all of the above: `[{ port: 8000 }, { path: "/run/app.sock" }]`. They share
   * the application, the limits and the shutdown. An entry may also have its own `backlog`, `reusePort`, `tls`,
   * `allowIps`, `urlScheme`, `proxyProtocol`, `proxyAllowIps`, `forwardedAllowIps` and `forwardedHeaders`; the options of
   * the server are the defaults.
   */
  readonly listen?: readonly ListenEntry[];
  /** Most connections that the system queues until the server accepts them. Default: the runtime's, 511. */
  readonly backlog?: number;
  /** Whether several processes may listen on the port; the system then distributes the connections. Default false. */
  readonly reusePort?: boolean;
  /**
   * Speaks TLS: `{ cert: "/etc/tls/site.pem", key: "/etc/tls/site.key" }`. Requests then have the scheme https. Files
   * that change are read anew, and connections stay open. Over HTTP only. Default: no TLS.
   */
  readonly tls?: TlsOptions;
  /** The protocol: with clients, or with the web server in front. Default `"http"`. */
  readonly protocol?: Protocol;
  /**
   * Addresses and networks that may connect: `["192.0.2.7", "10.0.0.0/8"]`, or `"*"` for all. A peer that speaks FastCGI,
   * SCGI or uwsgi can set any variable of a request, so it must be trusted. Default: all for HTTP, only this machine for
   * the others. For Unix sockets the file mode decides instead.
   */
  readonly allowIps?: readonly string[] | "*";
  /**
   * Whether each connection begins with a prefix of the PROXY protocol, version 1 or 2, in which a load balancer states
   * the client's address. The address then is REMOTE_ADDR, and the one that the client has reached is SERVER_NAME and
   * SERVER_PORT. A connection without the prefix is closed. Default false.
   */
  readonly proxyProtocol?: boolean;
  /**
   * The load balancers whose prefix is believed, as in `allowIps`; connections of all others are closed. Default: only
   * this machine. For Unix sockets the file mode decides instead.
   */
  readonly proxyAllowIps?: readonly string[] | "*";
  /**
   * The proxies whose word about a client is believed: addresses, networks, `"unix"` for those at Unix sockets, or `"*"`.
   * From them, REMOTE_ADDR is the right-most address of X-Forwarded-For that is not one of these proxies, and
   * X-Forwarded-Proto is `wsgi.url_scheme`. A believed field that is malformed, or that contradicts another one, is a 400.
   * Over HTTP only. Default: nobody, and the fields change nothing.
   */
  readonly forwardedAllowIps?: readonly string[] | "*";
  /**
   * The fields that are believed, of X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Port,
   * X-Forwarded-Prefix and Forwarded. Name only what the proxies set or remove: most pass the others on as the client
   * has sent them. Default `["X-Forwarded-For", "X-Forwarded-Proto"]`.
   */
  readonly forwardedHeaders?: readonly ForwardedHeader[];
  /**
   * Most connections at a time. When one more arrives, the server closes the connection that has been idle between
   * requests for longest. If none is idle, the new one gets a 503 and is closed. Default Infinity.
   */
  readonly maxConnections?: number;
  /** Whether SIGINT and SIGTERM shut the server down; a second signal ends it at once. Default true. */
  readonly handleSignals?: boolean;
  /** Seconds that running requests have when a signal or `signal` shuts the server down. Default 30. */
  readonly gracefulTimeout?: number;
  /** Shuts the server down when it fires. */
  readonly signal?: AbortSignal;
  /** Called once listening, instead of a line on standard error: with the first address, and with all. */
  readonly onListen?: (address: Address, addresses: readonly Address[]) => void;
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
  /** How to treat request fields with an underscore in their name. Default `"drop"`. */
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
  /** Seconds for a request head from its first byte, or for the first one from the connection's start; then 408. Default 30. */
  readonly headerTimeout?: number;
  /** Seconds without a byte of a body that the application waits for; then 408. Default 60. */
  readonly bodyTimeout?: number;
  /**
   * Bytes per second that a client must send of a body, on average, while the application waits for it. A slower client
   * gets 408. Over HTTP only. Default 240; 0 switches it off.
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

/** A place to listen at, of several. The default of `hostname` is 127.0.0.1; one of `port`, `path` and `fd` is needed. */
export type ListenEntry = Pick<
  ServeOptions,
  | "allowIps"
  | "backlog"
  | "fd"
  | "fdAddress"
  | "forwardedAllowIps"
  | "forwardedHeaders"
  | "hostname"
  | "mode"
  | "path"
  | "port"
  | "proxyAllowIps"
  | "proxyProtocol"
  | "reusePort"
  | "tls"
  | "urlScheme"
>;

/** The options of a server that listens on one TCP port. */
export interface TcpServeOptions
  extends Omit<ServeOptions, "fd" | "fdAddress" | "listen" | "mode" | "onListen" | "path"> {
  /** Absent: a descriptor may be a Unix socket. */
  readonly fd?: undefined;
  /** Absent, as `fd` is. */
  readonly fdAddress?: undefined;
  /** Absent: several places have addresses of both kinds. */
  readonly listen?: undefined;
  /** Absent, as `path` is. */
  readonly mode?: undefined;
  /** Absent: it would be a Unix socket. */
  readonly path?: undefined;
  /** Called once listening, instead of a line on standard error. */
  readonly onListen?: (address: TcpAddress) => void;
}

/**
 * The options for a fetch host, which owns the socket. After `signal` fires, new requests are still served for `drainIdle`
 * seconds, then they get 503. Running requests have `gracefulTimeout` seconds.
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
