/**
 * The meta-variables of one request (RFC 3875 4.1), as FastCGI, SCGI, uwsgi and the process environment give them.
 *
 * Names and values are latin-1, one code unit for each byte. Front ends repeat names: nginx sends one `HTTP_*` variable
 * for each field of a repeated header, and one variable for each line of its configuration that sets it. Repeated
 * `HTTP_*` variables are joined as HTTP joins fields. For HTTP_HOST and all other variables the last value counts, as in
 * PHP. A repeated CONTENT_LENGTH is refused, because a program that uses the other value would see another request.
 *
 * @module
 */

import { joinFields } from "../../contract/environ.ts";
import { trimOws } from "../../grammar.ts";
import { BAD_REQUEST, FIELDS_TOO_LARGE, Refusal } from "../../refusal.ts";
import type { WireConfig } from "../wire.ts";

const MOST_VARIABLES = 1000; // in one request

/** Most bytes of the variables of one request: names, values and the framing between them. */
export const VARIABLES_LIMIT = 131072;

/** The variables of one request. */
export class Variables {
  readonly #values: Map<string, string> = new Map();
  #count = 0;

  /**
   * Adds a variable.
   *
   * @throws {Refusal} 400 for one without a name or a length given twice, 431 for too many.
   */
  add(name: string, value: string): void {
    if (++this.#count > MOST_VARIABLES) throw new Refusal(FIELDS_TOO_LARGE, `more than ${MOST_VARIABLES} variables`);
    if (name === "") throw new Refusal(BAD_REQUEST, "a variable without a name");
    const present = this.#values.get(name);
    if (present !== undefined && name === "CONTENT_LENGTH") throw new Refusal(BAD_REQUEST, `${name} is given twice`);
    if (!name.startsWith("HTTP_")) return void this.#values.set(name, value);
    const field = trimOws(value); // nginx leaves tabs
    const joined = present !== undefined && name !== "HTTP_HOST"; // a request has only one Host
    this.#values.set(name, joined ? joinFields(name, present, field) : field);
  }

  /** The value of a variable, or "" if it is missing. RFC 3875 4.1 does not distinguish the two. */
  get(name: string): string {
    return this.#values.get(name) ?? "";
  }

  /** Whether a variable exists, even with an empty value. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Names and values, in the order in which the names first occurred. */
  [Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    return this.#values.entries();
  }
}

/** A protocol whose variables arrive as one block behind its length. Both functions get latin-1 text. */
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
 * Reads variables that arrive as one block from a stream of bytes.
 *
 * @example
 * ```ts
 * import { readLatin1 } from "../../grammar.ts";
 * import { BlockDecoder, Variables } from "./variables.ts";
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
