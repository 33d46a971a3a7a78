/**
 * The two ends of a socket, in the names that Node gives them.
 *
 * @module
 */

import type { Peer } from "../core/seams.ts";

/** What a socket says of its ends; of a Unix socket, nothing. */
export interface SocketAddresses {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** The ends of a socket, what is not known being `""`. */
export function peerOf(socket: SocketAddresses): Peer {
  return {
    remoteAddress: socket.remoteAddress ?? "",
    remotePort: String(socket.remotePort ?? ""),
    localAddress: socket.localAddress ?? "",
    localPort: String(socket.localPort ?? ""),
  };
}
