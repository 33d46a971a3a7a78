/**
 * Recognizes the kind of an application and converts it to a WSGI application.
 *
 * The user names the kind with `--app-type`. `auto`, the default, recognizes frameworks by the members of their
 * objects. It tries the kinds in this order:
 *
 *     fetch    a method `fetch`: Hono, h3, Elysia, itty-router, `export default { fetch }`
 *     node     methods `handle` and `set` (Express), `callback` and `use` (Koa), `handle` and `use` (connect),
 *              `handler` and `listen` (polka), `routing` and `ready` (Fastify), or a server of node:http
 *     wsgi     everything else: a function, a class, an object with `wsgiApp`
 *
 * The number of a function's parameters does not tell its kind. So a bare function counts as a WSGI application, and
 * `(req, res) => ...` or `(request) => new Response()` needs `--app-type node` or `fetch`.
 *
 * A bridge is loaded only when an application needs it.
 *
 * @module
 */

import type { ApplicationFunction } from "../core/contract/types.ts";
import { asFunction, typeOf } from "../core/contract/application.ts";
import { classesOf } from "./programs/node_listen.ts";
import type { MessageClasses, Served } from "./programs/program.ts";

/** The kinds of application. */
export const APP_TYPES = ["auto", "wsgi", "fetch", "node", "program"] as const;

/** A kind of application, or `auto`. */
export type AppType = typeof APP_TYPES[number];

type Listener = (request: never, response: never) => unknown;

/**
 * Converts a value to a WSGI application.
 *
 * @throws {ApplicationError} (as a rejection) when the value is not an application of the type.
 */
export async function applicationOf(value: unknown, type: Exclude<AppType, "program">): Promise<ApplicationFunction> {
  switch (type === "auto" ? typeOf(value) : type) {
    case "wsgi":
      return asFunction(value as ApplicationFunction);
    case "fetch":
      return await served({ kind: "fetch", handler: value as never });
    case "node":
      return await served({ kind: "node", listener: await listenerOf(value), classes: classesOf(Object(value)) });
  }
}

/** Converts what a program serves to a WSGI application. */
export async function served(
  { kind, ...what }: Served | { kind: "fetch"; handler: never },
): Promise<ApplicationFunction> {
  if (kind === "fetch") {
    const { fromFetch } = await import("../bridges/fetch.ts");
    return fromFetch((what as { handler: never }).handler);
  }
  const { fromNodeListener } = await import("../bridges/node_listener.ts");
  const { listener, classes } = what as { listener: Listener; classes?: MessageClasses };
  return fromNodeListener(listener, classes);
}

/** The request listener of a framework's object. */
async function listenerOf(value: unknown): Promise<Listener> {
  const object = Object(value) as {
    callback?: () => Listener;
    handler?: Listener;
    routing?: Listener;
    ready?: () => Promise<unknown>;
    emit?: (event: string, ...args: unknown[]) => unknown;
  };
  if (typeof value === "function") return value as Listener; // Express, connect, a plain listener
  if (typeof object.callback === "function") return object.callback();
  if (typeof object.routing === "function" && typeof object.ready === "function") {
    await object.ready();
    return object.routing;
  }
  if (typeof object.handler === "function") return object.handler;
  return (request, response) => object.emit?.("request", request, response);
}
