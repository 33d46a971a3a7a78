/**
 * One request on its way through a Python process: the body that the process pulls, and the response that it sends.
 *
 * The response is taken from the process as fast as it comes. If it is complete with the bytes of one read, it becomes an
 * array, which the gateway sends at once. Else it becomes a stream over a `SpooledBuffer`.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { foreignStatus } from "../../core/contract/response_head.ts";
import type { Body, Environ, StartResponse } from "../../core/contract/types.ts";
import { PythonError, PythonProcessError } from "./errors.ts";
import { DATA, END, RESPONSE_HEAD, TRACEBACK } from "./frames.ts";
import { SpooledBuffer } from "./spooled_buffer.ts";

/** Where the body of a request comes from. */
export interface BodySource {
  /** The whole body if it is short, else null. */
  readonly whole: readonly Uint8Array[] | null;
  /** The next block; undefined at the end. It rejects if the body cannot be read. */
  next(): Promise<Uint8Array | undefined>;
  /** Whether the client may let `next` wait: then the wait is not the application's fault. */
  readonly live: boolean;
  /** Releases what the body holds. */
  close(): void;
}

/** The size of a response's buffers. */
export interface BufferLimits {
  /** Bytes in memory. */
  readonly bufferLimit: number;
  /** Bytes in a file. */
  readonly spoolLimit: number;
  /** The folder of the file. */
  readonly folder: string;
}

/** What a call asks of the connection that carries it. */
export interface Carrier {
  /** Nobody wants the rest of the response. */
  abort(): void;
  /** Stops reading. */
  pause(): void;
  /** Continues reading. */
  resume(): void;
}

/** A request that waits for a Python thread, or has one. */
export class Call {
  /** The request. */
  readonly environ: Environ;
  /** Its body. */
  readonly body: BodySource;
  /** What the application returns to the gateway. */
  readonly result: Promise<Body>;
  /** When it began to wait for a thread. */
  readonly since: number = performance.now();
  /** The connection that carries it. */
  carrier: Carrier | undefined;
  /** An error of the request body. It explains the error of the application that follows. */
  bodyError: unknown;
  readonly #startResponse: StartResponse;
  readonly #limits: BufferLimits;
  #resolve!: (body: Body) => void;
  #reject!: (error: unknown) => void;
  #head: [string, [string, string][]] | undefined;
  #blocks: Uint8Array[] = [];
  #stream: SpooledBuffer | undefined;
  #settled = false;
  #ended = false;
  #aborted = false;
  #paused = false;

  /** A call for one request. */
  constructor(environ: Environ, startResponse: StartResponse, body: BodySource, limits: BufferLimits) {
    this.environ = environ;
    this.body = body;
    this.#startResponse = startResponse;
    this.#limits = limits;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Whether nobody waits for more of the response. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether its client may be gone: it has sent FIN. */
  get clientEnded(): boolean {
    return this.environ["tsgi.request"].clientEnded;
  }

  /** Whether nobody wants the rest of the response; its thread, if it has one, has got the abort frame. */
  get aborted(): boolean {
    return this.#aborted;
  }

  /** Takes a frame of the response. The last one leaves the body open: the application may read it until `close()` ends. */
  take(type: number, content: Buffer): void {
    if (this.#ended) return; // its client is gone
    if (type === DATA) {
      if (this.#stream === undefined) this.#blocks.push(content);
      else this.#push(content);
    } else if (type === RESPONSE_HEAD) this.#head = JSON.parse(content.toString());
    else if (type === END) {
      this.#ended = true;
      this.#resume(); // what the thread sends next belongs to another request
      if (this.#stream === undefined) this.#answer(this.#blocks);
      else this.#stream.end();
    } else if (type === TRACEBACK) this.#fail(this.bodyError ?? new PythonError(content.toString()));
  }

  /** The bytes of one read are processed: what there is of a response need not wait for more. */
  flush(): void {
    if (this.#settled || this.#ended || this.#head === undefined || this.#blocks.length === 0) return;
    const { bufferLimit, folder, spoolLimit } = this.#limits;
    this.#stream = new SpooledBuffer(bufferLimit, folder, spoolLimit);
    for (const block of this.#blocks) this.#push(block);
    this.#blocks = [];
    this.#answer(this.#iterate(this.#stream));
  }

  /** Fails the response. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.body.close();
    this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#ended = true;
    this.#resume();
    if (this.#settled) return this.#stream?.fail(error);
    this.#settled = true;
    this.#reject(error);
  }

  /** The process is gone, or is about to be. Answers with an error status if no head has been sent. */
  refuse(status: string, reason: string, headers: [string, string][] = []): void {
    if (this.#settled) return this.fail(new PythonProcessError(reason));
    if (this.#ended) return;
    this.environ["wsgi.errors"].write(
      `tsgi: ${this.environ.REQUEST_METHOD} ${printable(this.environ.REQUEST_URI)}: ${status.slice(0, 3)}: ${reason}\n`,
    );
    this.#ended = true;
    this.body.close();
    this.#head = [status, [["Content-Type", "text/plain; charset=utf-8"], ...headers]];
    this.#answer([`${status.slice(4)}\n`]);
  }

  /** The client is gone, or the gateway needs no further block. */
  abandon(): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#aborted = true;
      this.body.close();
      this.carrier?.abort();
    }
    this.#blocks = [];
    this.#stream?.close();
    if (this.#settled) return;
    this.#settled = true;
    this.#resolve([]);
  }

  #push(block: Uint8Array): void {
    const stream = this.#stream as SpooledBuffer;
    stream.push(block);
    if (!stream.isFull || this.#paused) return; // one read has many blocks
    this.#paused = true;
    this.carrier?.pause();
    stream.drained(() => this.#resume());
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.carrier?.resume();
  }

  #answer(body: Body): void {
    if (this.#settled) return;
    this.#settled = true;
    try {
      const [status, headers] = this.#head as [string, [string, string][]];
      this.#startResponse(foreignStatus(status), headers);
      this.#resolve(body);
    } catch (error) {
      this.#reject(error);
      this.abandon();
    }
  }

  /** The blocks of a streamed response, as the client takes them. */
  #iterate(stream: SpooledBuffer): AsyncIterable<Uint8Array> {
    return {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const value = await stream.next();
          if (value !== undefined) return { done: false, value };
          stream.close();
          return { done: true, value: undefined };
        },
        return: () => {
          this.abandon();
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
  }
}

/** A request target without characters that could forge a line of the log. */
function printable(target: string): string {
  return target.replace(/[^\x21-\x7e]/g, (octet) => `\\x${octet.charCodeAt(0).toString(16)}`);
}
