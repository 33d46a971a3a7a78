/**
 * The request target in its four forms, and the Host field (RFC 9112 3.2, RFC 3986 3.2.2).
 *
 * @module
 */

import { percentDecode } from "../../grammar.ts";
import { isIPv6 } from "../../ip_address.ts";
import { BAD_REQUEST, NOT_IMPLEMENTED, Refusal } from "../../refusal.ts";

/** The parts of a request target. */
export interface Target {
  /** Decoded path, beginning with a slash. */
  readonly path: string;
  /** Query, not decoded. */
  readonly query: string;
  /** Authority of an absolute-form target: it replaces Host. */
  readonly authority: string | null;
}

const UNRESERVED_OR_DELIM = "A-Za-z0-9\\-._~!$&'()*+,;=";
const REG_NAME = `(?:[${UNRESERVED_OR_DELIM}]|%[0-9A-Fa-f]{2})*`;
const IPV_FUTURE = new RegExp(`^[Vv][0-9A-Fa-f]+\\.[${UNRESERVED_OR_DELIM}:]+$`);
const HOST = new RegExp(`^(?:\\[([^\\]]*)\\]|${REG_NAME})(?::[0-9]*)?$`);
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;

/**
 * Checks a Host value or an authority: `uri-host [":" port]` (RFC 9110 7.2); either part may be empty.
 *
 * @throws {Refusal} 400 when it is anything else.
 *
 * @example
 * ```ts
 * import { checkHost } from "./target.ts";
 * for (const good of ["example.org", "[::1]:8000", ""]) checkHost(good);
 * let refused = false;
 * try {
 *   checkHost("a b");
 * } catch {
 *   refused = true;
 * }
 * console.assert(refused);
 * ```
 */
export function checkHost(value: string): void {
  if (!isHost(value)) throw new Refusal(BAD_REQUEST, "Host is not a host with an optional port");
}

function isHost(value: string): boolean {
  const parts = HOST.exec(value);
  const literal = parts?.[1];
  return parts !== null && (literal === undefined || isIPv6(literal) || IPV_FUTURE.test(literal));
}

/**
 * Splits a target (RFC 9112 3.2). The caller has made sure that it holds neither controls nor spaces.
 *
 * @throws {Refusal} 400 for a target that has none of the forms its method allows, 501 for CONNECT.
 *
 * @example
 * ```ts
 * import { parseTarget } from "./target.ts";
 * const { path, query } = parseTarget("GET", "/a%20b?c=d");
 * console.assert(path === "/a b" && query === "c=d");
 * ```
 */
export function parseTarget(method: string, target: string): Target {
  if (method === "CONNECT") throw connectRefusal(target);
  if (target.charCodeAt(0) === 0x2f) return split(target, null);
  if (target === "*") {
    if (method === "OPTIONS") return { path: "/", query: "", authority: null };
    throw new Refusal(BAD_REQUEST, "the target * is for OPTIONS only");
  }
  const absolute = ABSOLUTE.exec(target);
  if (absolute === null) throw new Refusal(BAD_REQUEST, "the request target has no known form");
  const authority = absolute[1] as string;
  checkHost(authority);
  if (authority === "" || authority.charCodeAt(0) === 0x3a) {
    throw new Refusal(BAD_REQUEST, "the request target has an empty host");
  }
  const rest = absolute[2] as string;
  return split(rest.charCodeAt(0) === 0x2f ? rest : `/${rest}`, authority);
}

function split(target: string, authority: string | null): Target {
  const mark = target.indexOf("?");
  if (mark < 0) return { path: percentDecode(target), query: "", authority };
  return { path: percentDecode(target.slice(0, mark)), query: target.slice(mark + 1), authority };
}

/** The refusal of CONNECT, the only method with a target in authority-form. tsgi is not a proxy. */
function connectRefusal(target: string): Refusal {
  return isHost(target) && /:[0-9]+$/.test(target)
    ? new Refusal(NOT_IMPLEMENTED, "CONNECT is not served")
    : new Refusal(BAD_REQUEST, "CONNECT wants a host and a port as its target");
}
