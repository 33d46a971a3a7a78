/**
 * Checks the options of a server and fills in their defaults.
 *
 * @module
 */

import { describe, nearest, OptionError } from "../errors.ts";
import { accepts, expectedText, type OptionName, optionNames, optionTable } from "./option_table.ts";
import { ALL_PEERS, isAddress, LOOPBACK, parseIps } from "./peer_policy.ts";
import type { ServeOptions } from "./serve_options.ts";

/** Options with their defaults filled in. */
export type Settings =
  & Required<Omit<ServeOptions, Unset>>
  & { readonly [Name in Unset]: ServeOptions[Name] | undefined };

/** Options without a default. */
type Unset = "onListen" | "accessLog" | "path" | "mode" | "fd" | "backlog" | "signal";

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
  const given = givenBy(options);
  const addressed = given.path !== undefined || given.fd !== undefined; // then a port says nothing
  const all: Record<string, unknown> = {};
  for (const name of optionNames) all[name] = optionTable[name].default;
  all.hostname = hostnameFrom(fromHost.hostname) ?? all.hostname;
  all.port = given.port ?? portFrom(addressed ? undefined : fromHost.port);
  all.allowIps = peersFor(given.protocol, fromHost.webServers);
  all.errorLog = fromHost.errorLog;
  for (const [name, value] of Object.entries(given)) {
    const known = Object.hasOwn(optionTable, name) ? optionTable[name as OptionName] : undefined;
    if (known === undefined || (fromHost.fetch === true && !known.fetch)) throw unknownOption(name, fromHost);
    const { values } = known;
    expect(accepts(values, value), name, expectedText(values), value);
    all[name] = value;
  }
  checkTogether(given);
  return all as unknown as Settings;
}

/** The error for an option that does not exist, or not on a fetch host. It offers the nearest name. */
function unknownOption(name: string, { fetch }: DefaultsFromHost): OptionError {
  if (Object.hasOwn(optionTable, name)) {
    return new OptionError(name, "toFetch has no such option, because its host owns the socket");
  }
  const valid = fetch === true ? optionNames.filter((one) => optionTable[one].fetch) : optionNames;
  const meant = nearest(name, valid);
  const type = fetch === true ? "FetchOptions" : "ServeOptions";
  const hint = meant === undefined ? `the type ${type} lists all` : `did you mean ${meant}?`;
  return new OptionError(name, `there is no such option; ${hint}`);
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
  if (options.hostname !== undefined || options.path !== undefined || options.fd !== undefined) return undefined;
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
function givenBy(options: ServeOptions): Record<string, unknown> {
  expect(isPlainObject(options), "options", "a plain object, as in serve(app, { port: 8000 })", options);
  const given = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) given[name] = value;
  }
  return given;
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null; // or the Object.prototype of another realm
}

/** Options that decide where to listen, and the options that have no effect together with them. */
const WITHOUT_EFFECT: readonly (readonly [decides: string, ignored: readonly string[]])[] = [
  ["fd", ["path", "mode", "hostname", "port", "reusePort"]],
  ["path", ["hostname", "port", "reusePort"]],
];

/** Refuses combinations of options of which one would be silently ignored. */
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
