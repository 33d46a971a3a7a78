/**
 * Captures the error that an application threw, for tests that need the error itself and not the 500 response.
 *
 * The gateway logs an error and does not pass it on. So this module wraps the application and its body, records every
 * error that they throw, and rethrows it.
 *
 * @module
 */

import { asFunction, isThenable } from "../core/contract/application.ts";
import { cancelled } from "../core/gateway/response_body.ts";
import type { Application, ApplicationFunction, Body, Chunk } from "../core/contract/types.ts";

/** The gateway answered with a 500 for an error of its own: an invalid body, or no call of startResponse. */
export class ApplicationFailedError extends Error {
  /** Name of the class. */
  override readonly name = "ApplicationFailedError";
}

/** Wraps an application as a function that passes each error to `note` before it throws it. */
export function watched(app: Application, note: (error: unknown) => void): ApplicationFunction {
  const inner = asFunction(app);
  const noting = <T>(run: () => T): T => {
    try {
      return run();
    } catch (error) {
      note(error);
      throw error;
    }
  };
  const later = <T>(promise: PromiseLike<T>): Promise<T> =>
    Promise.resolve(promise).then(undefined, (error) => {
      note(error);
      throw error;
    });
  return (environ, startResponse) => {
    const result: unknown = noting(() => inner(environ, startResponse));
    if (isThenable(result)) return later(result).then((body) => watchedBody(body, noting, later) as Body);
    return watchedBody(result, noting, later) as Body;
  };
}

type Noting = <T>(run: () => T) => T;
type Later = <T>(promise: PromiseLike<T>) => Promise<T>;

function watchedBody(body: unknown, noting: Noting, later: Later): unknown {
  if (body === null || typeof body !== "object" || Array.isArray(body) || body instanceof Uint8Array) return body;
  let begun = false;
  const close = (): unknown => {
    if (!begun) void cancelled(body);
    const { close: inner } = body as { close?: unknown };
    return typeof inner === "function" ? noting(() => inner.call(body)) : undefined;
  };
  if (Symbol.iterator in body) {
    const iterate = (): Iterator<Chunk> => {
      begun = true;
      const inner = noting(() => (body as Iterable<Chunk>)[Symbol.iterator]());
      return {
        next: () => noting(() => inner.next()),
        return: () => inner.return?.() ?? { done: true, value: undefined },
      };
    };
    return { [Symbol.iterator]: iterate, close };
  }
  if (!(Symbol.asyncIterator in body)) return body;
  const iterate = (): AsyncIterator<Chunk> => {
    begun = true;
    const inner = noting(() => (body as AsyncIterable<Chunk>)[Symbol.asyncIterator]());
    return {
      next: () => later(noting(() => inner.next())),
      return: async () => await inner.return?.() ?? { done: true, value: undefined },
    };
  };
  return { [Symbol.asyncIterator]: iterate, close };
}
