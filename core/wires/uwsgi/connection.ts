/**
 * uwsgi: a request is a packet of variables, then the body; the response is a plain HTTP response (uWSGI, "The uwsgi
 * Protocol").
 *
 *     modifier1 (1 octet, 0)  datasize (2, little-endian)  modifier2 (1)
 *     then datasize octets of: key size (2, little-endian) key  value size (2, little-endian) value
 *
 * modifier1 is 0 for a request. Other values ask a uWSGI server to do other things; they are refused. modifier2 is
 * ignored. No variable makes the server load code: UWSGI_FILE and similar ones are ordinary variables.
 *
 * @module
 */

import { OneRequestConnection, type OneRequestWire, type VariablesDecoder } from "../cgi/connection.ts";
import { Variables } from "../cgi/variables.ts";
import { httpFormat } from "../cgi/http_format.ts";
import { BAD_REQUEST, NOT_IMPLEMENTED, Refusal } from "../../refusal.ts";
import type { Transport } from "../../seams.ts";
import type { WireConfig, WireConnection } from "../wire.ts";

const HEADER_SIZE = 4;

/**
 * Reads the variables from a packet.
 *
 * @example
 * ```ts
 * import { readLatin1 } from "../../grammar.ts";
 * import { UwsgiDecoder } from "./connection.ts";
 * const bytes = new TextEncoder().encode("\0\x0b\0\0\x04\0PATH\x03\0/a/");
 * const decoder = new UwsgiDecoder(readLatin1);
 * console.assert(decoder.decode(bytes, 0, bytes.length) === bytes.length);
 * console.assert(decoder.complete?.get("PATH") === "/a/");
 * ```
 */
export class UwsgiDecoder implements VariablesDecoder {
  readonly #latin1: WireConfig["latin1"];
  readonly #header = new Uint8Array(HEADER_SIZE);
  #headed = 0; // octets of the header that have arrived
  #block: Uint8Array | undefined; // once the header is complete
  #filled = 0;
  complete: Variables | undefined;

  /** Creates a decoder. `latin1` is the host's decoder. */
  constructor(latin1: WireConfig["latin1"]) {
    this.#latin1 = latin1;
  }

  get begun(): boolean {
    return this.#headed > 0;
  }

  decode(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (this.#headed < HEADER_SIZE && at < end) this.#header[this.#headed++] = bytes[at++] as number;
    if (this.#headed < HEADER_SIZE) return at;
    const block = this.#block ??= this.#packet();
    const stop = Math.min(end, at + block.length - this.#filled);
    block.set(bytes.subarray(at, stop), this.#filled);
    this.#filled += stop - at;
    if (this.#filled === block.length) this.complete = this.#variables(block);
    return stop;
  }

  #packet(): Uint8Array {
    const modifier = this.#header[0];
    if (modifier !== 0) throw new Refusal(NOT_IMPLEMENTED, `modifier1 is ${modifier}, not 0`);
    const size = sizeAt(this.#header, 1);
    if (size === 0) throw new Refusal(BAD_REQUEST, "a packet without variables");
    return new Uint8Array(size);
  }

  #variables(block: Uint8Array): Variables {
    const variables = new Variables();
    const word = (at: number): [text: string, next: number] => {
      const next = at + 2 <= block.length ? at + 2 + sizeAt(block, at) : Infinity;
      if (next > block.length) throw new Refusal(BAD_REQUEST, "a variable reaches beyond the end of the packet");
      return [this.#latin1(block, at + 2, next), next];
    };
    for (let at = 0; at < block.length;) {
      const [name, middle] = word(at);
      const [value, next] = word(middle);
      variables.add(name, value);
      at = next;
    }
    return variables;
  }
}

function sizeAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

const wire: OneRequestWire = {
  decoder: (config) => new UwsgiDecoder((bytes, start, end) => config.latin1(bytes, start, end)),
  format: httpFormat,
  script: false,
};

/** A connection that speaks uwsgi. */
export function uwsgiConnection(transport: Transport, config: WireConfig): WireConnection {
  return new OneRequestConnection(transport, config, wire);
}
