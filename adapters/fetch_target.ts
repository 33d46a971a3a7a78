/**
 * Finds the request target, SERVER_NAME and SERVER_PORT of a fetch Request, from its URL and its Host field.
 *
 * Each fetch host composes `Request.url` from what the client sent, in its own way:
 *
 * - `Deno.serve` concatenates scheme, Host and target as text and checks none of them. A target in absolute form
 *   becomes the URL itself. So an invalid Host would shift the border between host and path; it is refused, as the
 *   HTTP/1.1 wire of tsgi does. The client can also choose the scheme, so the scheme does not prove TLS there.
 * - `Bun.serve` gives only the target when Host is missing or invalid. Otherwise it gives a normalized URL with the
 *   authority from Host.
 * - Elsewhere the URL comes from the platform or was made by hand. It is normalized and can be trusted.
 *
 * @module
 */

import { readLatin1 } from "../core/grammar.ts";
import { checkHost, parseTarget, type Target } from "../core/wires/http1/target.ts";
import { BAD_REQUEST, NOT_IMPLEMENTED, Refusal } from "../core/refusal.ts";

/**
 * The second argument that hosts pass to a handler: an info object on Deno, the server on Bun. Every member is
 * optional.
 */
export interface FetchInfo {
  /** The client's address (Deno). */
  readonly remoteAddr?: { readonly hostname?: string; readonly port?: number };
  /** Resolves when the response is complete, rejects when the client left earlier (Deno). */
  readonly completed?: Promise<void>;
  /** Finds the client's address (Bun). */
  requestIP?(request: Request): { readonly address: string; readonly port: number } | null;
  /** Where the server listens (Bun). */
  readonly hostname?: string;
  /** Port of the server (Bun). */
  readonly port?: number;
  /** `"https"` when the server terminates TLS (Bun). */
  readonly protocol?: string | null;
}

/** Where a request was sent. */
export interface FetchTarget {
  /** The target as sent, as far as the host reveals it; one code unit per octet. */
  readonly target: string;
  /** Its path and query. */
  readonly parts: Target;
  /** The authority that replaces the Host field, or null. */
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

/** What Deno inserts when there is no Host: this authority for a TCP socket, a special scheme for a Unix socket. */
const MADE_UP = /^localhost(?::[0-9]+)?$/;
const MADE_UP_SCHEME = "http+unix";
const DENO_SCHEME = /^https?(?:\+[a-z]+)?$/i;

let goodHost = ""; // the last valid Host; most requests repeat it, which saves the check

/** Whether `info` comes from `Deno.serve`. Other platforms pass other objects in its place. */
export function isFromDeno(info: FetchInfo | undefined): boolean {
  return typeof info?.completed?.catch === "function";
}

/** Whether `info` is the server of `Bun.serve`. */
export function isFromBun(info: FetchInfo | undefined): boolean {
  return typeof info?.requestIP === "function";
}

/**
 * Finds where a request was sent. `secure` means that the request came over TLS, whatever its URL says.
 *
 * @throws {Refusal} 400 for a Host or a target that the HTTP/1.1 wire would refuse too, 501 for CONNECT.
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

/** Builds the result. SERVER_NAME and SERVER_PORT must not be empty; they come from `ends`, or else from `server`. */
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

/** Converts text that a host has decoded as UTF-8 back to one code unit per octet. */
function octets(text: string): string {
  if (!BEYOND_ASCII.test(text)) return text;
  const bytes = new TextEncoder().encode(text);
  return readLatin1(bytes, 0, bytes.length);
}

// deno-lint-ignore no-control-regex
const BEYOND_ASCII = /[^\x00-\x7f]/;
