/**
 * The fastest latin-1 decoder that all three runtimes have: that of `node:buffer`.
 *
 * @module
 */

import type { Host } from "../core/seams.ts";

/** What decodes `bytes[start, end)` one code unit a byte, of `Buffer`. It is not imported here: on Deno that takes time. */
export function latin1With({ prototype }: { readonly prototype: object }): Host["latin1"] {
  const { latin1Slice } = prototype as { latin1Slice(start: number, end: number): string };
  return (bytes, start, end) => latin1Slice.call(bytes, start, end);
}
