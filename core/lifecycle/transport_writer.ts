/**
 * The output of a connection: writes octets to its transport, counts them, and remembers whether output flows.
 *
 * Small blocks are copied into memory that the transport lends, so that a head and a small body are sent in one write.
 * A block that is too large to copy is passed to the transport as it is.
 *
 * @module
 */

import { writeOctets } from "../grammar.ts";
import type { Octets, Transport } from "../seams.ts";

/** Bytes: copying a smaller block is cheaper than another write. */
export const COPY_LIMIT = 65536;

/** Writes to one transport. */
export class TransportWriter {
  readonly #transport: Transport;
  #written = 0;
  #flowing = true;

  /** A writer to `transport`. */
  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Bytes written. */
  get written(): number {
    return this.#written;
  }

  /** Whether output is below the high-water mark, according to the last write. */
  get flowing(): boolean {
    return this.#flowing;
  }

  /** Output is below the high-water mark again. */
  drained(): void {
    this.#flowing = true;
  }

  /** Writes a block, which belongs to the transport then. Returns false above the high-water mark. */
  block(octets: Octets): boolean {
    return typeof octets === "string" || octets.length <= COPY_LIMIT ? this.copy(octets) : this.give(octets);
  }

  /** Writes a copy of a block. */
  copy(octets: Octets): boolean {
    const at = this.#transport.reserve(octets.length);
    writeOctets(this.#transport.memory, at, octets);
    return this.commit(octets.length);
  }

  /** Writes bytes without a copy. */
  give(bytes: Uint8Array): boolean {
    this.#written += bytes.length;
    this.#flowing = this.#transport.write(bytes);
    return this.#flowing;
  }

  /** The output memory of the transport, of which `reserve` lends a part. */
  get memory(): Uint8Array {
    return this.#transport.memory;
  }

  /** Lends at least `min` bytes of `memory`, and returns the index at which they begin. */
  reserve(min: number): number {
    return this.#transport.reserve(min);
  }

  /** Writes the first `length` bytes of what `reserve` lent. */
  commit(length: number): boolean {
    this.#written += length;
    this.#flowing = this.#transport.commit(length);
    return this.#flowing;
  }
}
