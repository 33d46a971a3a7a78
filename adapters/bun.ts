/**
 * The host Bun: `Bun.listen`.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import process from "node:process";
import { listenError } from "../core/errors.ts";
import type { Application } from "../core/gateway/types.ts";
import type { ServeOptions } from "../core/options.ts";
import type { Address, Host, Listener } from "../core/seams.ts";
import { type Server, startServer } from "../core/server.ts";
import { type BunSocket, BunTransport } from "./bun_socket.ts";
import { latin1 } from "./latin1.ts";

/** What Bun tells of the sockets of a listener. */
interface BunHandlers {
  binaryType: "uint8array";
  open(socket: BunSocket): void;
  data(socket: BunSocket, bytes: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}

/** A listening socket. */
interface BunListener {
  readonly port: number;
  stop(closeConnections?: boolean): void;
}

/** The part of the global `Bun` that is used here. */
interface BunGlobal {
  listen(options: { hostname: string; port: number; allowHalfOpen: true; socket: BunHandlers }): BunListener;
}

declare const Bun: BunGlobal;

/** The host Bun. */
export const host: Host = {
  runtime: "bun",
  latin1,
  turn: (callback) => void setImmediate(callback),
  stderr: (text) => void process.stderr.write(text),
  env: (name) => process.env[name],
  listen: async (address, accept): Promise<Listener> => {
    const listener = await listen(address, {
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

async function listen(address: Address, socket: BunHandlers): Promise<BunListener> {
  const { hostname, port } = address;
  try {
    return Bun.listen({ hostname, port, allowHalfOpen: true, socket });
  } catch (error) {
    const { code } = error as { code?: string };
    // Bun gives no code when the name cannot be resolved.
    throw listenError(address, code || await lookup(hostname).then(() => "", () => "ENOTFOUND"), error);
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
