/**
 * What all middleware has in common: its type, and the two things it changes, header fields and bodies.
 *
 * Middleware keeps the blocks of a body as they are: one block of the inner application gives one block, and `close()`
 * and an early end reach the inner body (PEP 3333, "Middleware Handling of Block Boundaries"). A body whose blocks all
 * exist is passed on itself, so that the server still knows its length.
 *
 * @module
 */

import { isThenable } from "../core/contract/application.ts";
import type { ApplicationFunction, Body, Chunk, Environ, HeaderList, StartResponse } from "../core/contract/types.ts";

/**
 * A function from an application to an application.
 *
 * @typeParam Adds The keys that it adds to the environ of the inner application.
 *
 * @example
 * ```ts
 * import { compose, type Middleware } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 * const timed: Middleware<{ "site.began": number }> = (app) => (environ, startResponse) =>
 *   app(Object.assign(environ, { "site.began": Date.now() }), startResponse);
 * const site = compose(timed)((environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return [String(environ["site.began"] <= Date.now())];
 * });
 * console.assert(await (await client(site).get("/")).text() === "true");
 * ```
 */
export type Middleware<Adds extends object = object> = (
  app: ApplicationFunction<Environ & Adds>,
) => ApplicationFunction;

/** A `startResponse` that changes the header list. Malformed arguments go on, so that the server says what is wrong. */
export function changingHeaders(
  startResponse: StartResponse,
  change: (headers: HeaderList, status: string) => HeaderList,
): StartResponse {
  return (...args: Parameters<StartResponse>) => {
    const [status, headers, ...excInfo] = args;
    return Array.isArray(headers) ? startResponse(status, change(headers, status), ...excInfo) : startResponse(...args);
  };
}

/** The values of a field, in any letter case of its name. */
export function fieldValues(headers: HeaderList, name: string): string[] {
  return headers.filter((pair) => isNamed(pair, name)).map(([, value]) => value);
}

function isNamed(pair: unknown, name: string): boolean {
  return Array.isArray(pair) && String(pair[0]).toLowerCase() === name;
}

/** Adds a name to the Vary field, unless it has it. */
export function varying(headers: HeaderList, name: string): HeaderList {
  const values = fieldValues(headers, "vary").filter((value) => value !== "");
  const members = values.flatMap((value) => String(value).toLowerCase().split(",")).map((member) => member.trim());
  if (members.includes("*") || members.includes(name.toLowerCase())) return headers;
  const others = headers.filter((pair) => !isNamed(pair, "vary"));
  return [...others, ["Vary", [...values, name].join(", ")]];
}

/** Calls `use` with what an application returned, at once or when its promise resolves. */
export function whenReturned<Result>(
  body: Body | Promise<Body>,
  use: (body: Body) => Result | Promise<Result>,
): Result | Promise<Result> {
  return isThenable(body) ? Promise.resolve(body).then(use) : use(body);
}

/** Whether all blocks of a body exist, or a value is no body, which the server says. */
export function isWhole(body: unknown): boolean {
  return typeof body !== "object" || body === null || Array.isArray(body) || body instanceof Uint8Array;
}

interface Closable {
  close?(): unknown;
}

/**
 * A body whose errors `rescue` takes. It returns the last block, or throws. It is asked once.
 */
export function rescued(body: Body, rescue: (error: unknown) => Chunk): Body {
  if (isWhole(body)) return body;
  const close = (): unknown => (body as Closable).close?.();
  if (Symbol.iterator in body) {
    const iterate = (): Iterator<Chunk> => {
      const inner = (body as Iterable<Chunk>)[Symbol.iterator]();
      let over = false;
      return {
        next(): IteratorResult<Chunk> {
          if (over) return { done: true, value: undefined };
          try {
            return inner.next();
          } catch (error) {
            over = true;
            return { done: false, value: rescue(error) };
          }
        },
        return: (value?: unknown) => over ? { done: true, value } : inner.return?.() ?? { done: true, value },
      };
    };
    return Object.assign({ [Symbol.iterator]: iterate }, { close });
  }
  if (!(Symbol.asyncIterator in body)) return body;
  return wrapped(body, async (step) => {
    try {
      return await step;
    } catch (error) {
      return rescue(error);
    }
  }, close);
}

/** A body that waits for `ready` before it passes a block on. */
export function delayed(body: Body, ready: () => Promise<unknown> | undefined): AsyncIterable<Chunk> {
  return wrapped(body as AsyncIterable<Chunk>, async (step) => {
    const result = await step;
    await ready();
    return result;
  }, () => (body as Closable).close?.());
}

/** An asynchronous body of which each step goes through `pass`. A block instead of a step is the last one. */
function wrapped(
  body: Iterable<Chunk> | AsyncIterable<Chunk>,
  pass: (step: Promise<IteratorResult<Chunk>>) => Promise<IteratorResult<Chunk> | Chunk>,
  close: () => unknown,
): AsyncIterable<Chunk> {
  const iterate = (): AsyncIterator<Chunk> => {
    const inner = Symbol.iterator in body ? body[Symbol.iterator]() : body[Symbol.asyncIterator]();
    let over = false;
    return {
      async next(): Promise<IteratorResult<Chunk>> {
        if (over) return { done: true, value: undefined };
        const passed = await pass((async () => await inner.next())());
        if (typeof passed === "object" && "done" in passed) return passed;
        over = true;
        return { done: false, value: passed as Chunk };
      },
      async return(value?: unknown): Promise<IteratorResult<Chunk>> {
        if (!over) await inner.return?.();
        return { done: true, value };
      },
    };
  };
  return Object.assign({ [Symbol.asyncIterator]: iterate }, { close });
}
