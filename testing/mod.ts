/**
 * Tests applications without a server: {@linkcode client} makes requests, {@linkcode createEnviron} makes an environ.
 *
 * It uses no sockets and no ports, so it works in `deno test`, `bun test`, vitest and any other JavaScript test runner.
 * The same code runs the application here and in a server.
 *
 * @example
 * ```ts
 * import { client } from "tsgi/testing";
 * const app = client((environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return [`Hello from ${environ.PATH_INFO}`];
 * });
 * const response = await app.get("/here");
 * console.assert(response.status === 200 && await response.text() === "Hello from /here");
 * ```
 *
 * @module
 */

export { client, type ClientOptions, RedirectError, type RequestOptions, TestClient } from "./client.ts";
export type { BodyOptions, Pairs, RequestContent } from "./content.ts";
export { type Cookie, CookieJar, type CookieScope } from "./cookies.ts";
export { createEnviron, type EnvironOptions } from "./environ.ts";
export { ApplicationFailedError } from "./errors.ts";
export type { RequestParts } from "./request_parts.ts";
export { type Blocks, type Interim, TestResponse, TruncatedResponseError } from "./response.ts";
