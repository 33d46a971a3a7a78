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

import { OneRequestConnection, type OneRequestWire } from "../cgi/connection.ts";
import { cgiRefusal, serializeCgiHead } from "../cgi/response.ts";
import { type BlockFormat, Variables, VARIABLES_LIMIT } from "../cgi/variables.ts";
import { BAD_REQUEST, FIELDS_TOO_LARGE, Refusal } from "../../refusal.ts";
import type { Transport } from "../../seams.ts";
import type { WireConfig, WireConnection } from "../wire.ts";

const LENGTH = /^(?:0|[1-9][0-9]*)(:?)$/;

/** A netstring. Its comma belongs to the block. */
const NETSTRING: BlockFormat = {
  size(prefix) {
    const parts = LENGTH.exec(prefix);
    if (parts === null) throw new Refusal(BAD_REQUEST, "the netstring does not begin with its length and a colon");
    const length = parseInt(prefix, 10);
    if (length > VARIABLES_LIMIT) {
      throw new Refusal(FIELDS_TOO_LARGE, `variables of more than ${VARIABLES_LIMIT} bytes`);
    }
    return parts[1] === ":" ? length + 1 : undefined;
  },
  variables(block) {
    if (!block.endsWith(",")) throw new Refusal(BAD_REQUEST, "the netstring does not end with a comma");
    const words = block.slice(0, -1).split("\0");
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
  },
};

const wire: OneRequestWire = { block: NETSTRING, format: () => ({ head: serializeCgiHead, refusal: cgiRefusal }) };

/** A connection that speaks SCGI. */
export function scgiConnection(transport: Transport, config: WireConfig): WireConnection {
  return new OneRequestConnection(transport, config, wire);
}
