/**
 * Fetch applications: Hono, h3, Elysia, itty-router, Workers, and any function from a Request to a Response.
 *
 * The bridge makes an application of one. It stands on the contract alone, so a fetch application runs over every wire
 * that tsgi speaks.
 *
 * - The Request is a view of the environ; `bridges/fetch/stand_in.ts` says on which runtime it is which.
 * - The Response is taken apart into status, header list and body; `bridges/fetch/response_body.ts` says when a body is
 *   sent whole and when block by block.
 * - No global is replaced.
 *
 * @module
 */

import { describe, OptionError } from "../core/errors.ts";
import { ApplicationError } from "../core/contract/application.ts";
import { isThenable } from "../core/gateway/blocks.ts";
import type { ApplicationFunction, Body } from "../core/contract/types.ts";
import { FetchContext } from "./fetch/context.ts";
import { LazyRequest } from "./fetch/lazy_request.ts";
import { respond } from "./fetch/response.ts";
import { ServedRequest } from "./fetch/stand_in.ts";
import { requestUrl } from "./fetch/url.ts";

export type { FetchContext, IncomingAddress, RemoteAddress, SocketAddress } from "./fetch/context.ts";

/**
 * A fetch handler: a function of a request, a context, and once more the context, where programs for Workers look for
 * `waitUntil`. One that wants another type there comes in an object, as {@linkcode FetchObject} `{ fetch: handler }`.
 */
export type FetchFunction = (
  request: Request,
  context: FetchContext,
  executionContext: FetchContext,
) => Response | Promise<Response>;

/** An object with a fetch handler: what Hono, h3, Elysia, itty-router and modules for Workers export. */
export interface FetchObject {
  /** The handler; what it wants behind the request is its own affair. */
  fetch(request: Request, ...rest: never[]): Response | Promise<Response>;
}

/** A fetch application: a handler, or an object that has one. */
export type FetchApplication = FetchFunction | FetchObject;

/** What `fromFetch` may be told. */
export interface FromFetchOptions {
  /** More members for the second argument: the bindings of a program for Workers. */
  readonly env?: Readonly<Record<string, unknown>>;
  /**
   * Whether a request is a view of the environ everywhere. Node.js from 24 on and Bun do not take such a one in
   * `new Request(request)` and `fetch(request)`; all else works, `request.clone()` and `new Request(url, request)` too. It
   * spares Node.js 1 to 3 us a request. Default false: a real one where the runtime wants it.
   */
  readonly lazy?: boolean;
}

/**
 * Makes an application of a fetch application.
 *
 * @param handler A function from a Request to a Response or a promise of one, or an object with such a function as `fetch`.
 * @param options See {@linkcode FromFetchOptions}.
 * @returns an application for `serve`, the `tsgi` command, and all that takes one. An error of the handler is a 500.
 * @throws {ApplicationError} when `handler` is neither.
 * @throws {OptionError} for an option that is none, or with a value it cannot have.
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

/** The function of a fetch application. */
function handlerOf(handler: unknown): FetchFunction {
  const object = Object(handler) as { fetch?: unknown };
  if (typeof object.fetch === "function") {
    // Looked up each time: programs for Workers may replace it.
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
  if (unknown !== undefined) throw new OptionError(unknown, "one of env, lazy", unknown);
  if (env !== undefined && (typeof env !== "object" || env === null)) throw new OptionError("env", "an object", env);
  if (typeof lazy !== "boolean") throw new OptionError("lazy", "true or false", lazy);
  return { ...(env === undefined ? {} : { env }), lazy };
}

/** The class of contexts that have the bindings of `env`. */
function contextClass(env: FromFetchOptions["env"]): typeof FetchContext {
  if (env === undefined) return FetchContext;
  class Context extends FetchContext {}
  Object.defineProperties(Context.prototype, Object.getOwnPropertyDescriptors(env));
  return Context;
}
