/**
 * Sends the body of a Response.
 *
 * A Response does not reveal whether its body is a string or a stream that lasts for hours. So the body is read for a
 * few microtasks. If it is complete by then, it is returned as one array, and the server states its length. Otherwise
 * the head is sent at once with the blocks read so far, and then one block at a time, as the client takes them.
 *
 * @module
 */

import type { Body, StartResponse } from "../../core/contract/types.ts";

const LOOKS = 16; // microtasks within which a complete body shows its end
const CLOSING = 3; // microtasks after a block within which a stream closes
const MOST_AT_ONCE = 65536; // bytes

const settled = Promise.resolve();

/** Whether the runtime sets no Content-Type for text, as on Bun, where only Bun's own server adds it. */
const TYPELESS_TEXT = !new Response("text").headers.has("content-type");

type Step = ReadableStreamReadResult<Uint8Array>;

/** A Response without its body. */
export interface ResponseHead {
  /** Status code and reason phrase. */
  readonly status: string;
  /** The header list. */
  readonly headers: (readonly [name: string, value: string])[];
}

/** The blocks of a stream. Its `close()` cancels what has not been read. */
export class ResponseBody implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #head: ResponseHead;
  readonly #startResponse: StartResponse;
  readonly #request: { fill(): void };
  #blocks: Uint8Array[] = []; // read, and not taken yet
  #size = 0;
  #pending: Promise<Step> | undefined; // a read that was started and not taken yet
  #looks = LOOKS;
  #closing = 0; // microtasks left until the next block is requested
  #ended = false; // the stream has closed or failed
  #open: ((body: Body) => void) | undefined;
  #fail: (error: unknown) => void = () => {};

  /** Makes the body from `stream`, for the response with `head`, to `request`. */
  constructor(
    stream: ReadableStream<Uint8Array>,
    head: ResponseHead,
    startResponse: StartResponse,
    request: { fill(): void },
  ) {
    this.#reader = stream.getReader();
    this.#head = head;
    this.#startResponse = startResponse;
    this.#request = request;
  }

  /**
   * Resolves with the whole body if it is complete. Otherwise sends the head and resolves with this object. Rejects if
   * it fails before.
   */
  open(): Promise<Body> {
    return new Promise((resolve, reject) => {
      this.#open = resolve;
      this.#fail = reject;
      this.#reader.closed.then(() => this.#close(), (error) => {
        this.#ended = true;
        reject(error);
      });
      this.#ask();
      this.#look();
    });
  }

  #close(): void {
    this.#ended = true;
    if (this.#pending === undefined) this.#complete(); // otherwise its block is still to come
  }

  #ask(): void {
    this.#pending = this.#reader.read();
    this.#pending.then((step) => this.#take(step), this.#fail);
  }

  #take({ done, value }: Step): void {
    if (this.#open === undefined) return; // the iteration takes it
    this.#pending = undefined;
    if (!done) {
      this.#blocks.push(value);
      this.#size += value.length;
      this.#closing = CLOSING;
    }
    if (done || this.#ended) this.#complete();
    else if (this.#size > MOST_AT_ONCE) this.#stream();
  }

  readonly #look = (): void => {
    if (this.#open === undefined) return;
    if (--this.#looks === 0) return this.#stream();
    if (this.#pending === undefined && --this.#closing === 0) this.#ask();
    settled.then(this.#look);
  };

  /** Returns the complete body. */
  #complete(): void {
    const open = this.#opened();
    if (open === undefined) return;
    const { status, headers } = this.#head;
    if (TYPELESS_TEXT && isTypelessText(headers, this.#blocks)) {
      headers.push(["content-type", "text/plain;charset=UTF-8"]);
    }
    try {
      this.#startResponse(status, headers);
      open(this.#blocks);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Starts to give the body block by block, because more of it is to come. */
  #stream(): void {
    const open = this.#opened();
    if (open === undefined) return;
    this.#request.fill(); // code that produces the body may copy the request
    try {
      const write = this.#startResponse(this.#head.status, this.#head.headers);
      if (this.#blocks.length === 0) write(""); // sends the head
      open(this);
    } catch (error) {
      this.#fail(error);
      this.#reader.cancel(error).catch(() => {}); // the first error is the one that counts
    }
  }

  #opened(): ((body: Body) => void) | undefined {
    const open = this.#open;
    this.#open = undefined;
    return open;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const block = this.#blocks.shift();
    if (block !== undefined) return Promise.resolve({ done: false, value: block });
    const step = this.#pending ?? this.#reader.read();
    this.#pending = undefined;
    return step as Promise<IteratorResult<Uint8Array, undefined>>;
  }

  /** Cancels the source, unless it has ended. */
  close(): Promise<void> | undefined {
    return this.#ended ? undefined : this.#reader.cancel();
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Whether a body without a Content-Type is text. Bytes that happen to be text count too. */
function isTypelessText(headers: ResponseHead["headers"], blocks: readonly Uint8Array[]): boolean {
  if (blocks.length !== 1 || headers.some(([name]) => name === "content-type")) return false;
  try {
    utf8.decode(blocks[0]);
    return true;
  } catch {
    return false;
  }
}
