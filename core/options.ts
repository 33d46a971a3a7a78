/**
 * The options of a server, checked and with their defaults filled in.
 *
 * @module
 */

import { OptionError } from "./errors.ts";
import { accepts, expectedText, type OptionName, optionNames, optionTable } from "./option_table.ts";
import { ALL_PEERS, LOOPBACK, parseIps } from "./peers.ts";
import type { ServeOptions } from "./serve_options.ts";

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
  /** The environment variable FCGI_WEB_SERVER_ADDRS (FastCGI 3.2): the web servers that may connect. */
  readonly webServers?: string | undefined;
  /** Writes to standard error. */
  readonly errorLog: (text: string) => void;
  /** Whether the host is a fetch host, which has the socket: then only some options are valid. */
  readonly fetch?: boolean;
}

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
  const given = new Map(Object.entries(options).filter(([, value]) => value !== undefined));
  const protocol = given.get("protocol");
  const all: Record<string, unknown> = {};
  for (const name of optionNames) all[name] = optionTable[name].default;
  all.port = given.get("port") ?? portFrom(fromHost.port);
  all.allowIps = peersFor(protocol, fromHost.webServers);
  all.errorLog = fromHost.errorLog;
  for (const [name, value] of given) {
    const valid = fromHost.fetch === true ? optionNames.filter((one) => optionTable[one].fetch) : optionNames;
    if (!valid.includes(name as OptionName)) throw new OptionError(name, `one of ${valid.join(", ")}`, name);
    const { values } = optionTable[name as OptionName];
    if (!accepts(values, value)) throw new OptionError(name, expectedText(values), value);
    all[name] = value;
  }
  return all as unknown as Settings;
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
  if (!good) {
    throw new OptionError("FCGI_WEB_SERVER_ADDRS (environment)", "addresses with commas between them", webServers);
  }
  return named;
}
