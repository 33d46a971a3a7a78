/**
 * Server-sent events (HTML, "Server-sent events").
 *
 * The body is an iterator of its own and no generator, because the server must be able to end it while it waits: a
 * generator would take the `return()` only after its next event.
 *
 * @module
 */

import type { HeaderList, StartResponse } from "../core/contract/types.ts";
import { describe } from "../core/errors.ts";
import { jsonText, replacing } from "./answer.ts";
import { checkHeaders, checkOptions, type OptionNames } from "./options.ts";

/** One event. A string is its data. */
export interface ServerSentEvent {
  /** What the page gets as `event.data`. A value that is no string is sent as JSON. */
  readonly data?: unknown;
  /** The type, for `addEventListener`. Default: `message`. */
  readonly event?: string;
  /** What a client that comes back sends as Last-Event-ID. */
  readonly id?: string | number;
  /** After how many milliseconds a client comes back. */
  readonly retry?: number;
  /** A comment, which the page does not see. */
  readonly comment?: string;
}

/** Any source of events. */
export type EventSourceLike = AsyncIterable<ServerSentEvent | string> | Iterable<ServerSentEvent | string>;

/** Options of {@linkcode eventStream}. */
export interface EventStreamOptions {
  /** Milliseconds of silence after which a comment keeps proxies from closing the connection. Default 15000; 0 for none. */
  readonly keepAlive?: number;
  /** More header fields. They replace those of the function that have the same name. */
  readonly headers?: HeaderList;
}

const OPTIONS: OptionNames<EventStreamOptions> = { keepAlive: true, headers: true };
const KEEP_ALIVE = 15_000; // ms, as the specification advises
const COMMENT = ":\n\n";

/**
 * Answers with a stream of events. The head is sent at once. When the client leaves, the stream ends: the source's
 * `return()` is called, and the signal fires.
 *
 * @param events The events, or a function that makes them and gets a signal, for sources that wait.
 *
 * @example
 * ```ts
 * import type { Environ, StartResponse } from "tsgi";
 * import { eventStream } from "tsgi/http";
 * import { client } from "tsgi/testing";
 * async function* ticks(signal: AbortSignal) {
 *   for (let n = 1; n <= 2 && !signal.aborted; n++) yield { id: n, data: { n } };
 * }
 * function app(_environ: Environ, startResponse: StartResponse) {
 *   return eventStream(startResponse, ticks);
 * }
 * const response = await client(app).get("/");
 * console.assert(await response.text() === ':\n\nid: 1\ndata: {"n":1}\n\nid: 2\ndata: {"n":2}\n\n');
 * ```
 */
export function eventStream(
  startResponse: StartResponse,
  events: EventSourceLike | ((signal: AbortSignal) => EventSourceLike),
  options: EventStreamOptions = {},
): AsyncIterable<string> {
  if (typeof startResponse !== "function") {
    throw new TypeError(`eventStream: expected startResponse first, got ${describe(startResponse)}`);
  }
  checkOptions("eventStream", options, OPTIONS);
  const { keepAlive = KEEP_ALIVE, headers = [] } = options;
  checkHeaders("eventStream", headers);
  const leaving = typeof events === "function" ? new AbortController() : undefined;
  const source = typeof events === "function" ? events((leaving as AbortController).signal) : events;
  const iterator = iteratorOf(source);
  const own: HeaderList = [
    ["Content-Type", "text/event-stream"],
    ["Cache-Control", "no-store"],
    ["X-Accel-Buffering", "no"], // nginx passes events on as they come
  ];
  startResponse("200 OK", replacing(own, headers));
  const stream = new EventBlocks(iterator, keepAlive, leaving);
  return { [Symbol.asyncIterator]: () => stream };
}

function iteratorOf(
  source: EventSourceLike,
): AsyncIterator<ServerSentEvent | string> | Iterator<ServerSentEvent | string> {
  if (typeof source === "object" && source !== null) {
    if (Symbol.asyncIterator in source) return source[Symbol.asyncIterator]();
    if (Symbol.iterator in source) return source[Symbol.iterator]();
  }
  throw new TypeError(`eventStream: expected an iterable of events, got ${describe(source)}`);
}

type Step = IteratorResult<ServerSentEvent | string, unknown>;

const DONE: IteratorResult<string, undefined> = { done: true, value: undefined };

class EventBlocks implements AsyncIterator<string, undefined> {
  readonly #source: AsyncIterator<ServerSentEvent | string> | Iterator<ServerSentEvent | string>;
  readonly #keepAlive: number;
  readonly #leaving: AbortController | undefined;
  #begun = false;
  #ended = false;
  #pending: Promise<Step> | undefined; // the source has not answered yet
  #wake: ((block: IteratorResult<string, undefined>) => void) | undefined;

  constructor(
    source: AsyncIterator<ServerSentEvent | string> | Iterator<ServerSentEvent | string>,
    keepAlive: number,
    leaving: AbortController | undefined,
  ) {
    this.#source = source;
    this.#keepAlive = keepAlive;
    this.#leaving = leaving;
  }

  next(): Promise<IteratorResult<string, undefined>> {
    if (!this.#begun) {
      this.#begun = true;
      return Promise.resolve({ done: false, value: COMMENT });
    }
    if (this.#ended) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const settle = (block: IteratorResult<string, undefined>): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve(block);
      };
      this.#wake = settle;
      if (this.#keepAlive > 0) timer = setTimeout(() => settle({ done: false, value: COMMENT }), this.#keepAlive);
      const pending = this.#pending ??= this.#pull();
      pending.then((step) => {
        if (this.#wake !== settle) return; // a comment went first: the event waits for the next call
        const block = step.done === true ? DONE : { done: false as const, value: formatted(step.value) };
        this.#pending = undefined;
        this.#ended = block === DONE;
        settle(block);
      }).catch((error) => {
        if (this.#wake !== settle) return; // as above: the next call gets the error
        const broken = this.#pending;
        this.#pending = undefined;
        this.#ended = true;
        clearTimeout(timer);
        this.#wake = undefined;
        // A generator that threw has ended. One whose event was malformed has not.
        void broken?.then(() => this.#leave()).catch(() => {});
        reject(error);
      });
    });
  }

  async #pull(): Promise<Step> {
    return await this.#source.next();
  }

  return(): Promise<IteratorResult<string, undefined>> {
    if (this.#ended) return Promise.resolve(DONE);
    this.#ended = true;
    this.#wake?.(DONE);
    const left = this.#leave();
    if (this.#pending === undefined) return left.then(() => DONE);
    // A generator that waits takes return() when it is done with waiting, if ever. Nobody waits for that.
    this.#pending.catch(() => {});
    left.catch(() => {});
    return Promise.resolve(DONE);
  }

  async #leave(): Promise<void> {
    this.#leaving?.abort();
    await this.#source.return?.();
  }
}

const LINE_END = /\r\n|\r|\n/;

/** The text of an event. */
function formatted(event: ServerSentEvent | string): string {
  if (typeof event === "string") return `${lines("data", event)}\n`;
  if (typeof event !== "object" || event === null) {
    throw new TypeError(`eventStream: expected a string or an object with data, got ${describe(event)}`);
  }
  const { data, event: type, id, retry, comment } = event;
  let text = comment === undefined ? "" : lines("", comment);
  if (type !== undefined) text += `event: ${oneLine("event", type)}\n`;
  if (id !== undefined) text += `id: ${oneLine("id", String(id))}\n`;
  if (retry !== undefined) {
    if (!Number.isSafeInteger(retry) || retry < 0) {
      throw new TypeError(`eventStream: expected milliseconds as retry, got ${describe(retry)}`);
    }
    text += `retry: ${retry}\n`;
  }
  if (data !== undefined) text += lines("data", typeof data === "string" ? data : jsonText("eventStream", data));
  return `${text}\n`;
}

function lines(name: string, value: string): string {
  return value.split(LINE_END).map((line) => `${name}: ${line}\n`).join("");
}

/** Refuses what would end the field: a client that sets an id could send events of its own. */
function oneLine(name: string, value: string): string {
  if (LINE_END.test(value) || value.includes("\0")) {
    throw new TypeError(`eventStream: expected one line as ${name}, got ${describe(value)}`);
  }
  return value;
}
