/**
 * Which class stands for a request: the lazy one, where the runtime takes it in place of a `Request`.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";
import { BrandedRequest } from "./branded_request.ts";
import { LazyRequest } from "./lazy_request.ts";

/** Makes a request of an environ, at a URL. */
export type RequestClass = new (environ: Environ, url: string) => LazyRequest | BrandedRequest;

/** The class of requests on this runtime. */
export const ServedRequest: RequestClass = isCopied(LazyRequest) ? LazyRequest : BrandedRequest;

if (ServedRequest === BrandedRequest) BrandedRequest.waits = isCopied(BrandedRequest);

/** Whether the runtime makes a right copy of a request of that class, at once and of a copy with changes. */
function isCopied(Class: RequestClass): boolean {
  const environ = {
    REQUEST_METHOD: "OPTIONS",
    HTTP_ACCEPT: "*/*",
    "tsgi.request": { signal: new AbortController().signal },
    "wsgi.input": (async function* () {})(),
  };
  const request = new Class(environ as unknown as Environ, "http://localhost/") as Request & { release(): void };
  try {
    const { method, headers } = new Request(new Request(request, { cache: "no-store" }));
    return method === "OPTIONS" && headers.has("Accept");
  } catch {
    return false;
  } finally {
    request.release();
  }
}
