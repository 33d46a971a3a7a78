/**
 * Normalizes the method of a request according to the fetch standard.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";

/** Methods that the fetch standard converts to upper case. */
const NORMALIZED: ReadonlySet<string> = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);

/** Methods that the constructor of `Request` refuses. */
const FORBIDDEN: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/** Returns the method that the `Request` of this environ has. */
export function methodOf({ REQUEST_METHOD: method }: Environ): string {
  if (NORMALIZED.has(method)) return method;
  const upper = method.toUpperCase();
  return NORMALIZED.has(upper) ? upper : method;
}

/** Whether the constructor of `Request` refuses a method. */
export function isForbidden(method: string): boolean {
  return FORBIDDEN.has(method.toUpperCase());
}
