/**
 * The host Deno: `Deno.listen` and its connections.
 *
 * Reads and writes are promises here, so each socket has two loops. `conn.write` may take less than it is given. A
 * client that goes away is noticed by a pending read, so one is always pending unless the wire has paused.
 *
 * @module
 */

import { ListenError, listenErrorReason } from "../core/errors.ts";
import type { Application } from "../core/gateway/types.ts";
import type { ServeOptions } from "../core/options.ts";
import type { Address, Connection, Host, Listener, Peer, Transport } from "../core/seams.ts";
import { type Server, startServer } from "../core/server.ts";
import { latin1 } from "./latin1.ts";
import { commit, drop, feed, flush, HIGH_WATER_MARK, type Outlet, pending, reserve } from "./output.ts";

interface DenoAddr {
  readonly hostname?: string;
  readonly port?: number;
}

interface DenoConn {
  readonly localAddr: DenoAddr;
  readonly remoteAddr: DenoAddr;
  read(memory: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(on?: boolean): void;
}

interface DenoListener {
  readonly addr: DenoAddr;
  accept(): Promise<DenoConn>;
  close(): void;
}

/** The part of Deno that is used here. */
declare const Deno: {
  listen(options: { hostname: string; port: number }): DenoListener;
  readonly stderr: { writeSync(bytes: Uint8Array): number };
  readonly env: { get(name: string): string | undefined };
  readonly permissions: { querySync(descriptor: { name: "env"; variable: string }): { state: string } };
};

const FIRST_READ = 4096; // bytes: most requests fit, and an idle connection holds this much
const LATER_READ = 65536; // once a read has filled the first memory
const COPY_LIMIT = 16384; // bytes: larger output is given away with its memory
const ACCEPT_RETRY = 100; // ms to wait when there are no descriptors left

class DenoTransport implements Transport, Outlet {
  readonly #conn: DenoConn;
  #peer: Peer | undefined;
  #connection: Connection | undefined;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #writing = false;
  #needsDrain = false;
  #ending = false;
  #ended = false; // our FIN is out
  #peerEnded = false;
  #closed = false;
  #paused = false;
  #wake: (() => void) | undefined;

  constructor(conn: DenoConn, accept: (transport: Transport) => Connection) {
    this.#conn = conn;
    conn.setNoDelay?.(true);
    this.#connection = accept(this);
    this.#readLoop().catch((error) => this.#close(error));
  }

  get peer(): Peer {
    const { remoteAddr, localAddr } = this.#conn;
    return this.#peer ??= {
      remoteAddress: remoteAddr.hostname ?? "",
      remotePort: String(remoteAddr.port ?? ""),
      localAddress: localAddr.hostname ?? "",
      localPort: String(localAddr.port ?? ""),
    };
  }

  get buffered(): number {
    return this.#queued + pending(this);
  }

  write(bytes: Uint8Array): boolean {
    if (pending(this) > 0) flush();
    this.#enqueue(bytes);
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
    const copy = bytes.length <= COPY_LIMIT;
    this.#enqueue(copy ? bytes.slice() : bytes);
    return copy;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake?.();
    this.#wake = undefined;
  }

  attach(next: Connection, leftover: Uint8Array): void {
    this.#connection = next;
    queueMicrotask(() => {
      if (leftover.length > 0) feed(this, () => this.#connection?.receive(leftover));
      this.resume();
    });
  }

  end(): void {
    if (pending(this) > 0) flush();
    this.#ending = true;
    if (!this.#writing) queueMicrotask(() => this.#sendFin());
  }

  destroy(): void {
    queueMicrotask(() => this.#close());
  }

  #flowing(): boolean {
    if (this.#queued < HIGH_WATER_MARK) return true;
    this.#needsDrain = true;
    return false;
  }

  #enqueue(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    if (!this.#writing) this.#writeLoop().catch((error) => this.#close(error));
  }

  async #writeLoop(): Promise<void> {
    this.#writing = true;
    for (let bytes = this.#queue.shift(); bytes !== undefined; bytes = this.#queue.shift()) {
      for (let at = 0; at < bytes.length;) {
        const written = await this.#conn.write(at === 0 ? bytes : bytes.subarray(at));
        at += written;
        this.#queued -= written;
      }
      if (this.#needsDrain && this.#queued < HIGH_WATER_MARK) {
        this.#needsDrain = false;
        this.#connection?.drained();
      }
    }
    this.#writing = false;
    if (this.#ending) this.#sendFin();
  }

  #sendFin(): void {
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    this.#conn.closeWrite().then(() => {
      if (this.#peerEnded) this.#close();
    }, (error) => this.#close(error));
  }

  async #readLoop(): Promise<void> {
    let memory = new Uint8Array(FIRST_READ);
    while (!this.#closed) {
      const count = await this.#conn.read(memory);
      if (this.#paused) await new Promise<void>((resolve) => this.#wake = resolve);
      if (this.#closed) return;
      if (count === null) {
        this.#peerEnded = true;
        this.#connection?.ended();
        if (this.#ended) this.#close();
        return;
      }
      const bytes = memory.subarray(0, count);
      feed(this, () => this.#connection?.receive(bytes));
      if (count === FIRST_READ && memory.length === FIRST_READ) memory = new Uint8Array(LATER_READ);
    }
  }

  #close(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    drop(this);
    this.#queue = [];
    this.#queued = 0;
    try {
      this.#conn.close();
    } catch {
      // It is closed already.
    }
    this.resume(); // a read loop that is paused goes on, and ends
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.closed(error);
  }
}

/** The host Deno. */
export const host: Host = {
  runtime: "deno",
  latin1,
  turn: (callback) => void setTimeout(callback, 0),
  stderr: (text) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
  env: (name) => {
    const granted = Deno.permissions.querySync({ name: "env", variable: name }).state === "granted";
    return granted ? Deno.env.get(name) : undefined; // asking without permission would stop at a prompt
  },
  // deno-lint-ignore require-await -- an error thrown is to become a rejection
  listen: async (address, accept): Promise<Listener> => {
    const listener = listen(address);
    const state = { closed: false };
    acceptLoop(listener, accept, state);
    return {
      address: { hostname: address.hostname, port: listener.addr.port ?? address.port },
      close: () => {
        if (!state.closed) listener.close();
        state.closed = true;
        return Promise.resolve();
      },
    };
  },
};

function listen({ hostname, port }: Address): DenoListener {
  try {
    return Deno.listen({ hostname, port });
  } catch (error) {
    const { name, message, code } = error as { name: string; message: string; code?: string };
    const known = code ?? (name === "AddrInUse" ? "EADDRINUSE" : name === "AddrNotAvailable" ? "EADDRNOTAVAIL" : "");
    const unresolved = known === "" && /lookup|resolve/i.test(message) ? "ENOTFOUND" : known;
    throw new ListenError(hostname, port, listenErrorReason(unresolved, message), unresolved, { cause: error });
  }
}

async function acceptLoop(
  listener: DenoListener,
  accept: (transport: Transport) => Connection,
  state: { readonly closed: boolean },
): Promise<void> {
  while (!state.closed) {
    try {
      new DenoTransport(await listener.accept(), accept);
    } catch {
      // The listener was closed, a client left before it was accepted, or there are no descriptors left.
      if (!state.closed) await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY));
    }
  }
}

/**
 * Serves an application with `Deno.listen`. The permission `--allow-net` is enough.
 *
 * @throws {ListenError} (as a rejection) when the address cannot be had.
 *
 * @example
 * ```ts
 * import { serve } from "./deno.ts";
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
