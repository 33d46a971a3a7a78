/**
 * The addresses of both ends of a socket, under the names that Node uses, and of a listening descriptor.
 *
 * @module
 */

import type { Listener, Peer, SocketKind } from "../core/seams.ts";

/** The addresses that a socket reports. A Unix socket reports none. */
export interface SocketAddresses {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/**
 * The ends of a socket; unknown parts are `""`. The local address is read on demand, because it costs a system call.
 */
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

/** Makes the `Peer` of a socket. */
export function peerOf(socket: SocketAddresses): Peer {
  return new SocketPeer(socket);
}

/** What a listener states of a descriptor whose address the runtime does not tell. Unknown parts are `""` and 0. */
export function unknownAddress(kind: SocketKind | undefined): Pick<Listener, "address" | "kind"> {
  const unix = kind === "unix";
  return { address: unix ? { transport: "unix", path: "" } : { transport: "tcp", hostname: "", port: 0 }, kind };
}
