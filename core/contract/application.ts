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
      return (environ, startResponse) => method.call(object, environ, startResponse);
    }
  }
  if (typeof candidate !== "function") {
    throw new ApplicationError(
      `Expected an application: a function, a class or an object with wsgiApp, got ${describe(app)}`,
    );
  }
  if (!isClass(candidate)) return candidate as ApplicationFunction;
  if (typeof candidate.prototype.wsgiApp === "function") {
    throw new ApplicationError(
      `Class ${candidate.name} has a wsgiApp method: pass an instance, new ${candidate.name}(), not the class`,
    );
  }
  const Constructor = candidate as unknown as ApplicationClass;
  return (environ, startResponse) => new Constructor(environ, startResponse);
}

function isClass(candidate: { prototype?: unknown }): candidate is { prototype: { wsgiApp?: unknown }; name: string } {
  return Object.getOwnPropertyDescriptor(candidate, "prototype")?.writable === false;
}
