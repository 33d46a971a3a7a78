/**
 * The listeners of a server: from its options, the place, the policy and the scheme of each.
 *
 * A server with the option `listen` has a listener for each entry. Otherwise it has one, at `fd`, `path`, or `hostname`
 * and `port`. What an entry leaves out comes from the options of the server.
 *
 * @module
 */

import { OptionError } from "../errors.ts";
import type { Descriptor, ListenOptions, Place } from "../seams.ts";
import type { ListenEntry } from "./serve_options.ts";
import { tlsSettings } from "./tls_options.ts";

/** What a server knows about one of its listeners before it listens. */
export interface ListenerSettings extends ListenOptions {
  /** Who may connect. */
  readonly allowIps: readonly string[] | "*";
  /** Scheme of its requests, unless a connection is secure itself. */
  readonly urlScheme: "http" | "https";
  /** Whether each connection begins with a prefix of the PROXY protocol. */
  readonly proxyProtocol: boolean;
  /** Whose prefixes are believed. */
  readonly proxyAllowIps: readonly string[] | "*";
}

/** The options of a server that are the defaults of its listeners. */
export type ListenerDefaults = Omit<ListenerSettings, "at" | "mode" | "tls"> & {
  /** What `serve` was given. */
  readonly tls?: ListenEntry["tls"] | undefined;
};

/** All options of a listener. The compiler checks that none is missing. */
const ENTRY_OPTIONS: Readonly<Record<keyof ListenEntry, true>> = {
  allowIps: true,
  backlog: true,
  fd: true,
  fdAddress: true,
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
export const entryOptions: readonly string[] = Object.keys(ENTRY_OPTIONS);

/** Options that decide where to listen, and the options that have no effect together with them. */
const WITHOUT_EFFECT: readonly (readonly [decides: string, ignored: readonly string[]])[] = [
  ["listen", ["fd", "fdAddress", "path", "mode", "hostname", "port"]],
  ["fd", ["path", "mode", "hostname", "port", "reusePort"]],
  ["path", ["hostname", "port", "reusePort"]],
];

/**
 * Refuses combinations of options of which one would be silently ignored.
 *
 * @param given The options, of the server or of an entry of `listen`.
 * @param prefix What stands before the names in messages: `"listen[1]."`.
 * @throws {OptionError} naming the option without an effect.
 */
export function checkTogether(given: Readonly<Record<string, unknown>>, prefix: string = ""): void {
  for (const [decides, ignored] of WITHOUT_EFFECT) {
    if (given[decides] === undefined) continue;
    for (const name of ignored) {
      if (given[name] === undefined || given[name] === false) continue;
      const expected = `nothing beside the option ${prefix}${decides}, which decides where to listen`;
      throw new OptionError(prefix + name, expected, given[name]);
    }
  }
  const lone = (name: string, needs: string, why: string): void => {
    if (given[name] === undefined || given[needs] !== undefined) return;
    throw new OptionError(prefix + name, `the option ${prefix}${needs} beside it: ${why}`, given[name]);
  };
  lone("mode", "path", "it is the mode of that socket");
  lone("fdAddress", "fd", "it is where that descriptor listens");
}

/**
 * The settings of a listener.
 *
 * @param entry Where it listens, and the settings that it has for itself.
 * @param defaults The settings of the server.
 * @param prefix What stands before the names in messages: `"listen[1]."`.
 * @throws {OptionError} for a wrong member of the option `tls`.
 *
 * @example
 * ```ts
 * import { listenerOf } from "./listeners.ts";
 * const defaults = {
 *   allowIps: "*", urlScheme: "http", proxyProtocol: false, proxyAllowIps: [], backlog: undefined, reusePort: false,
 * } as const;
 * const { at, urlScheme } = listenerOf({ path: "/run/app.sock", urlScheme: "https" }, defaults);
 * console.assert(at.transport === "unix" && urlScheme === "https");
 * ```
 */
export function listenerOf(entry: ListenEntry, defaults: ListenerDefaults, prefix: string = ""): ListenerSettings {
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
    tls: tlsSettings(entry.tls, `${prefix}tls`) ?? tlsSettings(defaults.tls, "tls"),
  };
}

function placeOf({ fd, fdAddress, path, hostname, port }: ListenEntry): Place {
  if (fd !== undefined) return { transport: "fd", fd, address: fdAddress } satisfies Descriptor;
  if (path !== undefined) return { transport: "unix", path };
  return { transport: "tcp", hostname: hostname ?? "127.0.0.1", port: port as number };
}
