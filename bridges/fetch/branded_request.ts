/**
 * A real Request with little in it, for runtimes that tell one by private fields, as Node.js does from 24 on, or by their
 * own kind of object, as Bun does: in `new Request(request)` and `fetch(request)` they take nothing else.
 *
 * Its method, URL and stream are right from the start, since the constructor of `Request` reads them where nobody can
 * intervene. The signal is made when it is asked for, and methods that read the body whole go past the stream.
 *
 * Header fields wait too. A constructor that looks for a Request walks along its prototypes first, and among those is a
 * proxy that hears of it: the fields of all requests that have none yet are put in then. Where a runtime does not walk
 * (Bun), they are put in from the start.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";
import { clientAddress, waitUntil } from "./context.ts";
import { RequestHeaders } from "./headers.ts";
import { isForbidden, methodOf } from "./method.ts";
import { BODY_METHODS, type BodyMethod, bodyStream, bodyUsedError, hasBody, readBody } from "./request_body.ts";

/** Requests without header fields whose handlers run. */
const unfilled = new Set<BrandedRequest>();

let heard = true;

/** Reads of a request what its runtime gives only after it has looked for one. */
function unheard<T>(read: () => T): T {
  heard = false;
  try {
    return read();
  } finally {
    heard = true;
  }
}

/** A request, as a fetch handler gets it. */
export class BrandedRequest extends Request {
  /** Whether fields may wait, as far as the runtime is known. */
  static waits = true;

  readonly #environ: Environ;
  readonly #url: string;
  readonly #method: string;
  #headers: RequestHeaders | undefined;
  #used = false; // the body was read past the stream
  #streamed = false; // the stream has been asked for

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

  /** Reads the body of `request` whole; `streamed` reads that of its stream. */
  static read(request: BrandedRequest, method: BodyMethod, streamed: () => Promise<unknown>): Promise<unknown> {
    if (request.#used) return Promise.reject(bodyUsedError());
    if (request.#streamed || !hasBody(request.#method)) return streamed.call(request);
    request.#used = true;
    return readBody(request.#environ, method);
  }

  /** Puts the header fields in. */
  fill(): void {
    unfilled.delete(this);
    this.#view.real();
  }

  /** The handler has answered: who makes a copy from now on finds the fields only if they are there. */
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

  // What the servers of srvx add to a Request, and h3 looks for.

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
