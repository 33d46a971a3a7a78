/**
 * The targets by name. Each is loaded only when it runs, after its parsers were prepared for counting.
 *
 * @module
 */

import type { Target } from "../target.ts";

/** How to load a target. */
export interface TargetEntry {
  /** The files of core whose coverage is stated. They have to be known before the target imports them. */
  readonly parsers: readonly string[];
  /** Other files of core whose branches guide the search: what happens in them depends on what was parsed. */
  readonly guides?: readonly string[];
  /** Loads it. */
  load(): Promise<Target>;
}

const CGI = ["core/wires/cgi/environ.ts", "core/wires/cgi/variables.ts"];
const GUIDES = ["core/wires/cgi/connection.ts"];

/** All targets. */
export const targets: Readonly<Record<string, TargetEntry>> = {
  "http1": {
    parsers: [
      "core/wires/http1/head_parser.ts",
      "core/wires/http1/head_models.ts",
      "core/wires/http1/request_head.ts",
      "core/wires/http1/fields.ts",
      "core/wires/http1/target.ts",
    ],
    guides: ["core/wires/http1/connection.ts", "core/wires/http1/chunked_decoder.ts", "core/lifecycle/request.ts"],
    load: async () => (await import("./http1.ts")).http1,
  },
  "chunked": {
    parsers: ["core/wires/http1/chunked_decoder.ts"],
    load: async () => (await import("./chunked.ts")).chunked,
  },
  "fastcgi": {
    parsers: [
      "core/wires/fastcgi/records.ts",
      "core/wires/fastcgi/pairs.ts",
      "core/wires/fastcgi/management.ts",
    ],
    guides: ["core/wires/fastcgi/connection.ts", "core/wires/fastcgi/request.ts", ...CGI],
    load: async () => (await import("./fastcgi.ts")).fastcgi,
  },
  "scgi": {
    parsers: ["core/wires/scgi/connection.ts", ...CGI],
    guides: GUIDES,
    load: async () => (await import("./scgi.ts")).scgi,
  },
  "uwsgi": {
    parsers: ["core/wires/uwsgi/connection.ts", ...CGI],
    guides: GUIDES,
    load: async () => (await import("./uwsgi.ts")).uwsgi,
  },
  "proxy": {
    parsers: ["core/server/proxy_protocol.ts"],
    guides: ["core/server/peer_policy.ts"],
    load: async () => (await import("./proxy.ts")).proxy,
  },
  "forwarded": {
    parsers: ["core/server/forwarded_fields.ts"],
    load: async () => (await import("./forwarded.ts")).forwarded,
  },
  "x-forwarded": {
    parsers: ["core/server/forwarded.ts"],
    guides: ["core/server/forwarded_fields.ts"],
    load: async () => (await import("./x_forwarded.ts")).xForwarded,
  },
  "addresses": {
    parsers: ["core/server/peer_policy.ts", "core/ip_address.ts"],
    load: async () => (await import("./addresses.ts")).addresses,
  },
  "tls-options": {
    parsers: ["core/server/tls_options.ts"],
    load: async () => (await import("./tls_options.ts")).tlsOptions,
  },
  "names": {
    parsers: ["core/server/distinguished_name.ts"],
    load: async () => (await import("./names.ts")).names,
  },
};
