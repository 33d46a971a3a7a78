/**
 * The part of the public API that is the same on hosts with sockets (`mod.ts`) and without (`mod_fetch.ts`).
 *
 * @module
 */

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
} from "./core/contract/types.ts";
export type { Address, HeaderList, Peer, Protocol, TcpAddress, UnixAddress } from "./core/seams.ts";
export type {
  ForwardedHeader,
  ListenEntry,
  ServeOptions,
  TcpServeOptions,
  TlsCertificate,
  TlsOptions,
} from "./core/server/serve_options.ts";
export type { HeaderMap } from "./core/wires/http1/request_head.ts";
export type { Server, ShutdownOptions } from "./core/server/server.ts";
export type { SimpleServer } from "./core/server/simple_server.ts";
export type { AccessLog, AccessRecord } from "./core/gateway/access_log.ts";
export type { ErrorStream } from "./core/contract/error_stream.ts";
export type { GatewayRequest } from "./core/contract/tsgi_request.ts";
export type { UpgradedSocket } from "./core/contract/upgraded_socket.ts";
export type { FetchHandler, FetchInfo, FetchOptions } from "./adapters/fetch.ts";
export { type FileLike, FileWrapper } from "./core/contract/file_wrapper.ts";
export { ListenError, OptionError, TlsError } from "./core/errors.ts";
export { ApplicationError } from "./core/contract/application.ts";
export { StartResponseError } from "./core/contract/response_head.ts";
export { WriteError } from "./core/gateway/gateway.ts";
export { RequestError } from "./core/contract/tsgi_request.ts";
export { InputStream, OverlappingReadError } from "./core/contract/input_stream.ts";
export {
  BodyTooLargeError,
  ClientDisconnectedError,
  InputClosedError,
  InputError,
  MalformedBodyError,
  TruncatedBodyError,
} from "./core/contract/request_body.ts";
export { VERSION } from "./core/version.ts";

/** The Node.js global that names the program being run. Bun and Deno have `import.meta.main` instead. */
interface Runtime {
  readonly process?: {
    readonly argv: readonly string[];
    getBuiltinModule?(name: string): { pathToFileURL(path: string): URL; realpathSync(path: string): string };
  };
}

const runtime = globalThis as unknown as Runtime;

/** The name of the global by which the `tsgi` command says that it has imported the program, and serves it. */
const SERVED_BY_COMMAND = Symbol.for("tsgi.servedByCommand");

/**
 * Tells whether a module is the program that was started, rather than an imported one. This is `import.meta.main`, and
 * it also works on Node.js before 24.2, which does not have that property.
 *
 * @param meta The module's `import.meta`.
 * @returns false too when the runtime does not reveal which program was started, and always in a worker of the `tsgi`
 *   command, which serves the application itself.
 *
 * @example
 * ```ts
 * import { isMain } from "tsgi";
 * if (isMain(import.meta)) console.log("started as a program");
 * ```
 */
export function isMain(meta: { readonly url: string; readonly main?: boolean }): boolean {
  // In a worker of the command, Bun's meta.main and Node's argv[1] name the program as if it had been started.
  if (SERVED_BY_COMMAND in globalThis) return false;
  if (typeof meta.main === "boolean") return meta.main;
  const script = runtime.process?.argv[1];
  const builtin = (name: string) => runtime.process?.getBuiltinModule?.(name);
  const path = script === undefined ? undefined : builtin("node:fs")?.realpathSync(script);
  return path !== undefined && builtin("node:url")?.pathToFileURL(path).href === meta.url;
}
