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

import { OneRequestConnection, type OneRequestWire } from "../cgi/connection.ts";
import { type BlockFormat, Variables } from "../cgi/variables.ts";
import { httpFormat } from "../cgi/http_format.ts";
import { BAD_REQUEST, NOT_IMPLEMENTED, Refusal } from "../../refusal.ts";
import type { Transport } from "../../seams.ts";
import type { WireConfig, WireConnection } from "../wire.ts";

const PACKET: BlockFormat = {
  size(header) {
    if (header.length < 4) return undefined;
    const modifier = header.charCodeAt(0);
    if (modifier !== 0) throw new Refusal(NOT_IMPLEMENTED, `modifier1 is ${modifier}, not 0`);
    const size = sizeAt(header, 1);
    if (size === 0) throw new Refusal(BAD_REQUEST, "a packet without variables");
    return size;
  },
  variables(block) {
    const variables = new Variables();
    for (let at = 0; at < block.length;) {
      const middle = behindWord(block, at);
      const next = behindWord(block, middle);
      variables.add(block.slice(at + 2, middle), block.slice(middle + 2, next));
      at = next;
    }
    return variables;
  },
};

/** The index behind a key or a value, which begins with its size. */
function behindWord(block: string, at: number): number {
  const next = at + 2 <= block.length ? at + 2 + sizeAt(block, at) : Infinity;
  if (next > block.length) throw new Refusal(BAD_REQUEST, "a variable reaches beyond the end of the packet");
  return next;
}

function sizeAt(text: string, at: number): number {
  return text.charCodeAt(at) | (text.charCodeAt(at + 1) << 8);
}

const wire: OneRequestWire = { block: PACKET, format: httpFormat };

/** A connection that speaks uwsgi. */
export function uwsgiConnection(transport: Transport, config: WireConfig): WireConnection {
  return new OneRequestConnection(transport, config, wire);
}
