/**
 * SCGI: a request is a netstring of variables, then the body; the response is a CGI response
 * (python.ca/scgi/protocol.txt).
 *
 *     70:CONTENT_LENGTH 0 27 0 SCGI 0 1 0 REQUEST_METHOD 0 POST 0 ... ,What is the answer to life?
 *
 * (Here "0" between words stands for a NUL octet.)
 *
 * @module
 */

import { OneRequestConnection, type OneRequestWire, type VariablesDecoder } from "../cgi/connection.ts";
import { cgiRefusal, serializeCgiHead } from "../cgi/response.ts";
import { Variables, VARIABLES_LIMIT } from "../cgi/variables.ts";
import { BAD_REQUEST, FIELDS_TOO_LARGE, Refusal } from "../../refusal.ts";
import type { Transport } from "../../seams.ts";
import type { WireConfig, WireConnection } from "../wire.ts";

const COLON = 0x3a;
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * Reads the variables from a netstring.
 *
 * @example
 * ```ts
 * import { readLatin1 } from "../../grammar.ts";
 * import { ScgiDecoder } from "./connection.ts";
 * const text = "24:CONTENT_LENGTH\x000\x00SCGI\x001\x00,";
 * const bytes = new TextEncoder().encode(text);
 * const decoder = new ScgiDecoder(readLatin1);
 * console.assert(decoder.decode(bytes, 0, bytes.length) === bytes.length);
 * console.assert(decoder.complete?.get("SCGI") === "1");
 * ```
 */
export class ScgiDecoder implements VariablesDecoder {
  readonly #latin1: WireConfig["latin1"];
  #digits = 0;
  #length = 0;
  #block: Uint8Array | undefined; // once the length is known
  #filled = 0;
  complete: Variables | undefined;

  /** Creates a decoder. `latin1` is the host's decoder. */
  constructor(latin1: WireConfig["latin1"]) {
    this.#latin1 = latin1;
  }

  get begun(): boolean {
    return this.#digits > 0;
  }

  decode(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (this.#block === undefined && at < end) this.#lengthByte(bytes[at++] as number);
    const block = this.#block;
    if (block === undefined || at >= end) return at;
    const stop = Math.min(end, at + block.length - this.#filled);
    block.set(bytes.subarray(at, stop), this.#filled);
    this.#filled += stop - at;
    if (stop === end || this.#filled < block.length) return stop;
    if (bytes[stop] !== COMMA) throw new Refusal(BAD_REQUEST, "the netstring does not end with a comma");
    this.complete = this.#variables(block);
    return stop + 1;
  }

  #lengthByte(byte: number): void {
    if (byte === COLON && this.#digits > 0) {
      this.#block = new Uint8Array(this.#length);
      return;
    }
    if (byte < ZERO || byte > NINE || (this.#digits > 0 && this.#length === 0)) {
      throw new Refusal(BAD_REQUEST, "the netstring does not begin with its length and a colon");
    }
    this.#digits++;
    this.#length = this.#length * 10 + byte - ZERO;
    if (this.#length > VARIABLES_LIMIT) {
      throw new Refusal(FIELDS_TOO_LARGE, `variables of more than ${VARIABLES_LIMIT} bytes`);
    }
  }

  #variables(block: Uint8Array): Variables {
    const words = this.#latin1(block, 0, block.length).split("\0");
    if (words.pop() !== "" || words.length % 2 !== 0) {
      throw new Refusal(BAD_REQUEST, "the variables are not pairs of NUL-terminated strings");
    }
    if (words[0] !== "CONTENT_LENGTH" || words[1] === "") {
      throw new Refusal(BAD_REQUEST, "the first variable is not CONTENT_LENGTH");
    }
    const variables = new Variables();
    for (let i = 0; i < words.length; i += 2) variables.add(words[i] as string, words[i + 1] as string);
    if (variables.get("SCGI") !== "1") throw new Refusal(BAD_REQUEST, "the variable SCGI is not 1");
    return variables;
  }
}

const wire: OneRequestWire = {
  decoder: (config) => new ScgiDecoder((bytes, start, end) => config.latin1(bytes, start, end)),
  format: () => ({ head: serializeCgiHead, refusal: cgiRefusal }),
  script: false,
};

/** A connection that speaks SCGI. */
export function scgiConnection(transport: Transport, config: WireConfig): WireConnection {
  return new OneRequestConnection(transport, config, wire);
}
