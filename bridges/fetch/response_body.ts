/**
 * The body of a Response on its way out.
 *
 * Nothing tells from outside whether a body is a string or a stream that goes on for hours. So it is read, and looked at
 * for a few microtasks: what is complete by then goes out as one array, whose length the server states. Of anything else
 * the head goes out at once, with what is there, and then one block at a time, as the client takes them.
 *
 * @module
 */

import type { Body, StartResponse } from "../../core/contract/types.ts";

const LOOKS = 16; // microtasks in which a body that is complete shows to be
const CLOSING = 3; // of them, behind a block: how long a stream takes to close
const MOST_AT_ONCE = 65536; // bytes

const settled = Promise.resolve();

/** Whether the runtime keeps to itself that a body is text, as Bun does, whose own server then says so. */
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
  #blocks: Uint8Array[] = []; // that have been read and not been taken
  #size = 0;
  #pending: Promise<Step> | undefined; // a read that has been begun and not been taken
  #looks = LOOKS;
  #closing = 0; // of them, until the next block is asked for
  #ended = false; // the stream has closed or failed
  #open: ((body: Body) => void) | undefined;
  #fail: (error: unknown) => void = () => {};

  /** The body in `stream`, of the response that `head` begins, to `request`. */
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

  /** The whole body if it is complete, else this one, with the head on its way. Rejects when it fails before. */
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
    if (this.#pending === undefined) this.#complete(); // else its block is on the way
  }

  #ask(): void {
    this.#pending = this.#reader.read();
    this.#pending.then((step) => this.#take(step), this.#fail);
  }

  #take({ done, value }: Step): void {
    if (this.#open === undefined) return; // whoever iterates takes it
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

  /** All of the body is here. */
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

  /** More of the body is to come: gives it block by block. */
  #stream(): void {
    const open = this.#opened();
    if (open === undefined) return;
    this.#request.fill(); // who makes the body may make copies of the request
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

  /** Tells the source that nobody reads on, unless it has ended. */
  close(): Promise<void> | undefined {
    return this.#ended ? undefined : this.#reader.cancel();
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Whether a body of no stated type is text. One of bytes that are text passes for it, too. */
function isTypelessText(headers: ResponseHead["headers"], blocks: readonly Uint8Array[]): boolean {
  if (blocks.length !== 1 || headers.some(([name]) => name === "content-type")) return false;
  try {
    utf8.decode(blocks[0]);
    return true;
  } catch {
    return false;
  }
}
