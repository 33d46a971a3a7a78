/**
 * The adapter for fetch hosts: `Deno.serve`, `Bun.serve`, `export default { fetch }`.
 *
 * The host parses the request and frames the response. So the strictness of tsgi's HTTP/1.1 wire, and its treatment of
 * `PATH_INFO`, do not apply; the host decides these. The handler needs no socket, so it is the same on all hosts.
 *
 * @module
 */

import { type EnvironTemplate, serverTemplate } from "../core/contract/environ.ts";
import { ErrorStream } from "../core/contract/error_stream.ts";
import { responseLog } from "../core/gateway/access_log.ts";
import { createGateway } from "../core/gateway/gateway.ts";
import type { Application } from "../core/contract/types.ts";
import { settings } from "../core/server/options.ts";
import { Refusal, SERVICE_UNAVAILABLE } from "../core/refusal.ts";
import type { FetchOptions } from "../core/server/serve_options.ts";
import { FetchClosing } from "./fetch_closing.ts";
import { type FetchInfo, fetchRequest } from "./fetch_environ.ts";
import { FetchExchange, refusalOf } from "./fetch_exchange.ts";

export type { FetchInfo } from "./fetch_environ.ts";

export type { FetchOptions } from "../core/server/serve_options.ts";

/** The fetch handler that `toFetch` makes. `info` is the second argument that the host passes. */
export type FetchHandler = (request: Request, info?: FetchInfo) => Promise<Response>;

/**
 * Turns an application into a fetch handler.
 *
 * @param app A function, a class, or an object with `wsgiApp` (PEP 3333, "The Application/Framework Side").
 * @param options Those of `serve` that need no socket.
 * @returns a function from a Request to a promise of a Response. An error of the application is a 500.
 * @throws {ApplicationError} when `app` is no application.
 * @throws {OptionError} for an option with a value it cannot have.
 *
 * @example
 * ```ts
 * import { toFetch } from "tsgi/fetch";
 * const handler = toFetch((_environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return ["hello"];
 * });
 * const response = await handler(new Request("http://localhost/"));
 * console.assert(response.status === 200 && await response.text() === "hello");
 * ```
 */
export function toFetch(app: Application, options: FetchOptions = {}): FetchHandler {
  const all = settings(options, { port: undefined, fetch: true, errorLog: (text) => console.error(text.trimEnd()) });
  const errors = new ErrorStream(all.errorLog);
  const gateway = createGateway(app, errors, all, { turn: (callback) => void setTimeout(callback, 0) });
  if (all.accessLog !== undefined) gateway.log = responseLog(all.accessLog, errors);
  const template: EnvironTemplate = serverTemplate({
    serverName: "",
    serverPort: "",
    scheme: all.urlScheme,
    multiprocess: all.multiprocess,
    runOnce: false,
    errors,
  });
  const closing = all.signal === undefined ? undefined : new FetchClosing(all.signal, all);
  return (request, info) => {
    try {
      if (closing?.closed === true) throw new Refusal(SERVICE_UNAVAILABLE, "the option signal has fired");
      const { environ, contentLength, hasContent } = fetchRequest(request, info, template, all);
      const exchange = new FetchExchange(gateway, all, closing);
      return exchange.answer(request, info, environ, contentLength, hasContent);
    } catch (error) {
      if (!(error instanceof Refusal)) return Promise.reject(error);
      errors.write(`tsgi: refused a request: ${error.status}: ${error.message}\n`);
      request.body?.cancel().catch(() => {}); // this rejects if the body is locked by another reader
      return Promise.resolve(refusalOf(error.status, request.method));
    }
  };
}
