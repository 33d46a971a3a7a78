/**
 * Middleware: what applications without a framework need most often. `tsgi` itself loads none of it.
 *
 * Each is a function that makes middleware, and middleware is a function from an application to an application.
 * `router` and `mount` are applications that choose one.
 *
 * @example
 * ```ts
 * import { text } from "tsgi/http";
 * import { compose, errorPage, router, secureHeaders } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 * const site = router().get("/hello/:name", (environ, startResponse) =>
 *   text(startResponse, `Hello ${environ["tsgi.params"].name}`));
 * const app = compose(secureHeaders(), errorPage())(site);
 * console.assert(await (await client(app).get("/hello/Ann")).text() === "Hello Ann");
 * ```
 *
 * @module
 */

export { type AddsOf, type AddsOfAll, compose } from "./compose.ts";
export { compress, type CompressOptions } from "./compress.ts";
export type { Coding } from "./compression/encoder.ts";
export { conditionalGet } from "./conditional_get.ts";
export { cors, type CorsOptions } from "./cors.ts";
export { type ErrorDescription, errorPage, type ErrorPageOptions } from "./error_page.ts";
export type { Middleware } from "./middleware.ts";
export { mount } from "./mount.ts";
export type { RouteParamName, RouteParamNames, RouteParams } from "./pattern.ts";
export {
  type AddRoute,
  type RoutedEnviron,
  type RouteHandler,
  type Router,
  router,
  type RouterOptions,
} from "./router.ts";
export { type SecureHeaderName, secureHeaders, type SecureHeadersOptions } from "./secure_headers.ts";
export { attachment, sendFile, type SendFileOptions } from "./send_file.ts";
export { type SessionOptions, sessions, type WithSession } from "./sessions.ts";
export { staticFiles, StaticFilesError, type StaticFilesOptions } from "./static_files.ts";
