/**
 * The interface between server and application: PEP 3333 in TypeScript.
 *
 * An application is `(environ, startResponse) => body`. It may be a function, a class that is constructed as
 * `new App(environ, startResponse)` and iterated, or an object with a `wsgiApp(environ, startResponse)` method.
 * A body is an iterable or async iterable of blocks, one bare block, or a promise of either.
 *
 * @module
 */

import type { HeaderList } from "../seams.ts";
import type { ErrorStream } from "./error_stream.ts";
import type { FileLike, FileWrapper } from "./file_wrapper.ts";
import type { InputStream } from "./input_stream.ts";
import type { GatewayRequest } from "./tsgi_request.ts";

export type { HeaderList } from "../seams.ts";

/** One block of a body: bytes (PEP 3333, "A Note On String Types"), or a string that is sent as UTF-8. */
export type Chunk = Uint8Array | string;

/**
 * What an application returns, or a promise of it (PEP 3333, "Specification Details"). It may also have a `close()`
 * method, which the server calls exactly once. A string is sent as one block, not character by character.
 */
export type Body = Iterable<Chunk> | AsyncIterable<Chunk> | Uint8Array;

/**
 * The imperative way to send a block (PEP 3333, "The write() Callable").
 *
 * @returns undefined while output is below the high-water mark, else a promise that settles on drain or disconnect;
 * once the client is gone it rejects with {@linkcode ClientDisconnectedError}.
 * @throws {WriteError} after the response has ended, past the Content-Length, or when too much output is unawaited.
 */
export type Write = (chunk: Chunk) => Promise<void> | undefined;

/**
 * Starts a response (PEP 3333, "The start_response() Callable").
 *
 * @param status Three digits from 200 to 599, a space and a reason phrase: `"200 OK"`.
 * @param headers Name and value pairs. Hop-by-hop names are refused.
 * @param excInfo An error when the response replaces one that was begun; null or undefined means absent.
 * @throws {StartResponseError} for a malformed argument or a second call without `excInfo`; `excInfo` itself
 * (the same object) when the head has already been sent.
 */
export type StartResponse = (status: string, headers: HeaderList, excInfo?: unknown) => Write;

/**
 * The request, as PEP 3333 names it ("environ Variables"). A plain object that the application may change as it likes.
 * Text that comes from the client is latin-1, one code unit a byte ("Unicode Issues").
 */
export interface Environ {
  /** Method, letter case as sent. */
  REQUEST_METHOD: string;
  /** The mount prefix, option `scriptName`: empty, or beginning with a slash. */
  SCRIPT_NAME: string;
  /** The rest of the path, percent-decoded once, one code unit a byte. */
  PATH_INFO: string;
  /** What follows `?`, not decoded; empty when there is none. */
  QUERY_STRING: string;
  /** Name or address of the server. */
  SERVER_NAME: string;
  /** Port of the server in decimal. */
  SERVER_PORT: string;
  /** The client's version: `"HTTP/1.1"`. */
  SERVER_PROTOCOL: string;
  /** The request target as it was sent. */
  REQUEST_URI: string;
  /** Media type of the body; absent when the client sent none. */
  CONTENT_TYPE?: string;
  /** Length of the body in decimal; absent when the client sent none and when the body is chunked. */
  CONTENT_LENGTH?: string;
  /** Address of the client; absent where it is not known. */
  REMOTE_ADDR?: string;
  /** Port of the client; absent where it is not known. */
  REMOTE_PORT?: string;
  /** Version of WSGI: always `[1, 0]`. */
  "wsgi.version": readonly [1, 0];
  /** `"http"` or `"https"`. */
  "wsgi.url_scheme": string;
  /** The request body. */
  "wsgi.input": InputStream;
  /** Where the application reports errors. */
  "wsgi.errors": ErrorStream;
  /** Whether another thread may call the application at the same time: false. */
  "wsgi.multithread": boolean;
  /** Whether another process may call the application at the same time. */
  "wsgi.multiprocess": boolean;
  /** Whether the application is called once in this process only (CGI). */
  "wsgi.run_once": boolean;
  /** Makes an iterable body of a file-like object. */
  "wsgi.file_wrapper": (file: FileLike, blockSize?: number) => FileWrapper;
  /** Always true: `wsgi.input` ends where the body ends, with or without CONTENT_LENGTH. */
  "wsgi.input_terminated": boolean;
  /** Features that WSGI does not define: the disconnect signal, early hints, Upgrade, `waitUntil`. */
  "tsgi.request": GatewayRequest;
  /**
   * The proxy that is connected to the server, if it is one of `forwardedAllowIps`; REMOTE_ADDR then may be that of its
   * client. The address is `""` at a Unix socket.
   */
  "tsgi.peer"?: { readonly address: string; readonly port: string };
  /**
   * Whether the client may see the source and the environ where a request fails. `tsgi dev` sets it for clients on this
   * machine. Middleware that answers errors itself should throw them on then, because the server shows more.
   */
  "tsgi.debug"?: boolean;
  /** Request header fields are `HTTP_` and the name in upper case with `_` for `-`; absent when the client sent none. */
  [key: `HTTP_${string}`]: string | undefined;
  /** Middleware and servers add keys of their own, with a dot. */
  [key: string]: unknown;
}

/**
 * An application as a function (PEP 3333, "The Application/Framework Side"). May be asynchronous.
 *
 * This is the form that middleware takes, calls and returns: {@linkcode Application} is any of three forms, of which only
 * this one can be called. An application that needs keys of a middleware says so by `Env`, and no server accepts it
 * without that middleware.
 *
 * @typeParam Env The environ that the application needs.
 *
 * @example Middleware that adds a key
 * ```ts
 * import type { ApplicationFunction, Environ } from "tsgi";
 * import { client } from "tsgi/testing";
 *
 * type WithUser = Environ & { "site.user": string };
 *
 * export function authenticated(app: ApplicationFunction<WithUser>): ApplicationFunction {
 *   return (environ, startResponse) => app(Object.assign(environ, { "site.user": "ann" }), startResponse);
 * }
 *
 * export const site: ApplicationFunction = authenticated((environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return ["Hello ", environ["site.user"].toUpperCase()];
 * });
 * console.assert(await (await client(site).get("/")).text() === "Hello ANN");
 * ```
 */
export type ApplicationFunction<Env extends Environ = Environ> = (
  environ: Env,
  startResponse: StartResponse,
) => Body | Promise<Body>;

/** An application as a class: constructed for each request, then iterated. */
export type ApplicationClass = new (environ: Environ, startResponse: StartResponse) => Body;

/** An application as an object: one that exists before the first request and has state of its own. */
export interface ApplicationObject {
  /** Called as the function form, with `this` bound. */
  wsgiApp: ApplicationFunction;
}

/**
 * Any of the three forms of an application. It is what a server takes, and it cannot be called: middleware takes an
 * {@linkcode ApplicationFunction}. A class becomes one by `(environ, startResponse) => new Site(environ, startResponse)`,
 * an object by `(environ, startResponse) => site.wsgiApp(environ, startResponse)`.
 */
export type Application = ApplicationFunction | ApplicationClass | ApplicationObject;
