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

/** The ends of a socket, what is not known being `""`. Ours is asked for only when somebody looks: that is a system call. */
class SocketPeer implements Peer {
  readonly remoteAddress: string;
  readonly remotePort: string;
  readonly #socket: SocketAddresses;

  constructor(socket: SocketAddresses) {
    this.remoteAddress = socket.remoteAddress ?? "";
    this.remotePort = String(socket.remotePort ?? "");
    this.#socket = socket;
  }

  get localAddress(): string {
    return this.#socket.localAddress ?? "";
  }

  get localPort(): string {
    return String(this.#socket.localPort ?? "");
  }
}

/** The ends of a socket. */
export function peerOf(socket: SocketAddresses): Peer {
  return new SocketPeer(socket);
}
