/**
 * The host for `node:net`: Node.js, and the same module under Deno and Bun.
 *
 * `node:net` streams handle partial writes themselves. With `allowHalfOpen` a FIN from the client only ends reading;
 * the socket closes by itself once both sides have ended.
 *
 * `process` and `Buffer` come from the globals. An import of their modules would make Node evaluate all their exports,
 * including standard input, which takes milliseconds.
 *
 * @module
 */

import { type AddressInfo, createServer, type Server as NetServer } from "node:net";
import { listenError, pointingAtCall } from "../core/errors.ts";
import type { Application } from "../core/contract/types.ts";
import type { ServeOptions, TcpServeOptions } from "../core/server/serve_options.ts";
import type { Host, Listener, Place, TcpAddress } from "../core/seams.ts";
import { type Server, startServer } from "../core/server/server.ts";
import { env } from "./environment.ts";
import { latin1With } from "./latin1.ts";
import { NodeTransport, turn } from "./node_socket.ts";
import { unknownAddress } from "./peer.ts";
import { writeStderr } from "./stderr.ts";

const { Buffer, process } = globalThis;

/** The host for `node:net`. */
export const host: Host = {
  runtime: "node",
  latin1: latin1With(Buffer),
  turn,
  stderr: writeStderr,
  env,
  onSignal: (listener) => {
    process.on("SIGINT", listener).on("SIGTERM", listener);
    return () => void process.off("SIGINT", listener).off("SIGTERM", listener);
  },
  listen: async (options, accept, report) => {
    const { backlog, reusePort, tls } = options;
    let { at } = options;
    if (process.versions.bun !== undefined) {
      (await import("./unsupported.ts")).refuseOnBun(options);
      // This comes before listening, since connections may arrive from then on.
      if (at.transport === "fd" && at.address === undefined) at = (await import("./proc_sockets.ts")).located(at);
    }
    const unix = at.transport === "unix"
      ? await (await import("./unix_path.ts")).UnixPath.claim(at.path, options)
      : undefined;
    const secure = tls === undefined ? undefined : await (await import("./tls.ts")).TlsEnd.open(tls, report);
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      (secure === undefined ? new NodeTransport(socket) : secure.transport(socket)).start(accept);
    });
    const more = backlog === undefined ? {} : { backlog };
    const where = at.transport === "fd"
      ? { fd: at.fd }
      : at.transport === "unix"
      ? { path: unix?.temporary }
      : { host: at.hostname, port: at.port, reusePort };
    await new Promise<void>((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => reject(listenError(at, error.code ?? "", error));
      server.once("error", failed);
      const listen = (): unknown =>
        server.listen({ ...where, ...more }, () => {
          server.off("error", failed);
          server.on("error", () => {}); // accept failed for lack of descriptors; the next one may succeed
          resolve();
        });
      if (unix === undefined) listen();
      else unix.bind(listen);
    });
    try {
      unix?.publish();
    } catch (error) {
      server.close();
      throw error;
    }
    secure?.watch();
    return {
      ...whereabouts(server, at),
      close: () => {
        unix?.release();
        secure?.close();
        server.close(); // frees the port at once; its callback would wait for the connections
        return Promise.resolve();
      },
    };
  },
};

/**
 * The address and kind of the listening socket. For the descriptor of a Unix socket, `node:net` gives no address on
 * Node.js. Bun gives none for any descriptor.
 */
function whereabouts(
  server: NetServer,
  at: Place,
): Pick<Listener, "address" | "kind"> {
  if (at.transport === "unix") return { address: at, kind: "unix" };
  const given = at.transport === "fd" ? at.address : undefined;
  const bound = server.address() as Partial<AddressInfo> | null;
  if (bound?.address !== undefined && bound.port !== undefined) {
    const hostname = at.transport === "tcp" ? at.hostname : bound.address;
    const found: TcpAddress = { transport: "tcp", hostname, port: bound.port };
    return { address: given?.transport === "tcp" ? given : found, kind: "tcp" };
  }
  const kind = bound === null ? "unix" : given?.transport;
  return given?.transport === kind && given !== undefined ? { address: given, kind } : unknownAddress(kind);
}

/**
 * Serves an application with `node:net`.
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
 * import { serve } from "tsgi/node";
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
