/**
 * A real Request, for runtimes that tell one by private fields (Node.js from 24 on): they take nothing else in
 * `new Request(request)` or `fetch(request)`.
 *
 * Its state is right from the start, since the runtime reads it without asking. What is made when it is asked for are the
 * signal and, for methods that read the body whole, a way past the stream.
 *
 * @module
 */

import type { Environ } from "../../core/gateway/types.ts";
import { clientAddress, waitUntil } from "./context.ts";
import { fieldsOf } from "./headers.ts";
import { isForbidden, methodOf } from "./method.ts";
import { BODY_METHODS, type BodyMethod, bodyStream, bodyUsedError, hasBody, readBody } from "./request_body.ts";

/** A request, as a fetch handler gets it. */
export class BrandedRequest extends Request {
  readonly #environ: Environ;
  readonly #url: string;
  readonly #method: string;
  #used = false; // the body was read past the stream
  #streamed = false; // the stream has been asked for

  /** The request of an environ, at a URL. */
  constructor(environ: Environ, url: string) {
    const method = methodOf(environ);
    super(url, initOf(environ, method));
    this.#environ = environ;
    this.#url = url;
    this.#method = method;
  }

  /** Reads the body of `request` whole; `streamed` reads that of its stream. */
  static read(request: BrandedRequest, method: BodyMethod, streamed: () => Promise<unknown>): Promise<unknown> {
    if (request.#used) return Promise.reject(bodyUsedError());
    if (request.#streamed || !hasBody(request.#method)) return streamed.call(request);
    request.#used = true;
    return readBody(request.#environ, method);
  }

  override get method(): string {
    return this.#method;
  }

  override get url(): string {
    return this.#url;
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
    return super.clone();
  }

  get ip(): string | undefined {
    return clientAddress(this.#environ);
  }

  get waitUntil(): (promise: Promise<unknown>) => void {
    return (promise) => waitUntil(this.#environ, promise);
  }
}

function initOf(environ: Environ, method: string): RequestInit {
  const headers = [...fieldsOf(environ)];
  if (method === "GET" || isForbidden(method)) return { headers };
  if (!hasBody(method)) return { method, headers };
  return { method, headers, body: bodyStream(environ), duplex: "half" } as RequestInit;
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
