/**
 * The fastest latin-1 decoder that all three runtimes have: that of `node:buffer`.
 *
 * @module
 */

import { Buffer } from "node:buffer";

const slice = (Buffer.prototype as unknown as { latin1Slice(start: number, end: number): string }).latin1Slice;

/** Decodes `bytes[start, end)` one code unit a byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return slice.call(bytes, start, end);
}
