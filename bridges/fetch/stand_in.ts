/**
 * Chooses the class of requests: the lazy one, if the runtime accepts it in place of a `Request`.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";
import { BrandedRequest } from "./branded_request.ts";
import { LazyRequest } from "./lazy_request.ts";

/** A class that makes a request from an environ and a URL. */
export type RequestClass = new (environ: Environ, url: string) => LazyRequest | BrandedRequest;

/** The class of requests on this runtime. */
export const ServedRequest: RequestClass = isCopied(LazyRequest) ? LazyRequest : BrandedRequest;

if (ServedRequest === BrandedRequest) BrandedRequest.waits = isCopied(BrandedRequest);

/** Tests whether the runtime copies a request of that class correctly, both unchanged and with changes. */
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
