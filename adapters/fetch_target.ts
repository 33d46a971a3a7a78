/**
 * Where a fetch Request was sent: the target, and the names of the two ends that its URL and its Host field give.
 *
 * `Request.url` is the host's own composition of what the client sent, and each host composes in its own way:
 *
 * - `Deno.serve` puts scheme, Host and target together as text, without a look at any of them; a target in absolute form
 *   is the URL itself. So a Host that is none moves the border between host and path: it is refused, as on our own wire.
 *   And the client can choose the scheme, which therefore says nothing of TLS there.
 * - `Bun.serve` gives the target alone where Host is missing or no host; else a normalized URL, whose authority is Host's.
 * - Anywhere else the URL is the platform's, or was made by hand: normalized, and to be believed.
 *
 * @module
 */

import { readLatin1 } from "../core/grammar.ts";
import { checkHost, parseTarget, type Target } from "../core/wires/http1/target.ts";
import { BAD_REQUEST, NOT_IMPLEMENTED, Refusal } from "../core/refusal.ts";

/** What hosts pass beside the request: Deno an info object, Bun its server. Everything in it is optional. */
export interface FetchInfo {
  /** The client's address (Deno). */
  readonly remoteAddr?: { readonly hostname?: string; readonly port?: number };
  /** Settles when the response is complete, rejects when the client left before (Deno). */
  readonly completed?: Promise<void>;
  /** Finds the client's address (Bun). */
  requestIP?(request: Request): { readonly address: string; readonly port: number } | null;
  /** Where the server listens (Bun). */
  readonly hostname?: string;
  /** Port of the server (Bun). */
  readonly port?: number;
  /** `"https"` where the server ends TLS (Bun). */
  readonly protocol?: string | null;
}

/** Where a request was sent. */
export interface FetchTarget {
  /** The target as it was sent, as far as the host shows it, one code unit an octet. */
  readonly target: string;
  /** Its path and query. */
  readonly parts: Target;
  /** The authority that replaces Host, or null. */
  readonly authority: string | null;
  /** SERVER_NAME. */
  readonly serverName: string;
  /** SERVER_PORT. */
  readonly serverPort: string;
  /** Whether the client's connection is encrypted, as the host or the option `urlScheme` says. */
  readonly https: boolean;
}

const URL_PARTS = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/is;
const AUTHORITY = /^(?:.*@)?(\[[^\]]*\]|[^:]*)(?::([0-9]+))?$/;

/** What Deno makes up where there is no Host: for a TCP socket this, for a Unix socket a scheme of its own. */
const MADE_UP = /^localhost(?::[0-9]+)?$/;
const MADE_UP_SCHEME = "http+unix";
const DENO_SCHEME = /^https?(?:\+[a-z]+)?$/i;

let goodHost = ""; // the last one that was checked: most requests say the same

/** Whether `info` is that of `Deno.serve`. Other platforms pass objects of other kinds in its place. */
export function isFromDeno(info: FetchInfo | undefined): boolean {
  return typeof info?.completed?.catch === "function";
}

/** Whether `info` is the server of `Bun.serve`. */
export function isFromBun(info: FetchInfo | undefined): boolean {
  return typeof info?.requestIP === "function";
}

/**
 * Finds out where a request was sent; `secure` says that it was over TLS, whatever its URL says.
 *
 * @throws {Refusal} 400 for a Host or a target that our own wire would refuse too, 501 for CONNECT.
 */
export function fetchTarget(request: Request, info: FetchInfo | undefined, secure: boolean): FetchTarget {
  const { method, url } = request;
  if (method === "CONNECT") throw new Refusal(NOT_IMPLEMENTED, "CONNECT is not served");
  const deno = isFromDeno(info);
  const bun = isFromBun(info);
  const field = request.headers.get("host");
  if (field !== null && field !== goodHost && (deno || bun)) {
    checkHost(field);
    goodHost = field;
  }
  const [, scheme = "", authority = "", rest = url] = URL_PARTS.exec(url) ?? [];
  const hash = rest.indexOf("#");
  if (hash >= 0 && (deno || bun)) throw new Refusal(BAD_REQUEST, "the request target holds a fragment");
  const origin = octets(hash < 0 ? rest : rest.slice(0, hash));
  const target = origin.startsWith("/") ? origin : `/${origin}`;

  if (!deno) {
    const https = secure || scheme === "https" || (bun && scheme === "" && info?.protocol === "https");
    return found(method, target, null, authority, bun ? info : undefined, https);
  }
  if (!DENO_SCHEME.test(scheme)) throw new Refusal(BAD_REQUEST, "the request target has no known form");
  const named = field !== null && field !== "";
  const madeUp = MADE_UP.test(authority) || scheme === MADE_UP_SCHEME;
  const own = named ? field : MADE_UP.test(authority) ? authority : "";
  if (named && field !== authority) return found(method, octets(url), null, own, undefined, secure); // absolute form
  const replaced = named || madeUp ? null : authority; // HTTP/2 has no Host
  return found(method, target, replaced, own, undefined, secure);
}

/** Puts a target together; SERVER_NAME and SERVER_PORT, which may not be empty, are those of `ends`, else of `server`. */
function found(
  method: string,
  target: string,
  replaced: string | null,
  ends: string,
  server: FetchInfo | undefined,
  https: boolean,
): FetchTarget {
  const parts = parseTarget(method, target);
  const [, name, port] = AUTHORITY.exec(ends) ?? [];
  const usual = https ? "443" : "80";
  return {
    target,
    parts,
    authority: parts.authority ?? replaced,
    serverName: (name || server?.hostname || "localhost").replace(/^\[|\]$/g, ""),
    serverPort: port || (ends === "" ? String(server?.port ?? usual) : usual),
    https,
  };
}

/** Text that a host has decoded as UTF-8, one code unit an octet again. */
function octets(text: string): string {
  if (!BEYOND_ASCII.test(text)) return text;
  const bytes = new TextEncoder().encode(text);
  return readLatin1(bytes, 0, bytes.length);
}

// deno-lint-ignore no-control-regex
const BEYOND_ASCII = /[^\x00-\x7f]/;
