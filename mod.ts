/**
 * tsgi: WSGI for TypeScript. One application, `(environ, startResponse) => body`, on Node, Deno and Bun.
 *
 * @example A server
 * ```ts
 * import { type Environ, isMain, serve, type StartResponse } from "tsgi";
 *
 * export function app(environ: Environ, startResponse: StartResponse): string[] {
 *   startResponse("200 OK", [["Content-Type", "text/plain; charset=utf-8"]]);
 *   return [`Hello from ${environ.PATH_INFO}\n`];
 * }
 *
 * if (isMain(import.meta)) await serve(app);
 * ```
 *
 * @module
 */

import type { Application } from "./core/contract/types.ts";
import { asFunction } from "./core/contract/application.ts";
import { pointAtCall, pointingAtCall } from "./core/errors.ts";
import { settings } from "./core/server/options.ts";
import type { TcpAddress } from "./core/seams.ts";
import type { ServeOptions, TcpServeOptions } from "./core/server/serve_options.ts";
import type { Server } from "./core/server/server.ts";
import type { SimpleServer } from "./core/server/simple_server.ts";
import type { FetchHandler, FetchOptions } from "./adapters/fetch.ts";
import { isCgi } from "./adapters/environment.ts";

export * from "./mod_shared.ts";

/** The globals that identify a runtime. Each may be absent. */
interface Runtimes {
  readonly Deno?: unknown;
  readonly Bun?: unknown;
}

const runtimes = globalThis as unknown as Runtimes;

/**
 * Serves an application with the sockets of the runtime that this program runs on. When a web server has started the
 * program as a CGI script, answers that one request instead.
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
 * import { serve } from "tsgi";
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
  const all = options as ServeOptions | undefined;
  return pointingAtCall(async () => {
    if (isCgi()) return await (await import("./adapters/cgi.ts")).serve(app, all);
    return await (await adapter(all)).serve(app, all);
  });
}

/**
 * Makes a server like that of `wsgiref.simple_server.make_server`: the socket is bound at once, and requests are served
 * only when the program calls a method that serves.
 *
 * @param host Name or address to listen on.
 * @param port Port to listen on; 0 for a free one.
 * @param app The application; `setApp` changes it.
 * @param options See {@linkcode ServeOptions}; signals are left alone unless `handleSignals` is true.
 * @throws {ListenError} (as a rejection) when the address cannot be had.
 * @throws {OptionError} (as a rejection) for an option with a value it cannot have.
 * @throws {ApplicationError} (as a rejection) when `app` is no application.
 *
 * @example
 * ```ts
 * import { makeServer } from "tsgi";
 * const server = await makeServer("127.0.0.1", 0, (_environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return "hello\n";
 * });
 * const answer = fetch(`http://127.0.0.1:${server.address.port}/`);
 * await server.handleRequest();
 * console.assert(await (await answer).text() === "hello\n");
 * await server.shutdown({ timeout: 0 });
 * ```
 */
export function makeServer(
  host: string,
  port: number,
  app: Application,
  options?: Omit<ServeOptions, "hostname" | "port">,
): Promise<SimpleServer> {
  return pointingAtCall(async () => {
    const [{ startSimpleServer }, pinned] = await Promise.all([
      import("./core/server/simple_server.ts"),
      adapter(options),
    ]);
    return await startSimpleServer(pinned.host, host, port, app, options);
  });
}

/**
 * Turns an application into a fetch handler for `Deno.serve`, `Bun.serve` or `export default { fetch }`.
 *
 * @param app A function, a class, or an object with `wsgiApp` (PEP 3333, "The Application/Framework Side").
 * @param options Those of `serve` that need no socket.
 * @returns a function from a Request to a promise of a Response. An error of the application is a 500.
 * @throws {ApplicationError} when `app` is no application.
 * @throws {OptionError} for an option with a value it cannot have.
 *
 * @example
 * ```ts
 * import { toFetch } from "tsgi";
 * const handler = toFetch((_environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return ["hello"];
 * });
 * const response = await handler(new Request("http://localhost/"));
 * console.assert(response.status === 200 && await response.text() === "hello");
 * ```
 */
export function toFetch(app: Application, options: FetchOptions = {}): FetchHandler {
  // Wrong arguments throw here, at once. The adapter loads in the background; requests that come earlier wait for it.
  try {
    asFunction(app);
    settings(options, { port: undefined, errorLog: () => {}, fetch: true });
  } catch (error) {
    pointAtCall(error, new Error());
    throw error;
  }
  let handler: FetchHandler | undefined;
  const loaded = import("./adapters/fetch.ts").then((adapter) => handler = adapter.toFetch(app, options));
  return (request, info) => handler?.(request, info) ?? loaded.then((handle) => handle(request, info));
}

/**
 * Loads the adapter of the runtime this program runs on, and no other. On Deno, SCGI and uwsgi use node:net: with these
 * protocols only a TCP reset tells a front end that a response without a length was cut off. node:net can send a reset,
 * and Deno.listen cannot.
 */
function adapter({ protocol }: ServeOptions = {}): Promise<typeof import("./adapters/node.ts")> {
  // The server imports its wire once its own modules are loaded. HTTP/1.1 is loaded beside them, which saves Bun a
  // millisecond. An error is reported by the server's own import.
  if (protocol === undefined || protocol === "http") import("./core/wires/http1/connection.ts").catch(() => {});
  const resets = protocol === "scgi" || protocol === "uwsgi";
  if (runtimes.Deno !== undefined && !resets) return import("./adapters/deno.ts");
  if (runtimes.Bun !== undefined) return import("./adapters/bun.ts");
  return import("./adapters/node.ts");
}
