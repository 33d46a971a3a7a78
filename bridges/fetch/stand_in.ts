/**
 * Which class stands for a request: the lazy one, where the runtime takes it in place of a `Request`.
 *
 * @module
 */

import type { Environ } from "../../core/gateway/types.ts";
import { BrandedRequest } from "./branded_request.ts";
import { LazyRequest } from "./lazy_request.ts";

/** Makes a request of an environ, at a URL. */
export type RequestClass = new (environ: Environ, url: string) => LazyRequest | BrandedRequest;

/** The class of requests on this runtime. */
export const ServedRequest: RequestClass = takesLazy() ? LazyRequest : BrandedRequest;

function takesLazy(): boolean {
  const environ = {
    REQUEST_METHOD: "OPTIONS",
    HTTP_ACCEPT: "*/*",
    "tsgi.request": {},
    "wsgi.input": (async function* () {})(),
  };
  const lazy = new LazyRequest(environ as unknown as Environ, "http://localhost/");
  try {
    const { method, headers } = new Request(new Request(lazy as unknown as Request, { cache: "no-store" }));
    return method === "OPTIONS" && headers.has("Accept");
  } catch {
    return false;
  }
}
