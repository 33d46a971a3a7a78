/**
 * A server like that of `wsgiref.simple_server`: it listens at once, and serves when a method is called.
 *
 * @module
 */

import type { Application } from "../contract/types.ts";
import { settings } from "./options.ts";
import type { ServeOptions } from "./serve_options.ts";
import type { Host, TcpAddress } from "../seams.ts";
import { RunningServer, type ShutdownOptions } from "./server.ts";

/** The server that `makeServer` returns, with the methods that users of wsgiref know. */
export interface SimpleServer {
  /** The actual address; its port is the real one. */
  readonly address: TcpAddress;
  /** Serves another application from the next request on. */
  setApp(app: Application): void;
  /** Serves until `shutdown`; settles then. */
  serveForever(): Promise<void>;
  /** Answers the first request of the next connection, with `Connection: close`; settles when that connection is gone. */
  handleRequest(): Promise<void>;
  /** Stops as {@linkcode Server.shutdown} does. */
  shutdown(options?: ShutdownOptions): Promise<void>;
}

/**
 * Listens on a host for a {@linkcode SimpleServer}. Connections wait until one of its serving methods is called.
 *
 * @throws {ListenError} (as a rejection) when the address is not available.
 * @throws {OptionError} (as a rejection) for an option with an invalid value.
 * @throws {ApplicationError} (as a rejection) when `app` is not an application.
 */
export async function startSimpleServer(
  host: Host,
  hostname: string,
  port: number,
  app: Application,
  options: ServeOptions = {},
): Promise<SimpleServer> {
  const own = { handleSignals: false, onListen: () => {}, ...options, hostname, port };
  const all = settings(own, { port: undefined, errorLog: (text) => host.stderr(text) });
  const server = new RunningServer(host, app, all, { open: false });
  await server.listen();
  return {
    address: server.address as TcpAddress, // a host name and a port were given
    setApp: (next) => void (server.app = next),
    serveForever: () => {
      server.openUp();
      return server.finished;
    },
    handleRequest: () => server.handleOne(),
    shutdown: (how) => server.shutdown(how),
  };
}
