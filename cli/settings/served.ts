/**
 * Settings that are also options of `serve`. The table of options defines them; this module adds their help texts.
 *
 * The compiler checks that each option that the command has ({@linkcode COMMAND_NAMES}) has a text here. The kinds of
 * values and the defaults come from the table. {@linkcode serveOptions} converts settings back to options for a worker.
 * So a new option needs a row in the table and a sentence here.
 *
 * @module
 */

import { FORWARDED_HEADERS, isProxy, optionTable } from "../../core/server/option_table.ts";
import { ALL_PEERS, parseIps } from "../../core/server/peer_policy.ts";
import type { ForwardedHeader, ServeOptions } from "../../core/server/serve_options.ts";
import { integer, kindOf, list, optional, seconds, text } from "./kinds.ts";
import type { Kind, Setting } from "./setting.ts";

/**
 * The options that the `tsgi` command has too, and their names there. Where gunicorn has the setting, the name is
 * gunicorn's. Settings of the command that become options in another way (`bind`, `accessLogfile`) are not in this list.
 */
export const COMMAND_NAMES = {
  backlog: "backlog",
  protocol: "protocol",
  allowIps: "allowIps",
  proxyProtocol: "proxyProtocol",
  proxyAllowIps: "proxyAllowFrom",
  forwardedAllowIps: "forwardedAllowIps",
  forwardedHeaders: "forwardedHeaders",
  maxConnections: "workerConnections",
  gracefulTimeout: "gracefulTimeout",
  serverHeader: "serverHeader",
  scriptName: "scriptName",
  urlScheme: "urlScheme",
  headerMap: "headerMap",
  limitRequestLine: "limitRequestLine",
  limitRequestFields: "limitRequestFields",
  limitRequestFieldSize: "limitRequestFieldSize",
  limitRequestBody: "limitRequestBody",
  limitReadline: "limitReadline",
  headerTimeout: "headerTimeout",
  bodyTimeout: "bodyTimeout",
  minBodyRate: "minBodyRate",
  minBodyRateGrace: "minBodyRateGrace",
  keepAliveTimeout: "keepAlive",
  writeTimeout: "writeTimeout",
  requestTimeout: "requestTimeout",
  drainIdle: "drainIdle",
  maxRequestsPerConnection: "maxRequestsPerConnection",
  writeBufferLimit: "writeBufferLimit",
} as const;

/** The name of an option of `serve` that the command has too. */
export type ServedOption = keyof typeof COMMAND_NAMES;

/** Options whose default is chosen when the server starts. Their setting is null if it is not given. */
type Unset = "allowIps" | "backlog" | "forwardedAllowIps" | "forwardedHeaders";

/** The settings that are options, by the names that the command gives them. */
export type ServedSettings = {
  -readonly [Name in ServedOption as (typeof COMMAND_NAMES)[Name]]: Name extends "allowIps" | "forwardedAllowIps"
    ? readonly string[] | null
    : Name extends "proxyAllowIps" ? readonly string[]
    : Name extends Unset ? NonNullable<ServeOptions[Name]> | null
    : NonNullable<ServeOptions[Name]>;
};

/** What a setting adds to its option. */
interface Wording extends Pick<Setting<unknown>, "defaultText" | "help" | "restart"> {
  /** The kind, if the command takes other values than the option, or parses them in another way. */
  readonly kind?: Kind<unknown>;
  /** The placeholder of the value in help, if that of the kind is too general: `PATH`. */
  readonly metavar?: string;
  /** The default, if the command has another one than `serve`. */
  readonly default?: unknown;
}

const network = peers('addresses and networks, or "*"', (given) => parseIps(given) !== null);

const proxy = peers('addresses, networks and "unix", or "*"', isProxy);

/** One of those who may do something. In a list in text, there may be a space before it. */
function peers(expected: string, isOne: (given: string) => boolean): Kind<string> {
  const kind = text("ADDRESS", expected, (given) => given === ALL_PEERS || isOne(given));
  return { ...kind, parse: (given) => kind.parse(given.trim()) };
}

/** A field name. Its letter case does not matter. */
const forwardedHeader: Kind<ForwardedHeader> = {
  expected: `one of ${FORWARDED_HEADERS.join(", ")}`,
  metavar: "FIELD",
  parse: (given) => FORWARDED_HEADERS.find((name) => name.toLowerCase() === given.trim().toLowerCase()),
  check: (value) => FORWARDED_HEADERS.find((name) => name.toLowerCase() === String(value).toLowerCase()),
};

const WORDING: Readonly<Record<ServedOption, Wording>> = {
  backlog: {
    kind: optional(integer(1, 65535)),
    default: null,
    defaultText: "the runtime's, 511",
    restart: true,
    help: "Connections that the system holds until they are accepted. Bun has 512 and takes no other.",
  },
  protocol: {
    restart: true, // the mode of Unix sockets depends on it
    help: "What is spoken: HTTP with clients, or what the web server in front speaks.",
  },
  allowIps: {
    kind: optional(list(network, 1)),
    default: null,
    defaultText: "everybody for HTTP, this machine for the others",
    help: 'Who may connect over TCP. Addresses and networks such as `10.0.0.0/8`, or `"*"` for everybody.',
  },
  proxyProtocol: {
    help: "Whether each connection begins with a prefix of the PROXY protocol, in which a load balancer states the " +
      "client's address. Both versions are read. A connection without the prefix is closed.",
  },
  proxyAllowIps: {
    kind: list(network, 1),
    defaultText: "this machine",
    help: "The load balancers whose PROXY prefix is believed, as in `allowIps`. Connections of all others are closed.",
  },
  forwardedAllowIps: {
    kind: optional(list(proxy, 1)),
    default: null,
    defaultText: "nobody",
    help:
      "The proxies whose word about a client is believed: addresses, networks, `unix` for those at Unix sockets, or " +
      '`"*"`. From them, REMOTE_ADDR is the right-most address of X-Forwarded-For that is not one of these proxies. A ' +
      "believed field that is malformed, or that contradicts another one, is a 400. Over HTTP only.",
  },
  forwardedHeaders: {
    kind: optional(list(forwardedHeader, 1)),
    default: null,
    defaultText: "X-Forwarded-For, X-Forwarded-Proto",
    help: "The fields that `forwardedAllowIps` believes, of X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, " +
      "X-Forwarded-Port, X-Forwarded-Prefix and Forwarded. Name only what the proxies set or remove: most pass the " +
      "others on as the client has sent them.",
  },
  maxConnections: {
    kind: integer(1),
    default: 1000,
    help: "Connections that a worker holds at a time. For one more, the one that has been idle between " +
      "requests for longest is closed; where none is idle, the new one is answered with 503. " +
      "Where a process may not have so many open files (`ulimit -n`), a worker holds fewer, and the log says how many.",
  },
  gracefulTimeout: {
    kind: seconds("from 0"),
    help: "Seconds that running requests have when a worker is to stop. Then they are cut.",
  },
  serverHeader: { defaultText: "none is sent", help: "Value of the Server response field." },
  scriptName: { metavar: "PATH", help: "Where the application is mounted: SCRIPT_NAME." },
  urlScheme: { help: "`wsgi.url_scheme`. `https` behind a front end that ends TLS." },
  headerMap: {
    help: "What becomes of request fields with an underscore in their name, which would pose as those with a dash. " +
      "`refuse` answers 400, `dangerous` maps them.",
  },
  limitRequestLine: { help: "Bytes of a request line. Beyond it 414." },
  limitRequestFields: { help: "Header and trailer fields of a request. Beyond it 431." },
  limitRequestFieldSize: { help: "Bytes of a field line. Beyond it 431." },
  limitRequestBody: { help: "Bytes of a request body. Beyond it 413." },
  limitReadline: { help: "Bytes that `wsgi.input.readline()` reads at most when it is given no size." },
  headerTimeout: {
    help: "Seconds that a request head may take from its first byte; that of a new connection from its beginning. " +
      "Then 408.",
  },
  bodyTimeout: { help: "Seconds without a byte of a body that the application waits for. Then 408." },
  minBodyRate: {
    help:
      "Bytes a second that a client has to send of a body, on average, while the application waits for it. A slower " +
      "one gets 408. 0 switches it off, for clients that send as slowly as something happens. Over HTTP only: a web " +
      "server that speaks another protocol has limits of its own.",
  },
  minBodyRateGrace: { help: "Seconds of waiting for a body before `minBodyRate` counts." },
  keepAliveTimeout: {
    help:
      "Seconds that a connection may wait for its next request. Longer than those of the web server or load balancer " +
      "in front, of which most have 60: one that sends a request to a connection that is being closed answers 502.",
  },
  writeTimeout: { help: "Seconds in which a client may take none of the output that waits for it. Then it is cut." },
  requestTimeout: { help: "Seconds that a response may take. Then 503, or it is cut." },
  drainIdle: {
    kind: seconds("from 0"),
    help: "Seconds in which an idle connection still serves what comes once its worker is to stop. " +
      "Longer than the gaps between the requests of your keep-alive clients, and none of them fails.",
  },
  maxRequestsPerConnection: {
    help: "Requests on one connection. The last one is answered with `Connection: close`.",
  },
  writeBufferLimit: { help: "Bytes that `write()` takes while the client is slow and nobody awaits it." },
};

/** The settings of the named options, as part of a topic. */
export function served<Name extends ServedOption>(
  ...names: readonly Name[]
): { readonly [Each in Name as (typeof COMMAND_NAMES)[Each]]: Setting<ServedSettings[(typeof COMMAND_NAMES)[Each]]> } {
  const settings = names.map((name) => {
    const { values, default: usual } = optionTable[name];
    const { kind = kindOf(values), metavar = kind.metavar, default: value = usual, ...words } = WORDING[name];
    return [COMMAND_NAMES[name], { kind: { ...kind, metavar }, default: value, ...words }];
  });
  return Object.fromEntries(settings);
}

/** Converts settings to the options of a server. */
export function serveOptions(settings: ServedSettings): ServeOptions {
  const options = (Object.keys(COMMAND_NAMES) as ServedOption[])
    .map((name): [string, unknown] => [name, settings[COMMAND_NAMES[name]]])
    .filter(([, value]) => value !== null)
    .map(([name, value]) => [name, isPeers(name) && (value as string[]).includes(ALL_PEERS) ? ALL_PEERS : value]);
  return Object.fromEntries(options) as ServeOptions;
}

function isPeers(name: string): boolean {
  return name === "allowIps" || name === "proxyAllowIps" || name === "forwardedAllowIps";
}
