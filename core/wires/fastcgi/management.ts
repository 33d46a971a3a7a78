/**
 * Management records: queries of the web server that concern the application's process and not a request (FastCGI 1.0, 4).
 *
 * The only query is GET_VALUES. The answer to any other type is UNKNOWN_TYPE: the protocol requires this, because later
 * versions may add types.
 *
 * @module
 */

import { decodePairs, encodePair } from "./pairs.ts";
import { FCGI_GET_VALUES, FCGI_GET_VALUES_RESULT, FCGI_UNKNOWN_TYPE, ProtocolError } from "./records.ts";

/** Most requests of one connection at a time. */
export const MOST_REQUESTS = 64;

const UNLIMITED = 65535; // value of FCGI_MAX_CONNS if there is no limit

/**
 * The answer to a management record: its type and its content.
 *
 * @throws {ProtocolError} when GET_VALUES ends inside a pair.
 *
 * @example
 * ```ts
 * import { managementAnswer } from "./management.ts";
 * console.assert(managementAnswer(99, "", Infinity)[1] === "c" + "\0".repeat(7));
 * ```
 */
export function managementAnswer(type: number, content: string, maxConnections: number): [type: number, text: string] {
  if (type === FCGI_GET_VALUES) return [FCGI_GET_VALUES_RESULT, values(content, maxConnections)];
  return [FCGI_UNKNOWN_TYPE, String.fromCharCode(type) + "\0".repeat(7)];
}

/** The values of those queried names that are known. */
function values(query: string, maxConnections: number): string {
  const asked = new Set<string>();
  if (!decodePairs(query, asked)) throw new ProtocolError("GET_VALUES ends inside a name-value pair");
  let result = "";
  for (const name of asked) {
    if (name === "FCGI_MAX_CONNS") result += encodePair(name, `${Math.min(maxConnections, UNLIMITED)}`);
    else if (name === "FCGI_MAX_REQS") result += encodePair(name, `${MOST_REQUESTS}`);
    else if (name === "FCGI_MPXS_CONNS") result += encodePair(name, "1");
  }
  return result;
}
