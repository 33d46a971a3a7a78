/**
 * The host Bun: `Bun.listen` and its sockets.
 *
 * `socket.write` takes what the system takes and says how much; the rest is kept here until `drain`. Without
 * `allowHalfOpen` Bun throws away output when the client sends FIN, and `end()` may drop output that was taken: so our
 * FIN is `shutdown()`, once nothing is kept, and the socket is closed when both sides have sent theirs.
 *
 * @module
 */

import process from "node:process";
import { ListenError, listenErrorReason } from "../core/errors.ts";
import type { Application } from "../core/gateway/types.ts";
import type { ServeOptions } from "../core/options.ts";
import type { Address, Connection, Host, Listener, Peer, Transport } from "../core/seams.ts";
import { type Server, startServer } from "../core/server.ts";
import { latin1 } from "./latin1.ts";
import { commit, drop, feed, flush, type Outlet, pending, reserve } from "./output.ts";

interface BunSocket {
  data: BunTransport;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly localAddress?: string;
  readonly localPort?: number;
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  shutdown(): void;
  end(): void;
  terminate(): void;
  setNoDelay?(on: boolean): void;
}

interface BunHandlers {
  binaryType: "uint8array";
  open(socket: BunSocket): void;
  data(socket: BunSocket, bytes: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}

interface BunListener {
  readonly port: number;
  stop(closeConnections?: boolean): void;
}

/** The part of Bun that is used here. */
declare const Bun: {
  listen(options: { hostname: string; port: number; allowHalfOpen: true; socket: BunHandlers }): BunListener;
};

class BunTransport implements Transport, Outlet {
  readonly peer: Peer;
  readonly #socket: BunSocket;
  #connection: Connection | undefined;
  #kept: Uint8Array[] = []; // what the system has not taken
  #keptBytes = 0;
  #needsDrain = false;
  #ending = false;
  #ended = false; // our FIN is out
  #peerEnded = false;
  #closed = false;
  #paused = false;
  #arrived: (Uint8Array | null)[] = []; // while paused; null is FIN

  constructor(socket: BunSocket, accept: (transport: Transport) => Connection) {
    this.#socket = socket;
    this.peer = {
      remoteAddress: socket.remoteAddress ?? "",
      remotePort: String(socket.remotePort ?? ""),
      localAddress: socket.localAddress ?? "",
      localPort: String(socket.localPort ?? ""),
    };
    this.#connection = accept(this);
  }

  // What Bun tells.

  data(bytes: Uint8Array): void {
    if (this.#paused) this.#arrived.push(bytes.slice());
    else feed(this, () => this.#connection?.receive(bytes));
  }

  fin(): void {
    if (this.#paused) this.#arrived.push(null);
    else this.#peerFin();
  }

  drain(): void {
    while (this.#kept.length > 0) {
      const bytes = this.#kept[0] as Uint8Array;
      const written = Math.max(0, this.#socket.write(bytes));
      this.#keptBytes -= written;
      if (written < bytes.length) {
        this.#kept[0] = bytes.subarray(written);
        return;
      }
      this.#kept.shift();
    }
    if (this.#needsDrain) {
      this.#needsDrain = false;
      feed(this, () => this.#connection?.drained());
    }
    if (this.#ending) this.#sendFin();
  }

  close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    drop(this);
    this.#kept = [];
    this.#keptBytes = 0;
    const connection = this.#connection;
    this.#connection = undefined;
    queueMicrotask(() => connection?.closed(error)); // Bun may be telling from inside a call of ours
  }

  // What a wire asks.

  get buffered(): number {
    return this.#keptBytes + pending(this);
  }

  write(bytes: Uint8Array): boolean {
    if (pending(this) > 0) flush();
    this.#output(bytes, false);
    return this.#flowing();
  }

  reserve(min: number): Uint8Array {
    return reserve(this, min);
  }

  commit(length: number): boolean {
    commit(this, length);
    return this.#flowing();
  }

  send(bytes: Uint8Array): boolean {
    this.#output(bytes, true);
    return true;
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket.resume();
    if (this.#arrived.length > 0) queueMicrotask(() => this.#deliver());
  }

  attach(next: Connection, leftover: Uint8Array): void {
    this.#connection = next;
    if (leftover.length > 0) this.#arrived.unshift(leftover);
    this.resume();
  }

  end(): void {
    if (pending(this) > 0) flush();
    this.#ending = true;
    if (this.#kept.length === 0) this.#sendFin();
  }

  destroy(): void {
    drop(this);
    if (!this.#closed) this.#socket.terminate();
  }

  #flowing(): boolean {
    if (this.#kept.length === 0) return true;
    this.#needsDrain = true;
    return false;
  }

  #output(bytes: Uint8Array, copy: boolean): void {
    if (this.#closed) return;
    const written = this.#kept.length > 0 ? 0 : Math.max(0, this.#socket.write(bytes));
    if (written === bytes.length) return;
    const rest = copy ? bytes.slice(written) : bytes.subarray(written);
    this.#kept.push(rest);
    this.#keptBytes += rest.length;
  }

  #deliver(): void {
    while (!this.#paused && this.#arrived.length > 0) {
      const bytes = this.#arrived.shift() as Uint8Array | null;
      if (bytes === null) this.#peerFin();
      else feed(this, () => this.#connection?.receive(bytes));
    }
  }

  #sendFin(): void {
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    if (this.#peerEnded) this.#socket.end();
    else this.#socket.shutdown();
  }

  #peerFin(): void {
    this.#peerEnded = true;
    if (this.#ended) this.#socket.end();
    else this.#connection?.ended();
  }
}

/** The host Bun. */
export const host: Host = {
  runtime: "bun",
  latin1,
  turn: (callback) => void setImmediate(callback),
  stderr: (text) => void process.stderr.write(text),
  env: (name) => process.env[name],
  // deno-lint-ignore require-await -- an error thrown is to become a rejection
  listen: async (address, accept): Promise<Listener> => {
    const listener = listen(address, {
      binaryType: "uint8array",
      open: (socket) => void (socket.data = new BunTransport(socket, accept)),
      data: (socket, bytes) => socket.data.data(bytes),
      drain: (socket) => socket.data.drain(),
      end: (socket) => socket.data.fin(),
      close: (socket, error) => socket.data.close(error),
      error: (socket, error) => socket.data.close(error),
    });
    return {
      address: { hostname: address.hostname, port: listener.port },
      close: () => Promise.resolve(listener.stop(false)),
    };
  },
};

function listen({ hostname, port }: Address, socket: BunHandlers): BunListener {
  try {
    return Bun.listen({ hostname, port, allowHalfOpen: true, socket });
  } catch (error) {
    const { message, code = "" } = error as { message: string; code?: string };
    throw new ListenError(hostname, port, listenErrorReason(code, message), code, { cause: error });
  }
}

/**
 * Serves an application with `Bun.listen`.
 *
 * @throws {ListenError} (as a rejection) when the address cannot be had.
 *
 * @example
 * ```ts
 * import { serve } from "./bun.ts";
 * const server = await serve((_environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return "hello\n";
 * }, { port: 0, onListen: () => {} });
 * console.assert(await (await fetch(`http://127.0.0.1:${server.address.port}/`)).text() === "hello\n");
 * await server.shutdown({ timeout: 0 });
 * ```
 */
export function serve(app: Application, options?: ServeOptions): Promise<Server> {
  return startServer(host, app, options);
}
