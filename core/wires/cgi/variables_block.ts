/**
 * Variables that arrive as one block behind its length, as those of SCGI and uwsgi do.
 *
 * @module
 */

import type { WireConfig } from "../wire.ts";
import type { Variables } from "./variables.ts";

/** The parts in which the protocols differ. Both are given latin-1 text, a code unit for each byte. */
export interface BlockFormat {
  /**
   * The size of the block, according to the bytes before it; undefined while these are incomplete.
   *
   * @throws {Refusal} when they break the rules of the protocol.
   */
  size(prefix: string): number | undefined;
  /**
   * The variables in the block.
   *
   * @throws {Refusal} when it breaks the rules of the protocol.
   */
  variables(block: string): Variables;
}

/**
 * Reads such a block from a stream of bytes.
 *
 * @example
 * ```ts
 * import { readLatin1 } from "../../grammar.ts";
 * import { Variables } from "./variables.ts";
 * import { BlockDecoder } from "./variables_block.ts";
 * const variables = (block: string): Variables => {
 *   const result = new Variables();
 *   result.add("BLOCK", block);
 *   return result;
 * };
 * const decoder = new BlockDecoder({ size: (prefix) => prefix.length < 3 ? undefined : 2, variables }, {
 *   latin1: readLatin1,
 * });
 * console.assert(decoder.decode(new TextEncoder().encode("...ab body")) === 5);
 * console.assert(decoder.complete?.get("BLOCK") === "ab");
 * ```
 */
export class BlockDecoder {
  readonly #format: BlockFormat;
  readonly #host: Pick<WireConfig, "latin1">;
  #prefix = "";
  #block: Uint8Array | undefined; // once its size is known
  #filled = 0;
  /** The variables, once they are complete. */
  complete: Variables | undefined;

  /** Creates a decoder. `host` has the decoder of latin-1. */
  constructor(format: BlockFormat, host: Pick<WireConfig, "latin1">) {
    this.#format = format;
    this.#host = host;
  }

  /** Whether bytes of the request have arrived. */
  get begun(): boolean {
    return this.#prefix !== "";
  }

  /**
   * Decodes bytes, and returns the index behind what was consumed.
   *
   * @throws {Refusal} when the bytes break the rules of the protocol.
   */
  decode(bytes: Uint8Array): number {
    let at = 0;
    while (this.#block === undefined && at < bytes.length) {
      this.#prefix += String.fromCharCode(bytes[at++] as number);
      const size = this.#format.size(this.#prefix);
      if (size !== undefined) this.#block = new Uint8Array(size);
    }
    const block = this.#block;
    if (block === undefined) return at;
    const part = bytes.subarray(at, at + block.length - this.#filled);
    block.set(part, this.#filled);
    this.#filled += part.length;
    if (this.#filled === block.length) {
      this.complete = this.#format.variables(this.#host.latin1(block, 0, block.length));
    }
    return at + part.length;
  }
}
