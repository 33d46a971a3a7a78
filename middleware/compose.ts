/**
 * Puts several middlewares around one application.
 *
 * @module
 */

import type { ApplicationFunction } from "../core/contract/types.ts";
import type { Middleware } from "./middleware.ts";

/** The keys that one middleware adds, in the form that {@linkcode AddsOfAll} joins. */
export type AddsOf<One> = One extends Middleware<infer Adds> ? (adds: Adds) => void : never;

/** The keys that all middleware of a list adds to the environ. */
export type AddsOfAll<List extends readonly unknown[]> = { [Index in keyof List]: AddsOf<List[Index]> }[number] extends
  (adds: infer Adds extends object) => void ? Adds
  : object;

/**
 * Makes one middleware of several; the first is the outermost. The application may use the keys that any of them adds.
 *
 * @example
 * ```ts
 * import { compose, cors, secureHeaders, sessions } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 * const around = compose(secureHeaders(), cors(), sessions<{ visits: number }>({ keys: ["k".repeat(32)] }));
 * const site = around((environ, startResponse) => {
 *   const session = environ["tsgi.session"];
 *   session.visits = (session.visits ?? 0) + 1;
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return [`visit ${session.visits}\n`];
 * });
 * const visitor = client(site);
 * await visitor.get("/");
 * console.assert(await (await visitor.get("/")).text() === "visit 2\n");
 * ```
 */
export function compose<const List extends readonly Middleware[]>(...list: List): Middleware<AddsOfAll<List>> {
  return (app) => {
    let whole = app as ApplicationFunction<never> as ApplicationFunction;
    for (const around of list.toReversed()) whole = around(whole);
    return whole;
  };
}
