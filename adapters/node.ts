/**
 * The host `node:net`: Node.js, and the same module under Deno and Bun.
 *
 * `node:net` streams handle short writes themselves. With `allowHalfOpen` a FIN from the client only ends reading; the
 * socket closes by itself once both sides have ended.
 *
 * @module
 */

import { createServer, type Server as NetServer, type Socket } from "node:net";
import process from "node:process";
import { ListenError, listenErrorReason } from "../core/errors.ts";
import type { Application } from "../core/gateway/types.ts";
import type { ServeOptions } from "../core/options.ts";
import type { Address, Connection, Host, Listener, Peer, Transport } from "../core/seams.ts";
import { type Server, startServer } from "../core/server.ts";
import { latin1 } from "./latin1.ts";
import { commit, drop, feed, flush, type Outlet, pending, reserve } from "./output.ts";

class NodeTransport implements Transport, Outlet {
  readonly peer: Peer;
  readonly #socket: Socket;
  #connection: Connection | undefined;
  #flowing = true; // false from a write above the mark to its drain event
  #error: Error | undefined;

  constructor(socket: Socket, accept: (transport: Transport) => Connection) {
    this.#socket = socket;
    this.peer = {
      remoteAddress: socket.remoteAddress ?? "",
      remotePort: String(socket.remotePort ?? ""),
      localAddress: socket.localAddress ?? "",
      localPort: String(socket.localPort ?? ""),
    };
    this.#connection = accept(this);
    socket.on("data", (bytes: Uint8Array) => feed(this, () => this.#connection?.receive(bytes)));
    socket.on("end", () => this.#connection?.ended());
    socket.on("drain", () => {
      this.#flowing = true;
      this.#connection?.drained();
    });
    socket.on("error", (error) => this.#error = error);
    socket.on("close", () => {
      drop(this);
      const connection = this.#connection;
      this.#connection = undefined;
      connection?.closed(this.#error);
    });
  }

  get buffered(): number {
    return this.#socket.writableLength + pending(this);
  }

  write(bytes: Uint8Array): boolean {
    if (pending(this) > 0) flush();
    this.send(bytes);
    return this.#flowing;
  }

  reserve(min: number): Uint8Array {
    return reserve(this, min);
  }

  commit(length: number): boolean {
    commit(this, length);
    return this.#flowing;
  }

  send(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable) return true;
    if (!socket.write(bytes)) this.#flowing = false;
    return socket.writableLength === 0; // else the stream still holds the memory
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  attach(next: Connection, leftover: Uint8Array): void {
    this.#connection = next;
    queueMicrotask(() => {
      if (leftover.length > 0) feed(this, () => this.#connection?.receive(leftover));
      this.#socket.resume();
    });
  }

  end(): void {
    if (pending(this) > 0) flush();
    this.#socket.end();
  }

  destroy(): void {
    drop(this);
    this.#socket.destroy();
  }
}

/** The host `node:net`. */
export const host: Host = {
  runtime: "node",
  latin1,
  turn: (callback) => void setImmediate(callback),
  stderr: (text) => void process.stderr.write(text),
  env: (name) => process.env[name],
  listen: (address, accept) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      new NodeTransport(socket, accept);
    });
    return new Promise<Listener>((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        const code = error.code ?? "";
        reject(
          new ListenError(address.hostname, address.port, listenErrorReason(code, error.message), code, {
            cause: error,
          }),
        );
      };
      server.once("error", failed);
      server.listen({ host: address.hostname, port: address.port }, () => {
        server.off("error", failed);
        server.on("error", () => {}); // accept failed, for want of descriptors: the next one may succeed
        resolve(listener(server, address));
      });
    });
  },
};

function listener(server: NetServer, asked: Address): Listener {
  const bound = server.address() as { port: number };
  return {
    address: { hostname: asked.hostname, port: bound.port },
    close: () => {
      server.close(); // frees the port at once; its callback would wait for the connections
      return Promise.resolve();
    },
  };
}

/**
 * Serves an application with `node:net`.
 *
 * @throws {ListenError} (as a rejection) when the address cannot be had.
 *
 * @example
 * ```ts
 * import { serve } from "./node.ts";
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
