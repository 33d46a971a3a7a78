/**
 * The URL of a request, from its environ.
 *
 * The path is the raw one of REQUEST_URI, so that `%2F` stays what it is, as long as it says the same as SCRIPT_NAME and
 * PATH_INFO. Middleware and front ends may have rewritten those; then they count. The fetch standard wants a URL in its
 * serialized form: dot segments folded, spaces encoded. Most targets have it already, and a regular expression tells so
 * for less than a URL parser costs.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";
import { percentDecode } from "../../core/grammar.ts";

/** Path and query that a URL parser leaves as they are, but for dot segments. */
const SERIALIZED = /^\/[!$%&(-;=?-Z_a-z~]*$/;
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:[/?]|$)/i;
const AUTHORITY = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?]*/; // of a target in absolute form
const HOST = /^[^\s/?#@\\]+$/;
const MOST_ORIGINS = 64;

/** By scheme and host as they came: clients repeat themselves. Null for what is no host. */
const origins = new Map<string, string | null>();

/** The URL of a request in its serialized form, or null when its Host field is none. */
export function requestUrl(environ: Environ): string | null {
  const origin = originOf(environ["wsgi.url_scheme"], environ.HTTP_HOST || serverOf(environ));
  if (origin === null) return null;
  const path = rawPath(environ);
  const query = environ.QUERY_STRING;
  const target = query === "" ? path : `${path}?${query}`;
  if (SERIALIZED.test(target) && !DOT_SEGMENT.test(target)) return origin + target;
  return new URL(origin + encodeUnits(target, /[#\x80-\uffff]/g)).href;
}

/** Of the last request: mostly the next one's too, for no more than a look at two strings. */
let last = { scheme: "", host: "", origin: null as string | null };

function originOf(scheme: string, host: string): string | null {
  if (host !== last.host || scheme !== last.scheme) last = { scheme, host, origin: keptOrigin(scheme, host) };
  return last.origin;
}

function keptOrigin(scheme: string, host: string): string | null {
  const key = `${scheme}://${host}`;
  let origin = origins.get(key);
  if (origin === undefined) {
    origin = HOST.test(host) && URL.canParse(key) ? new URL(key).origin : null;
    if (origins.size === MOST_ORIGINS) origins.clear();
    origins.set(key, origin);
  }
  return origin;
}

function serverOf({ SERVER_NAME: name, SERVER_PORT: port }: Environ): string {
  return `${name.includes(":") ? `[${name}]` : name}:${port}`;
}

function rawPath(environ: Environ): string {
  const path = environ.SCRIPT_NAME + environ.PATH_INFO;
  let raw = environ.REQUEST_URI ?? "";
  if (raw.charCodeAt(0) !== 0x2f) raw = raw.replace(AUTHORITY, "");
  const mark = raw.indexOf("?");
  if (mark >= 0) raw = raw.slice(0, mark);
  if (raw === path || percentDecode(raw) === path) return raw;
  const encoded = encodeUnits(path, /[^!$&'()*+,\-./0-9:;=@A-Z_a-z~]/g);
  return encoded.startsWith("/") ? encoded : `/${encoded}`;
}

/** Percent-encodes what `units` matches: a latin-1 code unit is an octet, anything else is UTF-8. */
function encodeUnits(text: string, units: RegExp): string {
  return text.replace(units, (unit) => {
    const code = unit.charCodeAt(0);
    return code > 0xff ? unit : `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
  });
}
