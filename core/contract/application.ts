/**
 * Converts the three forms of an application into one, the function.
 *
 * The server classifies an application once, when it gets it. An object or function with a callable `wsgiApp` is an
 * application object. A function whose `prototype` property is not writable is a class. Any other function is itself.
 *
 * @module
 */

import { describe } from "../errors.ts";
import type { Application, ApplicationClass, ApplicationFunction } from "./types.ts";

/** A value is not an application, or an application returned a value that is not a body. */
export class ApplicationError extends Error {
  /** Name of the class. */
  override readonly name = "ApplicationError";
}

/**
 * Turns an application of any form into the function form (PEP 3333, "The Application/Framework Side").
 *
 * @throws {ApplicationError} for a value that is not an application, and for a class with a `wsgiApp` method: the
 * caller should pass an instance of it.
 *
 * @example
 * ```ts
 * import { asFunction } from "./application.ts";
 * class Site {
 *   wsgiApp() {
 *     return ["hello"];
 *   }
 * }
 * console.assert(typeof asFunction(new Site()) === "function");
 * ```
 */
export function asFunction(app: Application): ApplicationFunction {
  const candidate: unknown = app;
  if ((typeof candidate === "object" || typeof candidate === "function") && candidate !== null) {
    const object = candidate as { wsgiApp?: unknown };
    if (typeof object.wsgiApp === "function") {
      const method = object.wsgiApp as ApplicationFunction;
      return named((environ, startResponse) => method.call(object, environ, startResponse), "wsgiApp");
    }
  }
  const listens = typeof candidate === "function" && typeof (candidate as { listen?: unknown }).listen === "function";
  if (typeof candidate !== "function" || (listens && typeOf(candidate) === "node")) throw noApplication(candidate);
  if (!isClass(candidate)) return candidate as ApplicationFunction;
  if (typeof candidate.prototype.wsgiApp === "function") {
    throw new ApplicationError(
      `Class ${candidate.name} has a wsgiApp method: pass an instance, new ${candidate.name}(), not the class`,
    );
  }
  const Constructor = candidate as unknown as ApplicationClass;
  return named((environ, startResponse) => new Constructor(environ, startResponse), candidate.name);
}

/** Gives an application the name that messages show. */
export function named(app: ApplicationFunction, name: string): ApplicationFunction {
  return Object.defineProperty(app, "name", { value: name });
}

/**
 * Recognizes the kind of an application by its members: `fetch`, an object with such a method; `node`, an application of
 * Express, Koa, connect, polka or Fastify, or a server of Node's http module; `wsgi`, everything else.
 */
export function typeOf(value: unknown): "wsgi" | "fetch" | "node" {
  // itty-router is a proxy that returns a method for any name; `in` is true for its own members only.
  const object = Object(value) as Readonly<Record<string, unknown>>;
  const has = (...names: string[]): boolean =>
    names.every((name) => name in object && typeof object[name] === "function");
  if (has("wsgiApp")) return "wsgi";
  if (has("fetch")) return "fetch";
  const node = has("handle", "set") || has("callback", "use") || has("handle", "use") || has("handler", "listen") ||
    has("routing", "ready") || has("listen", "emit", "setTimeout");
  return node ? "node" : "wsgi";
}

/** The error for a value that is no application, with what to do. */
function noApplication(value: unknown): ApplicationError {
  const what = `Expected an application: a function, a class or an object with wsgiApp, got ${describe(value)}`;
  const kind = typeOf(value);
  if (kind === "fetch") {
    return new ApplicationError(`${what}. It has a method fetch: serve fromFetch(app), of "tsgi/bridges/fetch"`);
  }
  if (kind === "node") {
    return new ApplicationError(
      `${what}. It is one of a framework for node:http: serve fromNodeListener(listener), of "tsgi/bridges/node"`,
    );
  }
  if (value === undefined) return new ApplicationError(`${what}. Is it exported, and imported by its name?`);
  if (typeof (value as { then?: unknown } | null)?.then === "function") {
    return new ApplicationError(`${what}. Await the promise first`);
  }
  return new ApplicationError(what);
}

function isClass(candidate: { prototype?: unknown }): candidate is { prototype: { wsgiApp?: unknown }; name: string } {
  return Object.getOwnPropertyDescriptor(candidate, "prototype")?.writable === false;
}

/** Whether a value can be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
