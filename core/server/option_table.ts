/**
 * The table of options: the valid values of each, its default, and where it is valid.
 *
 * The table is data, so that all users share it. `settings()` checks options with it and fills in the defaults. The
 * `tsgi` command makes its settings, flags and docs/settings.md from it, and the options of its workers. The tests compare
 * docs/options.md with it. {@linkcode ServeOptions} is written by hand because of its documentation; the compiler reports
 * any difference between the two.
 *
 * @module
 */

import { BEYOND_LATIN1, CONTROL, CONTROL_IN_VALUE, isMountPoint } from "../grammar.ts";
import { ALL_PEERS, LOOPBACK, parseIps, UNIX_PEERS } from "./peer_policy.ts";
import type { Protocol } from "../seams.ts";
import type { FetchOptions, ServeOptions } from "./serve_options.ts";

/** The valid values of an option. The command parses text by the same description: see `cli/settings/kinds.ts`. */
export type Values =
  /** A whole number within bounds; with `unlimited` Infinity is valid too. */
  | { readonly type: "integer"; readonly least: number; readonly most?: number; readonly unlimited?: boolean }
  /** Seconds, with a fraction where it is wanted. */
  | { readonly type: "seconds"; readonly least: "from 0" | "above 0"; readonly unlimited?: boolean }
  | { readonly type: "boolean" }
  | { readonly type: "function" }
  | { readonly type: "word"; readonly words: readonly string[] }
  /** Text of a form. */
  | { readonly type: "text"; readonly expected: string; readonly holds: (text: string) => boolean }
  /** Anything else. */
  | { readonly type: "other"; readonly expected: string; readonly holds: (value: unknown) => boolean };

/** A row of the table. */
export interface Option<Name extends keyof ServeOptions> {
  /** The values that it takes. */
  readonly values: Values;
  /** Its default; undefined if it has none, or if the host supplies it. */
  readonly default: ServeOptions[Name] | undefined;
  /** Whether `toFetch` accepts it. There the host owns the socket. */
  readonly fetch: Name extends keyof FetchOptions ? true : false;
}

/** The names of all protocols. */
const PROTOCOLS: readonly Protocol[] = ["http", "fastcgi", "scgi", "uwsgi"];

const YES_OR_NO: Values = { type: "boolean" };
const FUNCTION: Values = { type: "function" };
const COUNT: Values = { type: "integer", least: 1 };
const COUNT_OR_ALL: Values = { type: "integer", least: 1, unlimited: true };
const SIZE_OR_ALL: Values = { type: "integer", least: 0, unlimited: true };
const TIME: Values = { type: "seconds", least: "from 0", unlimited: true };
const PEERS: Values = {
  type: "other",
  expected: 'an array of addresses and networks, or "*"',
  holds: (value) => value === ALL_PEERS || (Array.isArray(value) && [...value].every((one) => parseIps(one) !== null)),
};
const PROXIES: Values = {
  type: "other",
  expected: 'an array of addresses, networks and "unix", or "*"',
  holds: (value) => value === ALL_PEERS || (Array.isArray(value) && [...value].every(isProxy)),
};
const TIME_OUT: Values = { type: "seconds", least: "above 0", unlimited: true };

/** The fields by which proxies state whose request they relay. */
export const FORWARDED_HEADERS = [
  "X-Forwarded-For",
  "X-Forwarded-Proto",
  "X-Forwarded-Host",
  "X-Forwarded-Port",
  "X-Forwarded-Prefix",
  "Forwarded",
] as const;

/** Every option of `serve`. */
export const optionTable: { readonly [Name in keyof Required<ServeOptions>]: Option<Name> } = {
  hostname: {
    values: {
      type: "text",
      expected: "a host name or address",
      holds: (text) => text !== "" && !/[\s/]/.test(text) && !CONTROL.test(text),
    },
    default: "127.0.0.1",
    fetch: false,
  },
  port: { values: { type: "integer", least: 0, most: 65535 }, default: 8000, fetch: false },
  path: {
    values: { type: "text", expected: "a path", holds: (text) => text !== "" && !CONTROL.test(text) },
    default: undefined,
    fetch: false,
  },
  mode: {
    values: { type: "other", expected: "a file mode from 0 to 0o777", holds: (value) => isWhole(value, 0, 0o777) },
    default: undefined,
    fetch: false,
  },
  fd: {
    values: {
      type: "other",
      expected: "a file descriptor, a whole number from 0",
      holds: (value) => isWhole(value, 0, Infinity),
    },
    default: undefined,
    fetch: false,
  },
  fdAddress: {
    values: {
      type: "other",
      expected: 'an address: { transport: "tcp", hostname, port } or { transport: "unix", path }',
      holds: isAddressObject,
    },
    default: undefined,
    fetch: false,
  },
  listen: {
    values: {
      type: "other",
      expected: "an array of one place or more: { port }, { path } or { fd }",
      holds: (value) => Array.isArray(value) && value.length > 0, // settings() checks the entries
    },
    default: undefined,
    fetch: false,
  },
  backlog: { values: COUNT, default: undefined, fetch: false },
  reusePort: { values: YES_OR_NO, default: false, fetch: false },
  tls: {
    values: {
      type: "other",
      expected: "an object: { cert, key }",
      holds: (value) => typeof value === "object" && value !== null, // tlsSettings() checks its members
    },
    default: undefined,
    fetch: false,
  },
  protocol: { values: { type: "word", words: PROTOCOLS }, default: "http", fetch: false },
  allowIps: { values: PEERS, default: undefined, fetch: false },
  proxyProtocol: { values: YES_OR_NO, default: false, fetch: false },
  proxyAllowIps: { values: PEERS, default: LOOPBACK, fetch: false },
  forwardedAllowIps: { values: PROXIES, default: undefined, fetch: false },
  forwardedHeaders: {
    values: {
      type: "other",
      expected: `an array of one or more of ${FORWARDED_HEADERS.join(", ")}`,
      holds: (value) => Array.isArray(value) && value.length > 0 && [...value].every(isForwardedHeader),
    },
    default: ["X-Forwarded-For", "X-Forwarded-Proto"],
    fetch: false,
  },
  maxConnections: { values: COUNT_OR_ALL, default: Infinity, fetch: false },
  handleSignals: { values: YES_OR_NO, default: true, fetch: false },
  gracefulTimeout: { values: TIME, default: 30, fetch: true },
  signal: {
    values: { type: "other", expected: "an AbortSignal", holds: (value) => value instanceof AbortSignal },
    default: undefined,
    fetch: true,
  },
  onListen: { values: FUNCTION, default: undefined, fetch: false },
  errorLog: { values: FUNCTION, default: undefined, fetch: true },
  accessLog: { values: FUNCTION, default: undefined, fetch: true },
  serverHeader: {
    values: {
      type: "text",
      expected: "latin-1 text without control characters",
      holds: (text) => !CONTROL_IN_VALUE.test(text) && !BEYOND_LATIN1.test(text),
    },
    default: "",
    fetch: true,
  },
  scriptName: {
    values: {
      type: "text",
      expected: 'a path that begins with "/" and does not end with one, or ""',
      holds: isMountPoint,
    },
    default: "",
    fetch: true,
  },
  urlScheme: { values: { type: "word", words: ["http", "https"] }, default: "http", fetch: true },
  multiprocess: { values: YES_OR_NO, default: false, fetch: true },
  headerMap: { values: { type: "word", words: ["drop", "refuse", "dangerous"] }, default: "drop", fetch: true },
  limitRequestLine: { values: COUNT, default: 8190, fetch: false },
  limitRequestFields: { values: COUNT, default: 100, fetch: false },
  limitRequestFieldSize: { values: COUNT, default: 8190, fetch: false },
  limitRequestBody: { values: SIZE_OR_ALL, default: Infinity, fetch: true },
  limitReadline: { values: COUNT, default: 65536, fetch: true },
  headerTimeout: { values: TIME_OUT, default: 30, fetch: false },
  bodyTimeout: { values: TIME_OUT, default: 60, fetch: false },
  minBodyRate: { values: { type: "integer", least: 0 }, default: 240, fetch: false },
  minBodyRateGrace: { values: TIME_OUT, default: 5, fetch: false },
  keepAliveTimeout: { values: TIME_OUT, default: 75, fetch: false },
  writeTimeout: { values: TIME_OUT, default: 60, fetch: false },
  requestTimeout: { values: TIME_OUT, default: Infinity, fetch: true },
  drainIdle: { values: TIME, default: 1, fetch: true },
  maxRequestsPerConnection: { values: COUNT_OR_ALL, default: Infinity, fetch: false },
  writeBufferLimit: { values: SIZE_OR_ALL, default: 1048576, fetch: true },
};

/** The name of an option. */
export type OptionName = keyof ServeOptions;

/** The names of all options. */
export const optionNames: readonly OptionName[] = Object.keys(optionTable) as OptionName[];

/** The valid values as text for messages: `"a whole number from 0"`. */
export function expectedText(values: Values): string {
  switch (values.type) {
    case "integer": {
      const { least, most, unlimited } = values;
      const bounds = most === undefined ? `from ${least}` : `from ${least} to ${most}`;
      return `a whole number ${bounds}${unlimited === true ? ", or Infinity" : ""}`;
    }
    case "seconds":
      return `seconds ${values.least}${values.unlimited === true ? ", or Infinity" : ""}`;
    case "boolean":
      return "true or false";
    case "function":
      return "a function";
    case "word":
      return `one of ${values.words.join(", ")}`;
    default:
      return values.expected;
  }
}

/**
 * Whether a value is allowed.
 *
 * @example
 * ```ts
 * import { accepts } from "./option_table.ts";
 * console.assert(accepts({ type: "integer", least: 1 }, 7) && !accepts({ type: "integer", least: 1 }, 0.5));
 * ```
 */
export function accepts(values: Values, value: unknown): boolean {
  switch (values.type) {
    case "integer":
      return (values.unlimited === true && value === Infinity) || isWhole(value, values.least, values.most ?? Infinity);
    case "seconds": {
      if (typeof value !== "number" || !(values.least === "from 0" ? value >= 0 : value > 0)) return false;
      return values.unlimited === true || value !== Infinity;
    }
    case "boolean":
      return typeof value === "boolean";
    case "function":
      return typeof value === "function";
    case "word":
      return values.words.includes(value as string);
    case "text":
      return typeof value === "string" && values.holds(value);
    case "other":
      return values.holds(value);
  }
}

/** Whether a value names proxies: an address, a network, or those at Unix sockets. */
export function isProxy(value: unknown): boolean {
  return value === UNIX_PEERS || parseIps(value) !== null;
}

/** Whether a value is one of {@linkcode FORWARDED_HEADERS}. */
export function isForwardedHeader(value: unknown): boolean {
  return (FORWARDED_HEADERS as readonly unknown[]).includes(value);
}

function isAddressObject(value: unknown): boolean {
  const { transport, hostname, port, path } = Object(value) as Partial<Record<string, unknown>>;
  if (transport === "unix") return typeof path === "string";
  return transport === "tcp" && typeof hostname === "string" && isWhole(port, 0, 65535);
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}
