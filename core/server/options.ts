/**
 * Checks the options of a server and fills in their defaults.
 *
 * A server with the option `listen` has a listener for each entry. Otherwise it has one, at `fd`, `path`, or `hostname`
 * and `port`. What an entry leaves out comes from the options of the server.
 *
 * @module
 */

import { describe, isPlainObject, nearest, OptionError } from "../errors.ts";
import type { ListenOptions, Place } from "../seams.ts";
import { accepts, expectedText, type OptionName, optionNames, optionTable } from "./option_table.ts";
import { ALL_PEERS, isAddress, LOOPBACK, parseIps } from "./peer_policy.ts";
import type { ListenEntry, ServeOptions, TlsOptions } from "./serve_options.ts";

/** What a server knows about one of its listeners before it listens. */
export interface ListenerSettings extends Omit<ListenOptions, "tls"> {
  /** Who may connect. */
  readonly allowIps: readonly string[] | "*";
  /** Scheme of its requests, unless a connection is secure itself. */
  readonly urlScheme: "http" | "https";
  /** Whether each connection begins with a prefix of the PROXY protocol. */
  readonly proxyProtocol: boolean;
  /** Whose prefixes are believed. */
  readonly proxyAllowIps: readonly string[] | "*";
  /** The proxies whose fields about clients are believed; undefined for none. */
  readonly forwardedAllowIps: readonly string[] | "*" | undefined;
  /** Which fields are believed. */
  readonly forwardedHeaders: readonly string[];
  /** The option `tls`. Its members are checked by the server, which loads the rules for them only if there is one. */
  readonly tls: GivenTls | undefined;
}

/** An option `tls` as it was given, with its name for messages: `"listen[1].tls"`. */
export interface GivenTls {
  readonly name: string;
  readonly options: TlsOptions;
}

/** Options with their defaults filled in. */
export type Settings =
  & Required<Omit<ServeOptions, Unset>>
  & { readonly [Name in Unset]: ServeOptions[Name] | undefined }
  & {
    /** The listeners of the server; none for a fetch host. */
    readonly listeners: readonly ListenerSettings[];
  };

/** Options without a default. */
type Unset =
  | "onListen"
  | "accessLog"
  | "path"
  | "mode"
  | "fd"
  | "fdAddress"
  | "listen"
  | "backlog"
  | "signal"
  | "tls"
  | "forwardedAllowIps";

/** The options of a server that are the defaults of its listeners. */
type ListenerDefaults = Omit<ListenerSettings, "at" | "mode" | "tls"> & {
  /** The value that `serve` was given. */
  readonly tls?: ListenEntry["tls"] | undefined;
};

/** All options of a listener. The compiler checks that none is missing. */
const ENTRY_OPTIONS: Readonly<Record<keyof ListenEntry, true>> = {
  allowIps: true,
  backlog: true,
  fd: true,
  fdAddress: true,
  forwardedAllowIps: true,
  forwardedHeaders: true,
  hostname: true,
  mode: true,
  path: true,
  port: true,
  proxyAllowIps: true,
  proxyProtocol: true,
  reusePort: true,
  tls: true,
  urlScheme: true,
};

/** The names of the options that an entry of `listen` can have. */
const entryOptions: readonly string[] = Object.keys(ENTRY_OPTIONS);

/** Options that decide where to listen, and the options that have no effect together with them. */
const WITHOUT_EFFECT: readonly (readonly [decides: string, ignored: readonly string[]])[] = [
  ["listen", ["fd", "fdAddress", "path", "mode", "hostname", "port"]],
  ["fd", ["path", "mode", "hostname", "port", "reusePort"]],
  ["path", ["hostname", "port", "reusePort"]],
];

/** Defaults that come from the host. */
export interface DefaultsFromHost {
  /** The environment variable PORT, where there is one. */
  readonly port: string | undefined;
  /** The environment variable HOST. */
  readonly hostname?: string | undefined;
  /** The environment variable FCGI_WEB_SERVER_ADDRS (FastCGI 3.2): the web servers that may connect. */
  readonly webServers?: string | undefined;
  /** Writes to standard error. */
  readonly errorLog: (text: string) => void;
  /** Whether the host is a fetch host. It owns the socket, so only some options are valid. */
  readonly fetch?: boolean;
}

/**
 * Fills in the defaults.
 *
 * @throws {OptionError} naming the first option that is unknown or has an invalid value.
 *
 * @example
 * ```ts
 * import { settings } from "./options.ts";
 * const all = settings({ port: 0 }, { port: undefined, errorLog: () => {} });
 * console.assert(all.hostname === "127.0.0.1" && all.limitRequestFields === 100);
 * ```
 */
export function settings(options: ServeOptions, fromHost: DefaultsFromHost): Settings {
  const given = givenBy(options, "options");
  const addressed = (["path", "fd", "listen"] as const).some((name) => given[name] !== undefined);
  const all: Record<string, unknown> = {};
  for (const name of optionNames) all[name] = optionTable[name].default;
  all.hostname = hostnameFrom(fromHost.hostname) ?? all.hostname;
  all.port = given.port ?? portFrom(addressed ? undefined : fromHost.port);
  all.allowIps = peersFor(given.protocol, fromHost.webServers);
  all.errorLog = fromHost.errorLog;
  if (fromHost.fetch === true) check(given, "FetchOptions", optionNames.filter((one) => optionTable[one].fetch));
  else check(given, "ServeOptions", optionNames);
  Object.assign(all, given);
  checkTogether(given);
  const listeners = fromHost.fetch === true ? [] : listenersOf(all as unknown as Settings);
  if (!listeners.some(believes)) lone(given, "forwardedHeaders", "forwardedAllowIps", NOBODY_BELIEVED);
  all.listeners = listeners;
  return all as unknown as Settings;
}

/** Checks the names and the values of options. */
function check(
  given: Readonly<Record<string, unknown>>,
  type: keyof typeof ELSEWHERE,
  valid: readonly string[],
  prefix = "",
): void {
  for (const [name, value] of Object.entries(given)) {
    if (!valid.includes(name)) throw unknownOption(name, type, valid, prefix);
    const { values } = optionTable[name as OptionName];
    expect(accepts(values, value), prefix + name, expectedText(values), value);
  }
}

/** The listeners of a server: one for each entry of `listen`, or the only one. */
function listenersOf(all: Settings): ListenerSettings[] {
  const listeners = all.listen === undefined ? [listenerOf(all as ListenEntry, all)] : entriesOf(all, all.listen);
  const secure = listeners.some((listener) => listener.tls !== undefined);
  expect(
    !secure || all.protocol === "http",
    "protocol",
    "http beside the option tls: web servers speak no other",
    all.protocol,
  );
  if (listeners.some(believes)) checkForwarding(all);
  return listeners;
}

/** Whether the fields of some proxy count. */
function believes({ forwardedAllowIps }: ListenerSettings): boolean {
  return forwardedAllowIps !== undefined;
}

const NOBODY_BELIEVED = "without it no proxy is believed";

/** Refuses options with which forwarded fields would not be what they seem. */
function checkForwarding({ protocol, headerMap }: Settings): void {
  expect(
    protocol === "http",
    "protocol",
    "http beside the option forwardedAllowIps: in other protocols the web server states the client in variables",
    protocol,
  );
  expect(
    headerMap !== "dangerous",
    "headerMap",
    "drop or refuse beside the option forwardedAllowIps: a client could send X_Forwarded_For past the proxy",
    headerMap,
  );
}

function entriesOf(all: Settings, entries: readonly ListenEntry[]): ListenerSettings[] {
  return [...entries].map((entry, i) => {
    const prefix = `listen[${i}].`;
    const given = givenBy(entry, `listen[${i}]`);
    check(given, "ListenEntry", entryOptions, prefix);
    checkTogether(given, prefix);
    const placed = given.port !== undefined || given.path !== undefined || given.fd !== undefined;
    expect(placed, `listen[${i}]`, "one of port, path and fd", entry);
    const listener = listenerOf(given as ListenEntry, all, prefix);
    if (!believes(listener)) lone(given, "forwardedHeaders", "forwardedAllowIps", NOBODY_BELIEVED, prefix);
    return listener;
  });
}

/** Why an option that exists is none of a type of options. */
const ELSEWHERE = {
  ServeOptions: "",
  FetchOptions: "toFetch has no such option, because its host owns the socket",
  ListenEntry: "it is an option of the server, not of one of its places",
};

/** The error for an option that does not exist, or not there. It offers the nearest name. */
function unknownOption(
  name: string,
  type: keyof typeof ELSEWHERE,
  valid: readonly string[],
  prefix: string,
): OptionError {
  if (Object.hasOwn(optionTable, name)) return new OptionError(prefix + name, ELSEWHERE[type]);
  const meant = nearest(name, valid);
  const hint = meant === undefined ? `the type ${type} lists all` : `did you mean ${meant}?`;
  return new OptionError(prefix + name, `there is no such option; ${hint}`);
}

/** The host name in HOST. Shells and build tools set HOST to other values, such as the machine's name: it is ignored then. */
function hostnameFrom(text: string | undefined): string | undefined {
  return text !== undefined && (text === "localhost" || isAddress(text)) ? text : undefined;
}

/**
 * A notice for a program whose platform sets PORT: such a platform connects from outside, and cannot reach a server at
 * 127.0.0.1. Undefined if no notice is necessary.
 */
export function loopbackNotice(options: ServeOptions, { port, hostname }: DefaultsFromHost): string | undefined {
  const asked = Number(port ?? 0); // 0 is for whoever wants any port, which is no platform
  if (asked === 0 || (options.port ?? asked) !== asked || hostnameFrom(hostname) !== undefined) return undefined;
  const placed = [options.hostname, options.path, options.fd, options.listen].some((one) => one !== undefined);
  if (placed) return undefined;
  const host = hostname === undefined || hostname === ""
    ? "HOST is not set or may not be read"
    : `HOST is ${describe(hostname)}, which is neither an address nor localhost`;
  return `PORT is set and ${host}: only this machine is served, at 127.0.0.1. ` +
    "For every interface set HOST=0.0.0.0, or give serve the option hostname.";
}

/**
 * The options that were given, in an object without a prototype, in which `__proto__` is an ordinary name. Only plain
 * objects are accepted, because inherited members would be ignored and are easily overlooked.
 */
function givenBy(options: ServeOptions, name: string): Record<string, unknown> {
  const example = name === "options" ? "serve(app, { port: 8000 })" : "listen: [{ port: 8000 }]";
  expect(isPlainObject(options), name, `a plain object, as in ${example}`, options);
  const given = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) given[name] = value;
  }
  return given;
}

/**
 * Refuses combinations of options of which one would be silently ignored.
 *
 * @param given The options, of the server or of an entry of `listen`.
 * @param prefix What stands before the names in messages: `"listen[1]."`.
 * @throws {OptionError} naming the option without an effect.
 */
function checkTogether(given: Readonly<Record<string, unknown>>, prefix: string = ""): void {
  for (const [decides, ignored] of WITHOUT_EFFECT) {
    if (given[decides] === undefined) continue;
    for (const name of ignored) {
      if (given[name] === undefined || given[name] === false) continue;
      const expected = `nothing beside the option ${prefix}${decides}, which decides where to listen`;
      throw new OptionError(prefix + name, expected, given[name]);
    }
  }
  lone(given, "mode", "path", "it is the mode of that socket", prefix);
  lone(given, "fdAddress", "fd", "it is where that descriptor listens", prefix);
}

/** Refuses an option that has no effect without the option `needs`. */
function lone(
  given: Readonly<Record<string, unknown>>,
  name: string,
  needs: string,
  why: string,
  prefix: string = "",
): void {
  if (given[name] === undefined || given[needs] !== undefined) return;
  throw new OptionError(prefix + name, `the option ${prefix}${needs} beside it: ${why}`, given[name]);
}

/**
 * The settings of a listener.
 *
 * @param entry Where it listens, and the settings that it has for itself.
 * @param defaults The settings of the server.
 */
function listenerOf(entry: ListenEntry, defaults: ListenerDefaults, prefix: string = ""): ListenerSettings {
  const at = placeOf(entry);
  return {
    at,
    mode: entry.mode,
    backlog: entry.backlog ?? defaults.backlog,
    reusePort: at.transport === "tcp" && (entry.reusePort ?? defaults.reusePort),
    allowIps: entry.allowIps ?? defaults.allowIps,
    urlScheme: entry.urlScheme ?? defaults.urlScheme,
    proxyProtocol: entry.proxyProtocol ?? defaults.proxyProtocol,
    proxyAllowIps: entry.proxyAllowIps ?? defaults.proxyAllowIps,
    forwardedAllowIps: entry.forwardedAllowIps ?? defaults.forwardedAllowIps,
    forwardedHeaders: entry.forwardedHeaders ?? defaults.forwardedHeaders,
    tls: givenTls(`${prefix}tls`, entry.tls) ?? givenTls("tls", defaults.tls),
  };
}

function givenTls(name: string, options: TlsOptions | undefined): GivenTls | undefined {
  return options === undefined ? undefined : { name, options };
}

function placeOf({ fd, fdAddress, path, hostname, port }: ListenEntry): Place {
  if (fd !== undefined) return { transport: "fd", fd, address: fdAddress };
  if (path !== undefined) return { transport: "unix", path };
  return { transport: "tcp", hostname: hostname ?? "127.0.0.1", port: port as number };
}

/** The port in the environment variable PORT, else 8000. */
function portFrom(text: string | undefined): number {
  if (text === undefined || text === "") return 8000;
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65535)) throw new OptionError("PORT (environment)", "a whole number from 0 to 65535", text);
  return port;
}

/**
 * The default of `allowIps`: everybody for HTTP. For other protocols only this machine, or for FastCGI the web servers in
 * the environment.
 */
function peersFor(protocol: unknown, webServers: string | undefined): ServeOptions["allowIps"] {
  if (protocol === undefined || protocol === "http") return ALL_PEERS;
  if (protocol !== "fastcgi" || webServers === undefined || webServers === "") return LOOPBACK;
  const named = webServers.split(",").map((one) => one.trim());
  const good = named.every((one) => parseIps(one) !== null);
  expect(good, "FCGI_WEB_SERVER_ADDRS (environment)", "addresses with commas between them", webServers);
  return named;
}

function expect(holds: boolean, name: string, expected: string, given: unknown): void {
  if (!holds) throw new OptionError(name, expected, given);
}
