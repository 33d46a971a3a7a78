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
import { listenError } from "../core/errors.ts";
import type { Application } from "../core/gateway/types.ts";
import type { ServeOptions } from "../core/options.ts";
import type { Address, Connection, Host, Listener, Peer, Transport } from "../core/seams.ts";
import { type Server, startServer } from "../core/server.ts";
import { latin1 } from "./latin1.ts";
import { BatchedOutput } from "./output.ts";

class NodeTransport extends BatchedOutput implements Transport {
  readonly peer: Peer;
  readonly #socket: Socket;
  #connection: Connection | undefined;
  #flowing = true; // false from a write above the mark to its drain event
  #error: Error | undefined;

  constructor(socket: Socket, accept: (transport: Transport) => Connection) {
    super();
    this.#socket = socket;
    this.peer = {
      remoteAddress: socket.remoteAddress ?? "",
      remotePort: String(socket.remotePort ?? ""),
      localAddress: socket.localAddress ?? "",
      localPort: String(socket.localPort ?? ""),
    };
    this.#connection = accept(this);
    socket.on("data", (bytes: Uint8Array) => this.feed(() => this.#connection?.receive(bytes)));
    socket.on("end", () => this.#connection?.ended());
    socket.on("drain", () => {
      this.#flowing = true;
      this.#connection?.drained();
    });
    socket.on("error", (error) => this.#error = error);
    socket.on("close", () => {
      this.drop();
      const connection = this.#connection;
      this.#connection = undefined;
      connection?.closed(this.#error);
    });
  }

  get buffered(): number {
    return this.#socket.writableLength + this.pending;
  }

  protected give(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (!socket.destroyed && socket.writable && !socket.write(bytes)) this.#flowing = false;
  }

  send(bytes: Uint8Array): boolean {
    this.give(bytes);
    return this.#socket.writableLength === 0; // else the stream still holds the memory
  }

  protected flowing(): boolean {
    return this.#flowing;
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
      if (leftover.length > 0) this.feed(() => this.#connection?.receive(leftover));
      this.#socket.resume();
    });
  }

  end(): void {
    this.flush();
    this.#socket.end();
  }

  destroy(): void {
    this.drop();
    this.#socket.destroy();
  }

  reset(): void {
    this.drop();
    // While a FIN is on its way libuv refuses to reset, and Node then never tells of the end.
    if (this.#socket.writableEnded) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }
}

/** The host `node:net`. */
export const host: Host = {
  runtime: "node",
  latin1,
  turn: (callback) => void setImmediate(callback),
  stderr: (text) => void process.stderr.write(text),
  env: (name) => {
    try {
      return process.env[name];
    } catch {
      return undefined; // under Deno, without permission
    }
  },
  listen: (address, accept) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      new NodeTransport(socket, accept);
    });
    return new Promise<Listener>((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        reject(listenError(address, error.code ?? "", error));
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
