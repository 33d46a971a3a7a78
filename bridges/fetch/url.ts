/**
 * Builds the URL of a request from its environ.
 *
 * The path is the raw one of REQUEST_URI, so that `%2F` is preserved, as long as it means the same as SCRIPT_NAME and
 * PATH_INFO. If middleware or a front end has rewritten those, they are used instead. The fetch standard requires a URL
 * in serialized form: dot segments resolved, spaces encoded. Most targets already are, and to check that with a regular
 * expression is cheaper than to run a URL parser.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";
import { percentDecode } from "../../core/grammar.ts";

/** Matches a path and query that a URL parser would not change, except for dot segments. */
const SERIALIZED = /^\/[!$%&(-;=?-Z_a-z~]*$/;
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:[/?]|$)/i;
const AUTHORITY = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?]*/; // matches the beginning of a target in absolute form
const HOST = /^[^\s/?#@\\]+$/;
const MOST_ORIGINS = 64;

/** Cache of origins, by scheme and host as received, since clients repeat them. Null means an invalid host. */
const origins = new Map<string, string | null>();

/** Returns the URL of a request in serialized form, or null when its Host field is invalid. */
export function requestUrl(environ: Environ): string | null {
  const origin = originOf(environ["wsgi.url_scheme"], environ.HTTP_HOST || serverOf(environ));
  if (origin === null) return null;
  const path = rawPath(environ);
  const query = environ.QUERY_STRING;
  const target = query === "" ? path : `${path}?${query}`;
  if (SERIALIZED.test(target) && !DOT_SEGMENT.test(target)) return origin + target;
  return new URL(origin + encodeUnits(target, /[#\x80-\uffff]/g)).href;
}

/** The origin of the last request. The next one mostly has the same, which two string comparisons show. */
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

/** Percent-encodes what `units` matches: a latin-1 code unit as one octet, anything else as UTF-8. */
function encodeUnits(text: string, units: RegExp): string {
  return text.replace(units, (unit) => {
    const code = unit.charCodeAt(0);
    return code > 0xff ? unit : `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
  });
}
