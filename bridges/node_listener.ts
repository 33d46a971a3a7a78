/**
 * The bridge for Node's `(req, res)` listeners: Express, Koa, connect, Fastify, polka, and plain functions.
 *
 * A listener gets a real `IncomingMessage` and a real `ServerResponse` without a real socket. The request reads
 * `wsgi.input`, and the head and body of the response become the application's answer. So a listener runs wherever an
 * application does: over HTTP, FastCGI, SCGI and uwsgi, as a CGI script, and on fetch hosts that have `node:http`.
 *
 * @module
 */

import { describe } from "../core/errors.ts";
import { isThenable } from "../core/contract/application.ts";
import type { ApplicationFunction } from "../core/contract/types.ts";
import { Call } from "./node/call.ts";
import type { ListenerRequest, ListenerResponse, MessageClasses } from "./node/listener.ts";
import { makerFor } from "./node/prototypes.ts";

export type { ListenerRequest, ListenerResponse, MessageClasses } from "./node/listener.ts";

/**
 * Turns a `(req, res)` listener into an application: `express()`, `new Koa().callback()`, `connect()`,
 * `fastify().routing` once it is ready, `polka().handler`, or your own function.
 *
 * - `req.url` is the target as the client sent it, without the mount point (`SCRIPT_NAME`), which is `req.baseUrl`.
 * - `req.socket` belongs to this one request. It gives the addresses, and whether the client used TLS.
 * - When the client leaves, the events are those of node:http: `"close"` of both objects, and `"aborted"` of the
 *   request.
 * - Connection headers are dropped, because the server sends its own. Trailers and 102 responses are dropped too.
 * - If the listener throws or its promise rejects, the response is a 500, or is cut if it has begun.
 *
 * @param listener Called with a request and a response. Its return value is ignored unless it is a promise.
 * @param classes Classes of your own for the two, as `http.createServer(options)` takes them.
 *
 * @example
 * ```ts
 * import { toFetch } from "tsgi";
 * import { fromNodeListener } from "tsgi/bridges/node";
 * const app = fromNodeListener((req, res) => {
 *   res.setHeader("Content-Type", "text/plain");
 *   res.end(`${req.method} ${req.url}`);
 * });
 * const response = await toFetch(app)(new Request("http://localhost/path?query"));
 * console.assert(await response.text() === "GET /path?query");
 * ```
 */
export function fromNodeListener<Req = ListenerRequest, Res = ListenerResponse>(
  listener: (request: Req, response: Res) => unknown,
  classes: MessageClasses = {},
): ApplicationFunction {
  if (typeof listener !== "function") throw new NodeListenerError(listener);
  const maker = makerFor(listener, classes);
  return (environ, startResponse) => {
    const call = new Call(environ, startResponse, maker());
    try {
      const result = listener(call.request as Req, call.response as Res);
      if (isThenable(result)) result.then(undefined, (error) => call.failed(error));
    } catch (error) {
      call.failed(error);
    }
    return call.result();
  };
}

/** The argument of `fromNodeListener` is not a listener. */
export class NodeListenerError extends TypeError {
  /** Name of the class. */
  override readonly name = "NodeListenerError";

  /** The message says what was expected and, if it can be guessed, what was meant. */
  constructor(given: unknown) {
    super(`fromNodeListener: expected a function (req, res), got ${describe(given)}${hint(given)}`);
  }
}

function hint(given: unknown): string {
  const candidate = given as { callback?: unknown; routing?: unknown; handler?: unknown } | null | undefined;
  if (typeof candidate?.callback === "function") return "; of a Koa application pass app.callback()";
  if (typeof candidate?.routing === "function") return "; of a Fastify application pass app.routing, after app.ready()";
  if (typeof candidate?.handler === "function") return "; of a polka application pass app.handler";
  return "";
}
