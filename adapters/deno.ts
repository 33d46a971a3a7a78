/**
 * The host for Deno: `Deno.listen`.
 *
 * Some `node:` modules are faster than what Deno has itself, but Deno needs several milliseconds to load them. So they
 * are loaded after the port is open. An early client then waits in the system's accept queue, and `serve` does not
 * wait.
 *
 * @module
 */

import { listenError, pointingAtCall } from "../core/errors.ts";
import { readLatin1 } from "../core/grammar.ts";
import type { Application } from "../core/contract/types.ts";
import type { ServeOptions, TcpServeOptions } from "../core/server/serve_options.ts";
import type { Address, Connection, Host, Listener, ListenOptions, TcpAddress, Transport } from "../core/seams.ts";
import { type Server, startServer } from "../core/server/server.ts";
import { env } from "./environment.ts";
import { latin1With } from "./latin1.ts";
import { type PromisedSocket, PromisedTransport, type SocketEnd } from "./promised_socket.ts";
import { writeStderr } from "./stderr.ts";

/** A listening socket. */
interface DenoListener {
  readonly addr: SocketEnd;
  accept(): Promise<PromisedSocket>;
  close(): void;
}

/** The part of the global `Deno` that is used here. */
interface DenoGlobal {
  listen(
    options: { hostname: string; port: number; tcpBacklog?: number } | { transport: "unix"; path: string },
  ): DenoListener;
  addSignalListener(signal: "SIGINT" | "SIGTERM", listener: () => void): void;
  removeSignalListener(signal: "SIGINT" | "SIGTERM", listener: () => void): void;
}

declare const Deno: DenoGlobal;

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
const ACCEPT_RETRY = 100; // ms to wait when there are no descriptors left
/** Names of the errors that accept throws when the client has already gone. */
const DEPARTURES: ReadonlySet<string> = new Set(["NotConnected", "ConnectionReset", "ConnectionAborted"]);

let loading: Promise<void> | undefined;

/** Loads a faster latin-1 decoder, and `setImmediate`. */
function load(): Promise<void> {
  return loading ??= laterTurn().then(async () => {
    const [{ setImmediate }, { Buffer }] = await Promise.all([import("node:timers"), import("node:buffer")]);
    host.latin1 = latin1With(Buffer);
    host.turn = (callback) => void setImmediate(callback);
  });
}

/**
 * Waits for a turn of the event loop in which `serve` has settled. Deno loads a module synchronously inside the call of
 * `import`. The first timer loads modules too, so a MessageChannel is used in its place.
 */
function laterTurn(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** The host Deno. */
export const host: Host = {
  runtime: "deno",
  latin1: readLatin1,
  turn: (callback) => void load().then(() => host.turn(callback)),
  stderr: writeStderr,
  env,
  onSignal: (listener) => {
    for (const signal of SIGNALS) Deno.addSignalListener(signal, listener);
    return () => SIGNALS.forEach((signal) => Deno.removeSignalListener(signal, listener));
  },
  listen: async (options, accept, report): Promise<Listener> => {
    const { at } = options;
    if (options.tls !== undefined) {
      const [node] = await Promise.all([import("./node.ts"), load()]);
      return node.host.listen(options, accept, report);
    }
    if (at.transport === "fd" || options.reusePort) (await import("./unsupported.ts")).refuseOnDeno(options);
    // Imported only here, since it loads modules that TCP does not need.
    const unix = at.transport === "unix"
      ? await (await import("./unix_path.ts")).UnixPath.claim(at.path, options)
      : undefined;
    const listener = unix === undefined ? listen(options, undefined) : unix.bind(() => listen(options, unix.temporary));
    try {
      unix?.publish();
    } catch (error) {
      listener.close();
      throw error;
    }
    const address = at as Address; // refuseOnDeno refuses descriptors
    const state = { closed: false };
    acceptLoop(listener, accept, state);
    return {
      address: address.transport === "tcp" ? { ...address, port: listener.addr.port ?? 0 } : address,
      kind: address.transport,
      close: () => {
        state.closed = true;
        unix?.release();
        listener.close();
        return Promise.resolve();
      },
    };
  },
};

/** Listens at the path, or at the address in the options. */
function listen(options: ListenOptions, path: string | undefined): DenoListener {
  const { at, backlog } = options;
  try {
    if (path !== undefined) return Deno.listen({ transport: "unix", path });
    const { hostname, port } = at as TcpAddress;
    return Deno.listen(backlog === undefined ? { hostname, port } : { hostname, port, tcpBacklog: backlog });
  } catch (error) {
    const { name, message, code } = error as { name: string; message: string; code?: string };
    const byName = name === "AddrInUse" ? "EADDRINUSE" : name === "AddrNotAvailable" ? "EADDRNOTAVAIL" : undefined;
    throw listenError(at, code ?? byName ?? (/lookup|resolve/i.test(message) ? "ENOTFOUND" : ""), error);
  }
}

async function acceptLoop(
  listener: DenoListener,
  accept: (transport: Transport) => Connection,
  state: { readonly closed: boolean },
): Promise<void> {
  await load();
  while (!state.closed) {
    try {
      open(await listener.accept(), accept);
    } catch (error) {
      // If the client left before it was accepted, the loop goes on at once. If descriptors are exhausted, it waits.
      const left = DEPARTURES.has((error as Error).name);
      if (!left && !state.closed) await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY));
    }
  }
}

function open(conn: PromisedSocket, accept: (transport: Transport) => Connection): void {
  try {
    new PromisedTransport(conn, accept, host.turn);
  } catch (error) {
    conn.close();
    throw error;
  }
}

/**
 * Serves an application with `Deno.listen`. The permission `--allow-net` is enough.
 *
 * @param app A function, a class, or an object with `wsgiApp` (PEP 3333, "The Application/Framework Side").
 * @param options See {@linkcode ServeOptions}; without any: HOST or else 127.0.0.1, PORT or else 8000.
 * @returns the server, once it listens.
 * @throws {ListenError} (as a rejection) when the address cannot be had.
 * @throws {OptionError} (as a rejection) for an option with a value it cannot have.
 * @throws {ApplicationError} (as a rejection) when `app` is no application.
 *
 * @example
 * ```ts
 * import { serve } from "tsgi/deno";
 * const server = await serve((_environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return "hello\n";
 * }, { port: 0, onListen: () => {} });
 * console.assert(await (await fetch(`http://127.0.0.1:${server.address.port}/`)).text() === "hello\n");
 * await server.shutdown({ timeout: 0 });
 * ```
 */
export function serve(app: Application, options?: TcpServeOptions): Promise<Server<TcpAddress>>;
/** Serves an application at a Unix socket, at a descriptor, or at several places. */
export function serve(app: Application, options?: ServeOptions): Promise<Server>;
export function serve(app: Application, options?: ServeOptions | TcpServeOptions): Promise<Server> {
  return pointingAtCall(() => startServer(host, app, options as ServeOptions | undefined));
}
