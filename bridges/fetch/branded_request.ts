/**
 * A real Request that is filled as late as possible. Some runtimes accept only a real one in `new Request(request)` and
 * `fetch(request)`: Node.js from 24 on recognizes it by private fields, Bun by its native object type.
 *
 * Method, URL and stream are set from the start, because the constructor of `Request` reads them from internal state.
 * The signal is created on first use, and methods that read the whole body bypass the stream.
 *
 * Header fields are filled late too. A constructor that checks for a Request first walks its prototype chain. A proxy
 * in that chain notices the walk, and then fills the fields of all requests that have none yet. Bun does not walk the
 * chain, so there the fields are filled from the start.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";
import { clientAddress, waitUntil } from "./context.ts";
import { RequestHeaders } from "./headers.ts";
import { isForbidden, methodOf } from "./method.ts";
import { BODY_METHODS, type BodyMethod, bodyStream, bodyUsedError, hasBody, readBody } from "./request_body.ts";

/** Requests whose handlers run and whose header fields are not filled yet. */
const unfilled = new Set<BrandedRequest>();

let heard = true;

/** Runs `read` without triggering the proxy, for a read in which the runtime itself walks the prototype chain. */
function unheard<T>(read: () => T): T {
  heard = false;
  try {
    return read();
  } finally {
    heard = true;
  }
}

/** The real request that a fetch handler gets. */
export class BrandedRequest extends Request {
  /** Whether the runtime allows header fields to be filled late. */
  static waits = true;

  readonly #environ: Environ;
  readonly #url: string;
  readonly #method: string;
  #headers: RequestHeaders | undefined;
  #used = false; // the body was read without the stream
  #streamed = false; // the stream was requested

  /** The request of an environ, at a URL. */
  constructor(environ: Environ, url: string) {
    const method = methodOf(environ);
    super(url, initOf(environ, method));
    this.#environ = environ;
    this.#url = url;
    this.#method = method;
    if (BrandedRequest.waits) unfilled.add(this);
    else this.fill();
  }

  /** Reads the whole body of `request`. `streamed` is the runtime's own method, which reads the stream. */
  static read(request: BrandedRequest, method: BodyMethod, streamed: () => Promise<unknown>): Promise<unknown> {
    if (request.#used) return Promise.reject(bodyUsedError());
    if (request.#streamed || !hasBody(request.#method)) return streamed.call(request);
    request.#used = true;
    return readBody(request.#environ, method);
  }

  /** Fills the header fields. */
  fill(): void {
    unfilled.delete(this);
    this.#view.real();
  }

  /** Called when the handler has answered. A copy made later has the fields only if they are filled already. */
  release(): void {
    unfilled.delete(this);
  }

  get #view(): RequestHeaders {
    return this.#headers ??= new RequestHeaders(this.#environ, () => unheard(() => super.headers));
  }

  override get method(): string {
    return this.#method;
  }

  override get url(): string {
    return this.#url;
  }

  override get headers(): Headers {
    return BrandedRequest.waits ? this.#view as unknown as Headers : super.headers;
  }

  override get signal(): AbortSignal {
    return this.#environ["tsgi.request"].signal;
  }

  override get bodyUsed(): boolean {
    return this.#used || super.bodyUsed;
  }

  override get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    this.#streamed = true;
    return super.body;
  }

  override clone(): Request {
    if (this.#used) throw bodyUsedError();
    this.#streamed = true;
    this.fill();
    return super.clone();
  }

  // Members that srvx adds to a Request, and that h3 uses.

  get ip(): string | undefined {
    return clientAddress(this.#environ);
  }

  get waitUntil(): (promise: Promise<unknown>) => void {
    this.fill(); // the promise may outlive the handler
    return (promise) => waitUntil(this.#environ, promise);
  }
}

function initOf(environ: Environ, method: string): RequestInit | undefined {
  if (method === "GET" || isForbidden(method)) return undefined;
  if (!hasBody(method)) return { method };
  return { method, body: bodyStream(environ), duplex: "half" } as RequestInit;
}

for (const method of BODY_METHODS) {
  const streamed = Request.prototype[method];
  if (streamed === undefined) continue;
  Object.defineProperty(BrandedRequest.prototype, method, {
    configurable: true,
    writable: true,
    value(this: BrandedRequest): Promise<unknown> {
      return BrandedRequest.read(this, method, streamed);
    },
  });
}

Object.setPrototypeOf(
  BrandedRequest.prototype,
  new Proxy(Request.prototype, {
    getPrototypeOf(target): object {
      if (heard) { for (const request of unfilled) request.fill(); }
      return target;
    },
  }),
);
