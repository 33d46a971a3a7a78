/**
 * The host Deno: `Deno.listen`.
 *
 * @module
 */

import { listenError } from "../core/errors.ts";
import type { Application } from "../core/gateway/types.ts";
import type { ServeOptions } from "../core/options.ts";
import type { Address, Connection, Host, Listener, Transport } from "../core/seams.ts";
import { type Server, startServer } from "../core/server.ts";
import { type DenoAddr, type DenoConn, DenoTransport } from "./deno_socket.ts";
import { latin1 } from "./latin1.ts";

/** A listening socket. */
interface DenoListener {
  readonly addr: DenoAddr;
  accept(): Promise<DenoConn>;
  close(): void;
}

/** The part of the global `Deno` that is used here. */
interface DenoGlobal {
  listen(options: { hostname: string; port: number }): DenoListener;
  readonly stderr: { writeSync(bytes: Uint8Array): number };
  readonly env: { get(name: string): string | undefined };
  readonly permissions: { querySync(descriptor: { name: "env"; variable: string }): { state: string } };
}

declare const Deno: DenoGlobal;

const ACCEPT_RETRY = 100; // ms to wait when there are no descriptors left

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

function listen(address: Address): DenoListener {
  try {
    return Deno.listen({ hostname: address.hostname, port: address.port });
  } catch (error) {
    const { name, message, code } = error as { name: string; message: string; code?: string };
    const byName = name === "AddrInUse" ? "EADDRINUSE" : name === "AddrNotAvailable" ? "EADDRNOTAVAIL" : undefined;
    throw listenError(address, code ?? byName ?? (/lookup|resolve/i.test(message) ? "ENOTFOUND" : ""), error);
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
