/**
 * The response that a test gets: the head, and a body that is produced as the test reads it.
 *
 * @module
 */

import { Headers } from "../wsgiref/headers.ts";
import type { HeaderList } from "../core/seams.ts";

/** A response body was cut off, because the application failed after the head was sent. */
export class TruncatedResponseError extends Error {
  /** Name of the class. */
  override readonly name = "TruncatedResponseError";
}

/** An interim response, 103 Early Hints. */
export interface Interim {
  /** Code and reason phrase. */
  readonly status: string;
  /** Its header fields. */
  readonly headers: HeaderList;
}

/** The source of the blocks of a body. */
export interface Blocks {
  /** Returns the next block; null at the end. Rejects when the response was cut off. */
  next(): Promise<Uint8Array | null>;
  /** Makes the client leave. */
  cancel(): void;
  /** Text that has been written to `wsgi.errors`. */
  readonly log: string;
}

/**
 * A response. The body can be read once: with `bytes`, `text` or `json`, block by block by iterating, or as the stream `body`.
 *
 * @example
 * ```ts
 * import { client } from "tsgi/testing";
 * const response = await client((_environ, startResponse) => {
 *   startResponse("201 Created", [["Content-Type", "application/json"], ["Location", "/things/7"]]);
 *   return ['{"id": 7}'];
 * }).post("/things", { json: { name: "spam" } });
 * console.assert(response.status === 201 && response.reason === "Created");
 * console.assert(response.headers.get("location") === "/things/7");
 * console.assert((await response.json() as { id: number }).id === 7);
 * ```
 */
export class TestResponse implements AsyncIterable<Uint8Array> {
  /** The status code: 200. */
  readonly status: number;
  /** The reason phrase: `"OK"`. */
  readonly reason: string;
  /** The header fields; names are matched in any letter case. */
  readonly headers: Headers;
  /** Interim responses that came before this one. */
  readonly interims: readonly Interim[];
  /** The redirect responses that led here, in order. */
  readonly history: readonly TestResponse[];
  readonly #blocks: Blocks;
  #read = false;
  #body: ReadableStream<Uint8Array> | undefined;

  /** Made by the client. */
  constructor(
    status: string,
    headers: HeaderList,
    blocks: Blocks,
    interims: readonly Interim[],
    history: readonly TestResponse[],
  ) {
    this.status = Number(status.slice(0, 3));
    this.reason = status.slice(4);
    this.headers = new Headers(headers.map(([name, value]) => [name, value]));
    this.interims = interims;
    this.history = history;
    this.#blocks = blocks;
  }

  /** The text written to `wsgi.errors` during this request so far, stack traces included. */
  get log(): string {
    return this.#blocks.log;
  }

  /**
   * The body as a stream, for code that takes the stream of a `Response`. Each read takes one block, and `cancel()` makes
   * the client leave.
   *
   * @example
   * ```ts
   * import { client } from "tsgi/testing";
   * const response = await client((_environ, startResponse) => {
   *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
   *   return ["one ", "two"];
   * }).get("/");
   * console.assert(await new Response(response.body).text() === "one two");
   * ```
   */
  get body(): ReadableStream<Uint8Array> {
    return this.#body ??= this.#stream();
  }

  #stream(): ReadableStream<Uint8Array> {
    const blocks = this[Symbol.asyncIterator](); // runs from the first read on, so the getter reads nothing
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const { done, value } = await blocks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => this.#blocks.cancel(),
    }, { highWaterMark: 0 });
  }

  /**
   * The whole body.
   *
   * @throws {TruncatedResponseError} (as a rejection) when the application failed, or gave less than its
   *   Content-Length.
   * @throws {TypeError} (as a rejection) when the body has been read already.
   */
  async bytes(): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this) parts.push(part);
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  /**
   * The whole body as UTF-8.
   *
   * @throws {TruncatedResponseError} (as a rejection) as {@linkcode TestResponse.bytes} does.
   */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  /**
   * The whole body as JSON.
   *
   * @throws {SyntaxError} (as a rejection) when it is not JSON.
   * @throws {TruncatedResponseError} (as a rejection) as {@linkcode TestResponse.bytes} does.
   */
  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  /**
   * Iterates over the blocks of the body as the application gives them, with at most 64 KiB read ahead. To leave the
   * loop early makes the client leave.
   *
   * @throws {TruncatedResponseError} (as a rejection) as {@linkcode TestResponse.bytes} does.
   *
   * @example
   * ```ts
   * import { client } from "tsgi/testing";
   * const response = await client((_environ, startResponse) => {
   *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
   *   return (async function* () {
   *     for (let i = 1;; i++) yield `tick ${i}\n`;
   *   })();
   * }).get("/clock");
   * const ticks: string[] = [];
   * for await (const block of response) {
   *   ticks.push(new TextDecoder().decode(block));
   *   if (ticks.length === 2) break;
   * }
   * console.assert(ticks.join("") === "tick 1\ntick 2\n");
   * ```
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#read) throw new TypeError("The body of this response has been read already");
    this.#read = true;
    let done = false;
    try {
      for (;;) {
        const block = await this.#blocks.next();
        done = block === null;
        if (block === null) return;
        yield block;
      }
    } finally {
      if (!done) this.#blocks.cancel();
    }
  }

  /**
   * Makes the client leave: the application's `signal` fires, its generator gets `return()`, and its body is closed.
   * Does nothing when the response is complete.
   *
   * @example
   * ```ts
   * import { client } from "tsgi/testing";
   * let reason = "";
   * const response = await client((environ, startResponse) => {
   *   const { signal } = environ["tsgi.request"];
   *   signal.addEventListener("abort", () => reason = signal.reason.name);
   *   startResponse("200 OK", [["Content-Type", "text/plain"]])("first");
   *   return (async function* () {
   *     await new Promise((resolve) => signal.addEventListener("abort", resolve));
   *     yield "never sent";
   *   })();
   * }).get("/");
   * response.cancel();
   * console.assert(reason === "ClientDisconnectedError");
   * ```
   */
  cancel(): void {
    this.#blocks.cancel();
  }
}
