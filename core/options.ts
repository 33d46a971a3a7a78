/**
 * The options of a server: their defaults, and the check that refuses values they cannot have.
 *
 * @module
 */

import type { AccessLog } from "./gateway/access.ts";
import { describe, OptionError } from "./errors.ts";
import { BEYOND_LATIN1, CONTROL, CONTROL_IN_VALUE, isMountPoint } from "./grammar.ts";
import type { HeaderMap } from "./http1/request_head.ts";
import { ALL_PEERS, isAddress, LOOPBACK, parseIps } from "./peers.ts";
import type { Address } from "./seams.ts";
import { type Protocol, PROTOCOLS } from "./protocol.ts";

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

/** Options with their defaults filled in. */
export type Settings =
  & Required<Omit<ServeOptions, Unset>>
  & { readonly [Name in Unset]: ServeOptions[Name] | undefined };

/** Options without a default. */
type Unset = "onListen" | "accessLog" | "path" | "mode" | "fd" | "backlog" | "signal";

/** What the host adds to the defaults. */
export interface DefaultsFromHost {
  /** The environment variable PORT, where there is one. */
  readonly port: string | undefined;
  /** The environment variable HOST. */
  readonly hostname?: string | undefined;
  /** The environment variable FCGI_WEB_SERVER_ADDRS (FastCGI 3.2): the web servers that may connect. */
  readonly webServers?: string | undefined;
  /** Writes to standard error. */
  readonly errorLog: (text: string) => void;
}

const LIMITS = {
  limitRequestLine: 8190,
  limitRequestFields: 100,
  limitRequestFieldSize: 8190,
  limitRequestBody: Infinity,
  limitReadline: 65536,
  minBodyRate: 240,
  writeBufferLimit: 1048576,
  maxConnections: Infinity,
  maxRequestsPerConnection: Infinity,
} as const;

const TIMEOUTS = {
  headerTimeout: 30,
  bodyTimeout: 60,
  minBodyRateGrace: 5,
  keepAliveTimeout: 75,
  writeTimeout: 60,
  requestTimeout: Infinity,
  drainIdle: 1,
  gracefulTimeout: 30,
} as const;

/**
 * Fills in the defaults.
 *
 * @throws {OptionError} naming the first option that is unknown or has a value it cannot have.
 *
 * @example
 * ```ts
 * import { settings } from "./options.ts";
 * const all = settings({ port: 0 }, { port: undefined, errorLog: () => {} });
 * console.assert(all.hostname === "127.0.0.1" && all.limitRequestFields === 100);
 * ```
 */
export function settings(options: ServeOptions, fromHost: DefaultsFromHost): Settings {
  const given = givenBy(options);
  const addressed = given.path !== undefined || given.fd !== undefined; // then a port says nothing
  const all: Record<string, unknown> = {
    hostname: hostnameFrom(fromHost.hostname) ?? "127.0.0.1",
    port: given.port ?? portFrom(addressed ? undefined : fromHost.port),
    path: undefined,
    mode: undefined,
    fd: undefined,
    backlog: undefined,
    reusePort: false,
    protocol: "http",
    allowIps: peersFor(given.protocol, fromHost.webServers),
    handleSignals: true,
    signal: undefined,
    onListen: undefined,
    accessLog: undefined,
    errorLog: fromHost.errorLog,
    serverHeader: "",
    scriptName: "",
    urlScheme: "http",
    multiprocess: false,
    headerMap: "drop",
    ...LIMITS,
    ...TIMEOUTS,
  };
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(all, name)) throw new OptionError(name, `one of ${Object.keys(all).join(", ")}`, name);
    check(name, value);
    all[name] = value;
  }
  checkTogether(given);
  return all as unknown as Settings;
}

/** The name that HOST asks for. Shells and build tools set HOST to other things, the machine's name among them. */
function hostnameFrom(text: string | undefined): string | undefined {
  return text !== undefined && (text === "localhost" || isAddress(text)) ? text : undefined;
}

/**
 * What is to be said to a program whose platform tells the port by PORT: such a platform connects from outside, and finds
 * nobody at 127.0.0.1. Undefined where there is nothing to say.
 */
export function loopbackNotice(options: ServeOptions, { port, hostname }: DefaultsFromHost): string | undefined {
  const asked = Number(port ?? 0); // 0 is for whoever wants any port, which is no platform
  if (asked === 0 || (options.port ?? asked) !== asked || hostnameFrom(hostname) !== undefined) return undefined;
  if (options.hostname !== undefined || options.path !== undefined || options.fd !== undefined) return undefined;
  const host = hostname === undefined || hostname === ""
    ? "HOST is not set or may not be read"
    : `HOST is ${describe(hostname)}, which is neither an address nor localhost`;
  return `PORT is set and ${host}: only this machine is served, at 127.0.0.1. ` +
    "For every interface set HOST=0.0.0.0, or give serve the option hostname.";
}

/**
 * The options that were given, in an object without a prototype: `__proto__` is a name like any other there. Members
 * that an object inherits are easily overlooked, so that only plain objects are taken.
 */
function givenBy(options: ServeOptions): Record<string, unknown> {
  expect(isPlainObject(options), "options", "a plain object", options);
  const given = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) given[name] = value;
  }
  return given;
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null; // that of another realm will do
}

/** Options that decide where to listen, and those that have no effect beside them. */
const WITHOUT_EFFECT: readonly (readonly [decides: string, ignored: readonly string[]])[] = [
  ["fd", ["path", "mode", "hostname", "port", "reusePort"]],
  ["path", ["hostname", "port", "reusePort"]],
];

/** Refuses options that contradict each other, of which one would be ignored in silence. */
function checkTogether(given: Readonly<Record<string, unknown>>): void {
  for (const [decides, ignored] of WITHOUT_EFFECT) {
    if (given[decides] === undefined) continue;
    for (const name of ignored) {
      const absent = given[name] === undefined || given[name] === false;
      expect(absent, name, `nothing beside the option ${decides}, which decides where to listen`, given[name]);
    }
  }
  const lone = given.mode !== undefined && given.path === undefined;
  expect(!lone, "mode", "the option path beside it: it is the mode of that socket", given.mode);
}

/** The port that the environment asks for, else 8000. */
function portFrom(text: string | undefined): number {
  if (text === undefined || text === "") return 8000;
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65535)) throw new OptionError("PORT (environment)", "a whole number from 0 to 65535", text);
  return port;
}

/** Who may connect: to an HTTP server everybody, else this machine, or the web servers that the environment names. */
function peersFor(protocol: unknown, webServers: string | undefined): ServeOptions["allowIps"] {
  if (protocol === undefined || protocol === "http") return ALL_PEERS;
  if (protocol !== "fastcgi" || webServers === undefined || webServers === "") return LOOPBACK;
  const named = webServers.split(",").map((one) => one.trim());
  const good = named.every((one) => parseIps(one) !== null);
  expect(good, "FCGI_WEB_SERVER_ADDRS (environment)", "addresses with commas between them", webServers);
  return named;
}

function check(name: string, value: unknown): void {
  switch (name) {
    case "hostname":
      return expect(
        typeof value === "string" && value !== "" && !/[\s/]/.test(value) && !CONTROL.test(value),
        name,
        "a host name or address",
        value,
      );
    case "port":
      return expect(Number.isInteger(value) && between(value, 0, 65535), name, "a whole number from 0 to 65535", value);
    case "path":
      return expect(typeof value === "string" && value !== "" && !CONTROL.test(value), name, "a path", value);
    case "mode":
      return expect(wholeFrom(value, 0) && (value as number) <= 0o777, name, "a file mode from 0 to 0o777", value);
    case "fd":
      return expect(wholeFrom(value, 0), name, "a file descriptor, a whole number from 0", value);
    case "protocol":
      return expect(PROTOCOLS.includes(value as Protocol), name, `one of ${PROTOCOLS.join(", ")}`, value);
    case "allowIps":
      return expect(
        value === ALL_PEERS || (Array.isArray(value) && [...value].every((one) => parseIps(one) !== null)),
        name,
        'an array of addresses and networks, or "*"',
        value,
      );
    case "signal":
      return expect(value instanceof AbortSignal, name, "an AbortSignal", value);
    case "onListen":
    case "errorLog":
    case "accessLog":
      return expect(typeof value === "function", name, "a function", value);
    case "serverHeader":
      return expect(
        typeof value === "string" && !CONTROL_IN_VALUE.test(value) && !BEYOND_LATIN1.test(value),
        name,
        "latin-1 text without control characters",
        value,
      );
    case "scriptName":
      return expect(
        isMountPoint(value),
        name,
        'a path that begins with "/" and does not end with one, or ""',
        value,
      );
    case "urlScheme":
      return expect(value === "http" || value === "https", name, '"http" or "https"', value);
    case "multiprocess":
    case "reusePort":
    case "handleSignals":
      return expect(typeof value === "boolean", name, "true or false", value);
    case "headerMap":
      return expect(
        value === "drop" || value === "refuse" || value === "dangerous",
        name,
        '"drop", "refuse" or "dangerous"',
        value,
      );
    case "limitRequestBody":
    case "writeBufferLimit":
      return expect(value === Infinity || wholeFrom(value, 0), name, "a whole number from 0, or Infinity", value);
    case "maxConnections":
    case "maxRequestsPerConnection":
      return expect(value === Infinity || wholeFrom(value, 1), name, "a whole number from 1, or Infinity", value);
    case "minBodyRate":
      return expect(wholeFrom(value, 0), name, "a whole number of bytes a second, 0 for none", value);
    case "drainIdle":
    case "gracefulTimeout":
      return expect(between(value, 0, Infinity), name, "seconds from 0", value);
    case "headerTimeout":
    case "bodyTimeout":
    case "keepAliveTimeout":
    case "minBodyRateGrace":
    case "writeTimeout":
    case "requestTimeout":
      return expect(between(value, 0, Infinity) && value !== 0, name, "seconds above 0, or Infinity", value);
    default:
      return expect(wholeFrom(value, 1), name, "a whole number from 1", value);
  }
}

function expect(holds: boolean, name: string, expected: string, given: unknown): void {
  if (!holds) throw new OptionError(name, expected, given);
}

function wholeFrom(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && between(value, least, Infinity);
}

function between(value: unknown, least: number, most: number): boolean {
  return typeof value === "number" && value >= least && value <= most;
}
