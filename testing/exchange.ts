/**
 * An Exchange for one request and its response, with a test in place of a wire.
 *
 * The same Invocation runs the application here and behind a socket. So everything but the bytes on the wire is the
 * same: lengths, HEAD, errors before and after the head, `close()`, backpressure, departures.
 *
 * @module
 */

import { bytesOf } from "../core/gateway/response_body.ts";
import { errorText } from "../core/errors.ts";
import type { Gateway } from "../core/gateway/gateway.ts";
import { Invocation } from "../core/gateway/invocation.ts";
import { finalFields, NO_OWN_FIELDS } from "../core/contract/final_fields.ts";
import { InputClosedError } from "../core/contract/request_body.ts";
import type { Environ } from "../core/contract/types.ts";
import type { Exchange, HeaderList, Octets, ResponseHead } from "../core/seams.ts";
import { type Blocks, type Interim, TruncatedResponseError } from "./response.ts";
import type { Upload } from "./upload.ts";

const MARK = 65536; // bytes queued for the test before the application has to wait

/** A response head as a server would send it. */
export interface SentHead {
  readonly status: string;
  readonly headers: HeaderList;
}

/** A waiting read, and the function that wakes it. */
interface Waiter {
  readonly resolve: () => void;
}

/** One request and its response. */
export class TestExchange implements Exchange, Blocks {
  /** Resolves with the head, or rejects when the client left before. */
  readonly answered: Promise<SentHead>;
  readonly interims: Interim[] = [];
  /** Whether the application failed: the request was refused, or the response was cut off. */
  failed = false;
  /** Called when a read reaches the point where the response was cut off. May throw its own error. */
  onFailure: () => void = () => {};
  /** Called when the response is over, for any reason. */
  onOver: () => void = () => {};
  readonly #upload: Upload;
  readonly #http11: boolean;
  readonly #bodyless: boolean; // HEAD: a refusal then has no body either
  readonly #onInterim: (interim: Interim) => void;
  readonly #written: () => string;
  #invocation: Invocation | undefined;
  #resolve: (head: SentHead) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #blocks: Uint8Array[] = [];
  #buffered = 0;
  #waits = false; // the application waits for room
  #over = false;
  #failure: Error | undefined;
  #reader: Waiter | undefined;

  /** Makes an exchange. `written` returns the text of `wsgi.errors`. */
  constructor(
    environ: Pick<Environ, "REQUEST_METHOD" | "SERVER_PROTOCOL">,
    upload: Upload,
    onInterim: (interim: Interim) => void,
    written: () => string,
  ) {
    this.#upload = upload;
    this.#http11 = environ.SERVER_PROTOCOL !== "HTTP/1.0";
    this.#bodyless = environ.REQUEST_METHOD === "HEAD";
    this.#onInterim = onInterim;
    this.#written = written;
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Calls the application. */
  run(gateway: Gateway, environ: Environ): void {
    this.#invocation = new Invocation(gateway, this, environ, this.#upload.body);
    this.#invocation.run();
  }

  // The application's side.

  head(head: ResponseHead, length: number | null, _bodyless: boolean): void {
    this.#resolve({ status: head.status, headers: finalFields(head, length, NO_OWN_FIELDS) });
  }

  body(block: Octets): boolean {
    this.#blocks.push(bytesOf(block));
    this.#buffered += block.length;
    this.#wake();
    this.#waits = this.#buffered >= MARK;
    return !this.#waits;
  }

  end(): void {
    this.#finish("the response has ended");
  }

  abort(error: unknown): void {
    this.failed = true;
    this.#failure = new TruncatedResponseError("The response was cut off: the application failed in the middle of it", {
      cause: error,
    });
    this.#finish("the response has failed");
  }

  refuse(status: string): void {
    this.failed = true;
    const body = `${status}\n`;
    const headers: HeaderList = [["Content-Type", "text/plain; charset=utf-8"], [
      "Content-Length",
      String(body.length),
    ]];
    this.#resolve({ status, headers });
    if (!this.#bodyless) this.#blocks.push(new TextEncoder().encode(body));
    this.#finish("the request was refused");
  }

  informational(status: string, headers: HeaderList): void {
    if (!this.#http11) return;
    const interim = { status, headers };
    this.interims.push(interim);
    this.#onInterim(interim);
  }

  // The test's side.

  /** What was written to `wsgi.errors`. */
  get log(): string {
    return this.#written();
  }

  async next(): Promise<Uint8Array | null> {
    while (this.#blocks.length === 0 && !this.#over) {
      await new Promise<void>((resolve) => this.#reader = { resolve });
    }
    const block = this.#blocks.shift();
    if (block === undefined) {
      if (this.#failure === undefined) return null;
      if (this.failed) this.onFailure();
      throw this.#failure;
    }
    this.#buffered -= block.length;
    if (this.#waits && this.#buffered < MARK) {
      this.#waits = false;
      this.#invocation?.drained();
    }
    return block;
  }

  cancel(): void {
    this.depart(new TruncatedResponseError("The client has left"));
  }

  /** Makes the client leave. Pending reads reject with `reason`. */
  depart(reason: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = reason instanceof Error ? reason : new TruncatedResponseError(errorText(reason));
    this.#blocks = [];
    this.#reject(reason);
    this.onOver();
    this.#upload.body.fail(new InputClosedError("The client closed the connection"));
    this.#upload.stop();
    this.#invocation?.departed();
    this.#wake();
  }

  #finish(reason: string): void {
    this.#over = true;
    this.onOver();
    this.#upload.body.discard(reason);
    this.#upload.stop();
    this.#wake();
  }

  #wake(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.resolve();
  }
}
