/**
 * The bridge for fetch applications: Hono, h3, Elysia, itty-router, Workers, and any function from a Request to a
 * Response.
 *
 * It turns a fetch application into a WSGI application. It uses only the contract, so a fetch application runs over
 * every protocol that tsgi supports.
 *
 * - The Request is a view of the environ; `bridges/fetch/stand_in.ts` chooses its class for the runtime.
 * - The Response is split into status, header list and body; `bridges/fetch/response_body.ts` decides whether the body
 *   is sent whole or block by block.
 * - No global is replaced.
 *
 * @module
 */

import { describe, OptionError } from "../core/errors.ts";
import { ApplicationError, isThenable } from "../core/contract/application.ts";
import type { ApplicationFunction, Body } from "../core/contract/types.ts";
import { FetchContext } from "./fetch/context.ts";
import { LazyRequest } from "./fetch/lazy_request.ts";
import { respond } from "./fetch/response.ts";
import { ServedRequest } from "./fetch/stand_in.ts";
import { requestUrl } from "./fetch/url.ts";

export type { FetchContext, IncomingAddress, RemoteAddress, SocketAddress } from "./fetch/context.ts";

/**
 * A fetch handler: a function of a request and a context. The context is also the third argument, where programs for
 * Workers look for `waitUntil`. To pass a handler with other argument types, wrap it in an object: `{ fetch: handler }`
 * is a {@linkcode FetchObject}.
 */
export type FetchFunction = (
  request: Request,
  context: FetchContext,
  executionContext: FetchContext,
) => Response | Promise<Response>;

/** An object with a fetch handler: what Hono, h3, Elysia, itty-router and modules for Workers export. */
export interface FetchObject {
  /** The handler. Arguments after the request may have any type. */
  fetch(request: Request, ...rest: never[]): Response | Promise<Response>;
}

/** A fetch application: a handler, or an object that has one. */
export type FetchApplication = FetchFunction | FetchObject;

/** Options of {@linkcode fromFetch}. */
export interface FromFetchOptions {
  /** More members for the second argument: the bindings of a program for Workers. */
  readonly env?: Readonly<Record<string, unknown>>;
  /**
   * Whether a request is a lazy view of the environ on every runtime. This saves Node.js 1 to 3 us per request. But
   * Node.js from 24 on and Bun do not accept such a view in `new Request(request)` and `fetch(request)`. All else
   * works, including `request.clone()` and `new Request(url, request)`. Default false: a real Request where the runtime
   * needs one.
   */
  readonly lazy?: boolean;
}

/**
 * Turns a fetch application into a WSGI application.
 *
 * @param handler A function from a Request to a Response or a promise of one, or an object with such a function as
 *   `fetch`.
 * @param options See {@linkcode FromFetchOptions}.
 * @returns an application for `serve`, the `tsgi` command, and all else that takes one. An error of the handler is a
 *   500.
 * @throws {ApplicationError} when `handler` is neither.
 * @throws {OptionError} for an unknown option, or an option with a value it cannot have.
 *
 * @example
 * ```ts
 * import { serve } from "tsgi";
 * import { fromFetch } from "tsgi/bridges/fetch";
 *
 * const app = fromFetch((request, { remoteAddr }) => Response.json({ url: request.url, from: remoteAddr.hostname }));
 * const server = await serve(app, { port: 0, onListen: () => {} });
 * const base = `http://127.0.0.1:${server.address.port}`;
 * const response = await fetch(`${base}/a%2Fb?c=d`);
 * const { url, from } = await response.json();
 * console.assert(url === `${base}/a%2Fb?c=d` && from === "127.0.0.1");
 * await server.shutdown({ timeout: 0 });
 * ```
 */
export function fromFetch(handler: FetchApplication, options: FromFetchOptions = {}): ApplicationFunction {
  const call = handlerOf(handler);
  const { env, lazy } = checked(options);
  const Context = contextClass(env);
  const Served = lazy ? LazyRequest : ServedRequest;
  return (environ, startResponse) => {
    const url = requestUrl(environ);
    if (url === null) {
      startResponse("400 Bad Request", [["Content-Type", "text/plain; charset=utf-8"]]);
      return ["Host is not a host with an optional port\n"];
    }
    const request = new Served(environ, url);
    const context = new Context(environ, request);
    const answer = (response: unknown): Body | Promise<Body> => {
      request.release();
      return respond(response, environ.REQUEST_METHOD === "HEAD", startResponse, request);
    };
    let result: unknown;
    try {
      result = call(request as Request, context, context);
    } catch (error) {
      request.release();
      throw error;
    }
    if (!isThenable(result)) return answer(result);
    return (result as Promise<unknown>).then(answer, (error) => {
      request.release();
      throw error;
    });
  };
}

/** Returns the handler function of a fetch application. */
function handlerOf(handler: unknown): FetchFunction {
  const object = Object(handler) as { fetch?: unknown };
  if (typeof object.fetch === "function") {
    // Looked up for each request, since programs for Workers may replace it.
    return (request, context, same) => (object as { fetch: FetchFunction }).fetch(request, context, same);
  }
  if (typeof handler === "function") return handler as FetchFunction;
  throw new ApplicationError(
    `fromFetch: expected a function from a Request to a Response, or an object with such a function as fetch, got ${
      describe(handler)
    }`,
  );
}

function checked({ env, lazy = false, ...rest }: FromFetchOptions): Pick<FromFetchOptions, "env"> & { lazy: boolean } {
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new OptionError(unknown, "there is no such option of fromFetch; it has env and lazy");
  }
  if (env !== undefined && (typeof env !== "object" || env === null)) throw new OptionError("env", "an object", env);
  if (typeof lazy !== "boolean") throw new OptionError("lazy", "true or false", lazy);
  return { ...(env === undefined ? {} : { env }), lazy };
}

/** Returns a context class that adds the bindings of `env`. */
function contextClass(env: FromFetchOptions["env"]): typeof FetchContext {
  if (env === undefined) return FetchContext;
  class Context extends FetchContext {}
  Object.defineProperties(Context.prototype, Object.getOwnPropertyDescriptors(env));
  return Context;
}
