/**
 * The fastest latin-1 decoder that all three runtimes have: that of `node:buffer`.
 *
 * @module
 */

import type { Host } from "../core/seams.ts";

/** Makes a decoder from `Buffer`. The caller passes `Buffer`, since importing it takes time on Deno. */
export function latin1With({ prototype }: { readonly prototype: object }): Host["latin1"] {
  const { latin1Slice } = prototype as { latin1Slice(start: number, end: number): string };
  return (bytes, start, end) => latin1Slice.call(bytes, start, end);
}
