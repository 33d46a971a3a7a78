/**
 * The host Bun: `Bun.listen`.
 *
 * @module
 */

import { listenError, pointingAtCall } from "../core/errors.ts";
import type { Application } from "../core/contract/types.ts";
import type { ServeOptions, TcpServeOptions } from "../core/server/serve_options.ts";
import type { Host, Listener, ListenOptions, Place, SocketKind, TcpAddress } from "../core/seams.ts";
import { type Server, startServer } from "../core/server/server.ts";
import { type BunSocket, BunTransport } from "./bun_socket.ts";
import { env } from "./environment.ts";
import { latin1With } from "./latin1.ts";
import { unknownAddress } from "./peer.ts";
import { writeStderr } from "./stderr.ts";
import type { UnixPath } from "./unix_path.ts";

/** The callbacks that Bun calls for the sockets of a listener. */
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
  readonly port?: number;
  stop(closeConnections?: boolean): void;
}

/** The part of the global `Bun` that is used here. */
interface BunGlobal {
  listen(
    options:
      & ({ hostname: string; port: number; reusePort: boolean } | { unix: string } | { fd: number })
      & { allowHalfOpen: true; socket: BunHandlers },
  ): BunListener;
}

declare const Bun: BunGlobal;
const { Buffer, process } = globalThis;

/** The host Bun. */
export const host: Host = {
  runtime: "bun",
  latin1: latin1With(Buffer),
  turn: (callback) => void setImmediate(callback),
  stderr: writeStderr,
  env,
  onSignal: (listener) => {
    process.on("SIGINT", listener).on("SIGTERM", listener);
    return () => void process.off("SIGINT", listener).off("SIGTERM", listener);
  },
  listen: async (options, accept, report): Promise<Listener> => {
    if (options.tls !== undefined) return (await import("./node.ts")).host.listen(options, accept, report);
    if (options.backlog !== undefined) (await import("./unsupported.ts")).refuseOnBun(options);
    // This comes before listening, since connections may arrive from then on.
    let { at } = options;
    if (at.transport === "fd" && at.address === undefined) at = (await import("./proc_sockets.ts")).located(at);
    const kind = at.transport === "fd" ? at.address?.transport : at.transport;
    // Imported only here, since it loads modules that TCP does not need.
    const unix = at.transport === "unix"
      ? await (await import("./unix_path.ts")).UnixPath.claim(at.path, options)
      : undefined;
    const listener = await listen(options, unix, {
      binaryType: "uint8array",
      open: (socket) => void new BunTransport(socket, accept, host.turn),
      data: (socket, bytes) => socket.data.data(bytes),
      drain: (socket) => socket.data.drain(),
      end: (socket) => socket.data.fin(),
      close: (socket, error) => socket.data.close(error),
      error: (socket, error) => socket.data.close(error),
    });
    try {
      unix?.publish();
    } catch (error) {
      listener.stop(true);
      throw error;
    }
    return {
      ...whereabouts(listener, at, kind),
      close: () => {
        unix?.release();
        listener.stop(false);
        return Promise.resolve();
      },
    };
  },
};

/**
 * The listening address and its kind. Bun does not reveal the address of a descriptor. Where the system does not either,
 * each request takes it from its own connection.
 */
function whereabouts(
  listener: BunListener,
  at: Place,
  kind: SocketKind | undefined,
): Pick<Listener, "address" | "kind"> {
  if (at.transport === "tcp") return { address: { ...at, port: listener.port ?? 0 }, kind };
  const address = at.transport === "unix" ? at : at.address;
  return address === undefined ? unknownAddress(kind) : { address, kind };
}

async function listen(
  options: ListenOptions,
  unix: UnixPath | undefined,
  socket: BunHandlers,
): Promise<BunListener> {
  const { at, reusePort } = options;
  const where = at.transport === "fd"
    ? { fd: at.fd }
    : at.transport === "unix"
    ? { unix: (unix as UnixPath).temporary }
    : { hostname: at.hostname, port: at.port, reusePort };
  const open = (): BunListener => Bun.listen({ ...where, allowHalfOpen: true, socket });
  try {
    return unix === undefined ? open() : unix.bind(open);
  } catch (error) {
    const { code } = error as { code?: string };
    throw listenError(at, code || (at.transport === "tcp" ? await unresolved(at.hostname) : ""), error);
  }
}

/** Returns ENOTFOUND for a name that cannot be resolved, because Bun gives no error code for that. */
async function unresolved(hostname: string): Promise<string> {
  const { lookup } = await import("node:dns/promises");
  return lookup(hostname).then(() => "", () => "ENOTFOUND");
}

/**
 * Serves an application with `Bun.listen`.
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
 * import { serve } from "tsgi/bun";
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
