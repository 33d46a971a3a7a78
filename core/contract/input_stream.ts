/**
 * `wsgi.input`: the request body as a file-like object (PEP 3333, "Input and Error Streams").
 *
 * The methods are those of PEP 3333, but they return promises. Reads stop at the end of the body, whatever the client
 * sends behind it, and return empty arrays from then on. If the body is cut off or malformed, the read that reaches
 * that place rejects. Only one read may wait at a time: a second one rejects, and the first is not affected.
 * Every promise has a rejection handler from the start, so that one that nobody awaits cannot end the process.
 *
 * @module
 */

import { describe } from "../errors.ts";
import { InputError, type RequestBody } from "./request_body.ts";

const LF = 0x0a;

/** The application began a read while another one was waiting. */
export class OverlappingReadError extends InputError {
  /** Name of the class. */
  override readonly name = "OverlappingReadError";

  /** Says what to do instead. */
  constructor() {
    super("wsgi.input: a read is still waiting; await it before the next one");
  }
}

/**
 * The request body, as an application reads it (PEP 3333, "Input and Error Streams"). The arrays that it returns belong
 * to the application. Sizes are in bytes.
 *
 * @example
 * ```ts
 * import { toFetch } from "tsgi";
 * const handler = toFetch(async (environ, startResponse) => {
 *   const input = environ["wsgi.input"];
 *   const first = await input.readline();
 *   let rest = 0;
 *   for await (const bytes of input) rest += bytes.length;
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return [first, `and ${rest} bytes\n`];
 * });
 * const response = await handler(new Request("http://localhost/", { method: "POST", body: "one\ntwo\nthree" }));
 * console.assert(await response.text() === "one\nand 9 bytes\n");
 * ```
 */
export class InputStream implements AsyncIterable<Uint8Array> {
  readonly #body: RequestBody;
  readonly #limitReadline: number;
  #busy = false;

  /** A stream over `body`; `limitReadline` bounds a `readline()` without a size. */
  constructor(body: RequestBody, limitReadline: number) {
    this.#body = body;
    this.#limitReadline = limitReadline;
  }

  /**
   * Whether the end of the body is reached, so that every further read returns nothing. Over HTTP/1.1 this is true from
   * the start for a request without a body. Where only reading can find the end, it is false until a read reaches it.
   *
   * @example
   * ```ts
   * import { InputStream } from "./input_stream.ts";
   * import { RequestBody } from "./request_body.ts";
   * console.assert(new InputStream(RequestBody.empty(), 65536).ended);
   * ```
   */
  get ended(): boolean {
    return this.#body.ended;
  }

  /**
   * Takes a block of the bytes that have arrived, without waiting. Returns undefined if a read would wait, would fail, or
   * has reached the end. It is for callers that can use any number of bytes and want to avoid a promise.
   *
   * @example
   * ```ts
   * import { InputStream } from "./input_stream.ts";
   * import { RequestBody } from "./request_body.ts";
   * console.assert(new InputStream(RequestBody.empty(), 65536).readAvailable() === undefined);
   * ```
   */
  readAvailable(): Uint8Array | undefined {
    return this.#busy || this.#body.buffered === 0 ? undefined : this.#body.takeBlock();
  }

  /**
   * Reads `size` bytes, or fewer at the end. Without a size, or with a negative one, reads the whole rest.
   *
   * @throws {InputError} (as a rejection) for a body that is cut off, malformed or too large, an overlapping read,
   * or a read after the response.
   * @throws {TypeError} (as a rejection) for a size that is not a whole number.
   *
   * @example
   * ```ts
   * import { InputStream } from "./input_stream.ts";
   * import { RequestBody } from "./request_body.ts";
   * const body = RequestBody.empty();
   * console.assert((await new InputStream(body, 65536).read()).length === 0);
   * ```
   */
  read(size?: number | null): Promise<Uint8Array> {
    return this.#operation(size, Infinity, (count) => {
      if (this.#body.has(count)) return this.#body.take(count);
      return this.#until(count, () => this.#body.has(count), () => this.#body.take(count));
    });
  }

  /**
   * Reads one line with its LF: at most `size` bytes of it, or at most `limitReadline` bytes if no size is given.
   * Returns an empty array at the end.
   *
   * @throws {InputError} (as a rejection) as {@linkcode InputStream.read} does.
   * @throws {TypeError} (as a rejection) for a size that is not a whole number.
   */
  readline(size?: number | null): Promise<Uint8Array> {
    return this.#operation(size, this.#limitReadline, (limit) => this.#line(limit));
  }

  /**
   * Reads lines to the end, or up to and including the line that reaches `hint` bytes. Lines may be of any length here.
   *
   * @throws {InputError} (as a rejection) as {@linkcode InputStream.read} does.
   * @throws {TypeError} (as a rejection) for a hint that is not a whole number.
   *
   * @example
   * ```ts
   * import { toFetch } from "tsgi";
   * const handler = toFetch(async (environ, startResponse) => {
   *   const lines = await environ["wsgi.input"].readlines();
   *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
   *   return [`${lines.length} lines\n`];
   * });
   * const response = await handler(new Request("http://localhost/", { method: "POST", body: "one\ntwo" }));
   * console.assert(await response.text() === "2 lines\n");
   * ```
   */
  readlines(hint?: number | null): Promise<Uint8Array[]> {
    return this.#operation(hint === 0 ? null : hint, Infinity, async (enough) => {
      const lines: Uint8Array[] = [];
      for (let total = 0; total < enough;) {
        const line = await this.#line(Infinity);
        if (line.length === 0) break;
        lines.push(line);
        total += line.length;
      }
      return lines;
    });
  }

  /**
   * Yields bytes as they arrive; PEP 3333 specifies lines instead. After leaving the loop early the rest can still be read.
   *
   * @throws {InputError} (as a rejection) as {@linkcode InputStream.read} does.
   */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return {
      next: () =>
        this.#operation(undefined, 1, async () => {
          if (!this.#body.has(1)) await this.#until(1, () => this.#body.has(1), () => undefined);
          return this.#body.buffered > 0
            ? { done: false, value: this.#body.takeBlock() }
            : { done: true, value: undefined };
        }),
    };
  }

  /** Takes a line of at most `limit` bytes as soon as it is complete, reaches the limit, or the body ends. */
  #line(limit: number): Uint8Array | Promise<Uint8Array> {
    let searched = 0;
    const length = (): number => {
      const at = this.#body.indexOf(LF, searched);
      searched = this.#body.buffered;
      return Math.min(at < 0 ? Infinity : at + 1, limit);
    };
    let count = length();
    if (this.#body.has(count)) return this.#body.take(count);
    return this.#until(limit, () => this.#body.has(count = length()), () => this.#body.take(count));
  }

  async #until<T>(demand: number, ready: () => boolean, take: () => T): Promise<T> {
    do await this.#body.more(demand); while (!ready());
    return take();
  }

  /** Runs one read: checks its argument and rejects other reads while it waits. */
  #operation<T>(
    size: number | null | undefined,
    unlimited: number,
    run: (count: number) => T | Promise<T>,
  ): Promise<T> {
    const outcome = this.#attempt(size, unlimited, run);
    outcome.catch(() => {});
    return outcome;
  }

  async #attempt<T>(size: unknown, unlimited: number, run: (count: number) => T | Promise<T>): Promise<T> {
    if (size !== undefined && size !== null && !Number.isInteger(size)) {
      throw new TypeError(`wsgi.input: expected a whole number of bytes, got ${describe(size)}`);
    }
    if (this.#busy) throw new OverlappingReadError();
    this.#busy = true;
    try {
      const count = size as number | null | undefined;
      return await run(count === undefined || count === null || count < 0 ? unlimited : count);
    } finally {
      this.#busy = false;
    }
  }
}
