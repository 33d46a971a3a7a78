/**
 * A lazy Request: a view of an environ that creates its parts only when they are used.
 *
 * Method, URL, fields, signal, and a body that is read whole come from the environ. Anything else (`body`, `clone()`,
 * `cache`, ...) creates the real `Request`, which answers everything from then on.
 *
 * It inherits from `Request.prototype`, so `instanceof` works. A runtime that receives it in place of a `Request`, as
 * in `new Request(request)`, reads its internal state. Bun reads public members. Deno and Node.js 22 read properties
 * named by symbols, which are forwarded to the real Request here. Later versions of Node.js read private fields, which
 * only the constructor of `Request` creates. There `BrandedRequest` replaces this class.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";
import { clientAddress, waitUntil } from "./context.ts";
import { RequestHeaders } from "./headers.ts";
import { leadOn, leadProperty } from "./lead_on.ts";
import { isForbidden, methodOf } from "./method.ts";
import { BODY_METHODS, type BodyMethod, bodyStream, bodyUsedError, hasBody, readBody } from "./request_body.ts";

/** The lazy request that a fetch handler gets. */
export class LazyRequest {
  readonly #environ: Environ;
  readonly #url: string;
  #headers: RequestHeaders | undefined;
  #real: Request | undefined;
  #used = false; // the body was read without the real Request

  /** The request of an environ, at a URL. */
  constructor(environ: Environ, url: string) {
    this.#environ = environ;
    this.#url = url;
  }

  /** The real Request behind `request`, created on first use. */
  static real(request: LazyRequest): Request {
    return request.#real ??= request.#make();
  }

  /** Reads the body of `request` whole. */
  static read(request: LazyRequest, method: BodyMethod): Promise<unknown> {
    if (request.#real !== undefined || !hasBody(request.method)) return LazyRequest.real(request)[method]();
    if (request.#used) return Promise.reject(bodyUsedError());
    request.#used = true;
    return readBody(request.#environ, method);
  }

  get method(): string {
    return methodOf(this.#environ);
  }

  get url(): string {
    return this.#url;
  }

  get headers(): Headers {
    return (this.#headers ??= new RequestHeaders(this.#environ)) as unknown as Headers;
  }

  get signal(): AbortSignal {
    return this.#environ["tsgi.request"].signal;
  }

  get bodyUsed(): boolean {
    return this.#used || this.#real?.bodyUsed === true;
  }

  /** Called when the handler has answered. Nothing to do here. */
  release(): void {}

  /** Nothing to do here: a copy creates what it needs at that time. */
  fill(): void {}

  // Members that srvx adds to a Request, and that h3 uses.

  get ip(): string | undefined {
    return clientAddress(this.#environ);
  }

  get waitUntil(): (promise: Promise<unknown>) => void {
    return (promise) => waitUntil(this.#environ, promise);
  }

  #make(): Request {
    const { method, signal } = this;
    const forbidden = isForbidden(method);
    const init: RequestInit & { duplex?: "half" } = {
      method: forbidden ? "GET" : method,
      headers: this.headers,
      signal,
    };
    if (hasBody(method) && !forbidden) {
      init.body = this.#used ? new Uint8Array(0) : bodyStream(this.#environ);
      init.duplex = "half";
    }
    const real = new Request(this.#url, init);
    if (forbidden) Object.defineProperty(real, "method", { value: method });
    if (this.#used) void real.text(); // marks the body as used
    this.#headers?.follow(real.headers);
    return real;
  }
}

for (const method of BODY_METHODS) {
  Object.defineProperty(LazyRequest.prototype, method, {
    configurable: true,
    writable: true,
    value(this: LazyRequest): Promise<unknown> {
      return LazyRequest.read(this, method);
    },
  });
}
leadOn(LazyRequest.prototype, Request.prototype, LazyRequest.real);
for (const symbol of Object.getOwnPropertySymbols(new Request("http://localhost/"))) {
  leadProperty(LazyRequest.prototype, symbol, LazyRequest.real);
}
