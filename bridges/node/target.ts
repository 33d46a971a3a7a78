/**
 * Computes the URL for a listener. It is not decoded: REQUEST_URI as the client sent it, without the path at which the
 * application is mounted.
 *
 * SCRIPT_NAME and PATH_INFO are the decoded path, split at the mount point. REQUEST_URI is the client's own spelling.
 * If both describe the same path, the listener gets the client's spelling. Otherwise a front end or a middleware has
 * changed the path; then PATH_INFO counts, and is encoded again.
 *
 * @module
 */

import { percentDecode } from "../../core/grammar.ts";
import type { Environ } from "../../core/contract/types.ts";

/** The target of a request, under the names of connect and Express. */
export interface Target {
  /** Path below the mount point, and query. */
  readonly url: string;
  /** The path that the application is mounted at, not decoded; empty at the root. */
  readonly baseUrl: string;
}

/** Computes the target of a request. */
export function targetOf(environ: Environ): Target {
  const uri = environ.REQUEST_URI;
  const mount = environ.SCRIPT_NAME;
  const path = environ.PATH_INFO;
  if (mount === "" && sameStart(uri, path)) return { url: uri, baseUrl: "" };
  return mountedTarget(environ, uri, mount, path);
}

/** Whether a raw target is exactly this path, with or without a query. */
function sameStart(uri: string, path: string): boolean {
  return uri.startsWith(path) && (uri.length === path.length || uri.charCodeAt(path.length) === 0x3f);
}

function mountedTarget(environ: Environ, uri: string, mount: string, path: string): Target {
  if (mount === "" && (uri === "*" || !uri.startsWith("/"))) {
    return { url: uri === "" ? made(environ) : uri, baseUrl: "" };
  }
  const end = uri.indexOf("?");
  const raw = end < 0 ? uri : uri.slice(0, end);
  if (percentDecode(raw) !== mount + path) return { url: made(environ), baseUrl: encoded(mount) };
  const split = rawLength(raw, mount.length);
  const rest = uri.slice(split);
  return { url: rest.startsWith("/") ? rest : `/${rest}`, baseUrl: raw.slice(0, split) };
}

/** Returns how many code units of a raw path encode the first `length` of the decoded path. */
function rawLength(raw: string, length: number): number {
  let at = 0;
  for (let decoded = 0; decoded < length; decoded++) at += ESCAPE.test(raw.slice(at, at + 3)) ? 3 : 1;
  return at;
}

const ESCAPE = /^%[0-9A-Fa-f]{2}$/;
const NOT_IN_PATH = /[^A-Za-z0-9_.\-~/!$&'()*+,;=:@]/g;

function made(environ: Environ): string {
  const query = environ.QUERY_STRING;
  return `${encoded(environ.PATH_INFO) || "/"}${query === "" ? "" : `?${query}`}`;
}

function encoded(path: string): string {
  return path.replace(NOT_IN_PATH, (unit) => `%${unit.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}
