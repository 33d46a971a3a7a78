/**
 * The public API for hosts without sockets: Workers, browsers, and bundles for them import this file as `"tsgi"`. It
 * exports the names of `mod.ts`, so that one program can both serve and be bundled. It loads no module of Node.js, Deno
 * or Bun.
 *
 * @module
 */

import { ListenError } from "./core/errors.ts";
import type { Application } from "./core/contract/types.ts";
import type { TcpAddress } from "./core/seams.ts";
import type { ServeOptions, TcpServeOptions } from "./core/server/serve_options.ts";
import type { Server } from "./core/server/server.ts";
import type { SimpleServer } from "./core/server/simple_server.ts";

export * from "./mod_shared.ts";
export { toFetch } from "./adapters/fetch.ts";

/**
 * Always rejects, since this host has no sockets. Export a handler instead: `export default { fetch: toFetch(app) }`.
 *
 * @throws {ListenError} (as a rejection).
 *
 * @example
 * ```ts
 * import { ListenError } from "tsgi";
 * import { serve } from "./mod_fetch.ts";
 * const error = await serve(() => "hello\n").catch((error: unknown) => error);
 * console.assert(error instanceof ListenError && error.code === "ENOTSUP");
 * ```
 */
export function serve(_app: Application, _options?: TcpServeOptions): Promise<Server<TcpAddress>>;
/** Always rejects. */
export function serve(_app: Application, _options?: ServeOptions): Promise<Server>;
export function serve(_app: Application, _options?: ServeOptions | TcpServeOptions): Promise<Server> {
  return Promise.reject(noSockets());
}

/**
 * Always rejects, as {@linkcode serve} does.
 *
 * @throws {ListenError} (as a rejection).
 *
 * @example
 * ```ts
 * import { ListenError } from "tsgi";
 * import { makeServer } from "./mod_fetch.ts";
 * const error = await makeServer("127.0.0.1", 0, () => "hello\n").catch((error: unknown) => error);
 * console.assert(error instanceof ListenError);
 * ```
 */
export function makeServer(
  _host: string,
  _port: number,
  _app: Application,
  _options?: Omit<ServeOptions, "hostname" | "port">,
): Promise<SimpleServer> {
  return Promise.reject(noSockets());
}

function noSockets(): ListenError {
  const reason = "this host gives a program no sockets; give it a handler, export default { fetch: toFetch(app) }";
  return new ListenError("any address", reason, "ENOTSUP");
}
