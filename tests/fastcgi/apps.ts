/**
 * Applications that a test controls step by step.
 */

import type { Body, Environ, StartResponse } from "../../core/contract/types.ts";

/** Answers at once and reads nothing. */
export function hello(_environ: Environ, startResponse: StartResponse): string[] {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return ["hello"];
}

/** Answers with the path, at once. */
export function path(environ: Environ, startResponse: StartResponse): string[] {
  startResponse("200 OK", []);
  return [environ.PATH_INFO];
}

/** Reads the body and answers with it. */
export async function echo(environ: Environ, startResponse: StartResponse): Promise<Uint8Array[]> {
  const body = await environ["wsgi.input"].read();
  startResponse("200 OK", []);
  return [body];
}

/** Requests that are answered when the test says so. Each records what happens to it. */
export class Held {
  readonly requests: HeldRequest[] = [];

  readonly app = (environ: Environ, startResponse: StartResponse): Promise<Body> => {
    const held = new HeldRequest(environ, startResponse);
    this.requests.push(held);
    return held.promise;
  };

  /** The request with the path `/name`. */
  of(name: string): HeldRequest {
    const found = this.requests.find(({ environ }) => environ.PATH_INFO === `/${name}`);
    if (found === undefined) throw new Error(`there is no request /${name}`);
    return found;
  }
}

/** A body. */
export type Blocks = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/** One of them. */
export class HeldRequest {
  readonly environ: Environ;
  readonly promise: Promise<Body>;
  closed = 0;
  aborted: unknown;
  readonly #startResponse: StartResponse;
  #answer: (body: Body) => void = () => {};
  #fail: (error: unknown) => void = () => {};

  constructor(environ: Environ, startResponse: StartResponse) {
    this.environ = environ;
    this.#startResponse = startResponse;
    this.promise = new Promise((answer, fail) => {
      this.#answer = answer;
      this.#fail = fail;
    });
    const { signal } = environ["tsgi.request"];
    signal.addEventListener("abort", () => this.aborted = signal.reason);
  }

  /** Gives the body, whose `close()` is counted. */
  async answer(
    blocks: Blocks,
    headers: readonly (readonly [string, string])[] = [],
  ): Promise<void> {
    this.#startResponse("200 OK", headers);
    const close = (): void => void this.closed++;
    const body = Symbol.iterator in blocks
      ? { [Symbol.iterator]: (): Iterator<string | Uint8Array> => blocks[Symbol.iterator](), close }
      : { [Symbol.asyncIterator]: (): AsyncIterator<string | Uint8Array> => blocks[Symbol.asyncIterator](), close };
    this.#answer(body as Body);
    await settle();
  }

  async fail(error: unknown): Promise<void> {
    this.#fail(error);
    await settle();
  }
}

/** Lets everything that is ready run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
