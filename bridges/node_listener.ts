/**
 * Applications of Node's `(req, res)` contract: Express, Koa, connect, Fastify, polka, and plain listeners.
 *
 * A listener gets a real `IncomingMessage` and a real `ServerResponse`, which know no socket: the one reads
 * `wsgi.input`, the other's head and body are what the application answers. So a listener runs wherever an application
 * does, over HTTP, FastCGI, SCGI and uwsgi, as a CGI script and on fetch hosts that have `node:http`.
 *
 * @module
 */

import { describe } from "../core/errors.ts";
import { isThenable } from "../core/gateway/blocks.ts";
import type { ApplicationFunction } from "../core/contract/types.ts";
import { Call } from "./node/call.ts";

/** What a listener that says nothing of its types is given as `req`: the least of an `IncomingMessage`. */
export interface ListenerRequest extends AsyncIterable<Uint8Array> {
  /** Method as sent. */
  readonly method?: string | undefined;
  /** Path below the mount point, and query; not decoded. */
  readonly url?: string | undefined;
  /** Header fields by name in small letters. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Listens to an event: `"data"`, `"end"`, `"close"`. */
  on(event: string, listener: (...args: never[]) => void): unknown;
}

/** What a listener that says nothing of its types is given as `res`: the least of a `ServerResponse`. */
export interface ListenerResponse {
  /** The status code; 200 unless set. */
  statusCode: number;
  /** Sets a header field. */
  setHeader(name: string, value: number | string | readonly string[]): unknown;
  /** Decides the head. */
  writeHead(status: number, headers?: Readonly<Record<string, number | string | readonly string[]>>): unknown;
  /** Sends a block; false tells to wait for `"drain"`. */
  write(block: string | Uint8Array): boolean;
  /** Ends the response. */
  end(block?: string | Uint8Array): unknown;
  /** Listens to an event: `"drain"`, `"finish"`, `"close"`. */
  on(event: string, listener: (...args: never[]) => void): unknown;
}

/**
 * Makes an application of a `(req, res)` listener: `express()`, `new Koa().callback()`, `connect()`, `fastify().routing`
 * once it is ready, `polka().handler`, or a function of one's own.
 *
 * - `req.url` is the target as the client sent it, less the mount point (`SCRIPT_NAME`), which is `req.baseUrl`.
 * - `req.socket` belongs to this one request. It tells the addresses and whether the client spoke TLS.
 * - A client that leaves is told as node:http tells it: `"close"` of both, and `"aborted"` of the request.
 * - Headers of the connection are dropped: the server sends its own. So are trailers, and 102.
 * - What a listener throws, or its promise is rejected with, is a 500, or a cut where the response has begun.
 *
 * @param listener Called with a request and a response; what it returns is only looked at for a promise.
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
): ApplicationFunction {
  if (typeof listener !== "function") throw new NodeListenerError(listener);
  return (environ, startResponse) => {
    const call = new Call(environ, startResponse);
    try {
      const result = listener(call.request as Req, call.response as Res);
      if (isThenable(result)) result.then(undefined, (error) => call.failed(error));
    } catch (error) {
      call.failed(error);
    }
    return call.result();
  };
}

/** What was given as a listener is none. */
export class NodeListenerError extends TypeError {
  /** Name of the class. */
  override readonly name = "NodeListenerError";

  /** Says what was expected and, where it can be told, what was meant. */
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
