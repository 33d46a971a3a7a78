/**
 * The wires by name. A wire is loaded only when a server needs it.
 *
 * @module
 */

import type { Http1Config } from "./http1/config.ts";
import type { Protocol, Transport } from "../seams.ts";
import type { WireConnection } from "./wire.ts";

/** Creates a connection of one wire. */
export type Wire = (transport: Transport, config: Http1Config) => WireConnection;

const WIRES: Readonly<Record<Protocol, () => Promise<Wire>>> = {
  http: async () => (await import("./http1/connection.ts")).http1Connections(),
  fastcgi: async () => (await import("./fastcgi/connection.ts")).fastcgiConnection,
  scgi: async () => (await import("./scgi/connection.ts")).scgiConnection,
  uwsgi: async () => (await import("./uwsgi/connection.ts")).uwsgiConnection,
};

/** Loads a wire for one server. The connections of that server may share caches. */
export function loadWire(protocol: Protocol): Promise<Wire> {
  return WIRES[protocol]();
}
