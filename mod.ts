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

import type { Application } from "./core/gateway/types.ts";
import { asFunction } from "./core/gateway/application.ts";
import { type ServeOptions, settings } from "./core/options.ts";
import type { Server } from "./core/server.ts";
import type { SimpleServer } from "./core/simple_server.ts";
import type { FetchHandler, FetchOptions } from "./adapters/fetch.ts";
import { isCgi } from "./adapters/environment.ts";

export type {
  Application,
  ApplicationClass,
  ApplicationFunction,
  ApplicationObject,
  Body,
  Chunk,
  Environ,
  StartResponse,
  Write,
} from "./core/gateway/types.ts";
export type { Address, Connection, HeaderList, Hijacked, Peer, Transport } from "./core/seams.ts";
export type { ServeOptions } from "./core/options.ts";
export type { HeaderMap } from "./core/http1/request_head.ts";
export type { Server, ShutdownOptions } from "./core/server.ts";
export type { SimpleServer } from "./core/simple_server.ts";
export type { AccessLog, AccessRecord } from "./core/gateway/access.ts";
export type { ErrorStream } from "./core/gateway/errors.ts";
export type { GatewayRequest } from "./core/gateway/request.ts";
export type { FetchHandler, FetchInfo, FetchOptions } from "./adapters/fetch.ts";
export type { Protocol } from "./core/protocol.ts";
export { type FileLike, FileWrapper } from "./core/gateway/file_wrapper.ts";
export { ListenError, OptionError } from "./core/errors.ts";
export { ApplicationError } from "./core/gateway/application.ts";
export { StartResponseError } from "./core/gateway/response.ts";
export { WriteError } from "./core/gateway/gateway.ts";
export { ClientDisconnectedError, RequestError } from "./core/gateway/request.ts";
export { InputStream, OverlappingReadError } from "./core/gateway/input.ts";
export {
  BodyTooLargeError,
  InputClosedError,
  InputError,
  MalformedBodyError,
  TruncatedBodyError,
} from "./core/gateway/request_body.ts";
export { VERSION } from "./core/version.ts";

/** The globals by which a runtime is told; none needs to exist. */
interface Runtimes {
  readonly Deno?: unknown;
  readonly Bun?: unknown;
  readonly process?: {
    readonly argv: readonly string[];
    getBuiltinModule?(name: string): { pathToFileURL(path: string): URL; realpathSync(path: string): string };
  };
}

const runtimes = globalThis as unknown as Runtimes;

/**
 * Serves an application on the runtime this program runs on, over its own sockets; or, when a web server has started the
 * program as a CGI script, answers the one request it was started for.
 *
 * @param app A function, a class, or an object with `wsgiApp` (PEP 3333, "The Application/Framework Side").
 * @param options See {@linkcode ServeOptions}; without any: 127.0.0.1, port from PORT or else 8000.
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
export async function serve(app: Application, options?: ServeOptions): Promise<Server> {
  if (isCgi()) return (await import("./adapters/cgi.ts")).serve(app, options);
  return (await adapter(options)).serve(app, options);
}

/**
 * A server as `wsgiref.simple_server.make_server` makes it: it is bound at once, and serves when it is told to.
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
export async function makeServer(
  host: string,
  port: number,
  app: Application,
  options?: Omit<ServeOptions, "hostname" | "port">,
): Promise<SimpleServer> {
  const [{ startSimpleServer }, pinned] = await Promise.all([import("./core/simple_server.ts"), adapter(options)]);
  return startSimpleServer(pinned.host, host, port, app, options);
}

/**
 * Makes a fetch handler of an application: for `Deno.serve`, `Bun.serve`, `export default { fetch }`.
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
  // What is wrong is said here. The adapter is there before the first request, or that one waits for it.
  asFunction(app);
  settings(options, { port: undefined, errorLog: () => {} });
  let handler: FetchHandler | undefined;
  const loaded = import("./adapters/fetch.ts").then((adapter) => handler = adapter.toFetch(app, options));
  return (request, info) => handler?.(request, info) ?? loaded.then((handle) => handle(request, info));
}

/**
 * The adapter of the runtime this program runs on; the others are not loaded. Over SCGI and uwsgi only a reset tells a
 * front end that a response without a length was cut off: on Deno, node:net can send one and Deno.listen cannot.
 */
function adapter({ protocol }: ServeOptions = {}): Promise<typeof import("./adapters/node.ts")> {
  const resets = protocol === "scgi" || protocol === "uwsgi";
  if (runtimes.Deno !== undefined && !resets) return import("./adapters/deno.ts");
  if (runtimes.Bun !== undefined) return import("./adapters/bun.ts");
  return import("./adapters/node.ts");
}

/**
 * Whether a module is the program that was started, not one that was imported: `import.meta.main`, also where Node.js
 * does not have it (before 24.2).
 *
 * @param meta The module's `import.meta`.
 * @returns false also where the runtime does not tell which program was started.
 *
 * @example
 * ```ts
 * import { isMain } from "tsgi";
 * if (isMain(import.meta)) console.log("started as a program");
 * ```
 */
export function isMain(meta: { readonly url: string; readonly main?: boolean }): boolean {
  if (typeof meta.main === "boolean") return meta.main;
  const script = runtimes.process?.argv[1];
  const builtin = (name: string) => runtimes.process?.getBuiltinModule?.(name);
  const path = script === undefined ? undefined : builtin("node:fs")?.realpathSync(script);
  return path !== undefined && builtin("node:url")?.pathToFileURL(path).href === meta.url;
}
