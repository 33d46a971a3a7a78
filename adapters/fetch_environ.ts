/**
 * The environ of a fetch Request.
 *
 * The host has parsed the request: its URL may be normalized, and repeated fields are joined with ", ".
 *
 * @module
 */

import { connectionTemplate, environKey, type EnvironTemplate, requestEnviron } from "../core/gateway/environ.ts";
import type { Environ } from "../core/gateway/types.ts";
import { DIGITS, percentDecode } from "../core/grammar.ts";
import type { Settings } from "../core/options.ts";

/** What hosts pass beside the request: Deno an info object, Bun its server. Everything in it is optional. */
export interface FetchInfo {
  /** The client's address (Deno). */
  readonly remoteAddr?: { readonly hostname?: string; readonly port?: number };
  /** Settles when the response is complete, rejects when the client left before (Deno). */
  readonly completed?: Promise<void>;
  /** Finds the client's address (Bun). */
  requestIP?(request: Request): { readonly address: string; readonly port: number } | null;
}

const URL_PARTS = /^([a-z]+):\/\/([^/?#]*)([^#]*)/i;
const AUTHORITY = /^(?:.*@)?(\[[^\]]*\]|[^:]*)(?::([0-9]+))?$/;

/** Makes the environ of a request, or null when `headerMap` refuses it. */
export function fetchEnviron(
  request: Request,
  info: FetchInfo | undefined,
  template: EnvironTemplate,
  all: Settings,
): Environ | null {
  const [, urlScheme = "http", authority = "", rest = ""] = URL_PARTS.exec(request.url) ?? [];
  const [, name, port] = AUTHORITY.exec(authority) ?? [];
  const https = urlScheme === "https" || all.urlScheme === "https";
  const target = rest.startsWith("/") ? rest : `/${rest}`;
  const mark = target.indexOf("?");
  const path = percentDecode(mark < 0 ? target : target.slice(0, mark));
  const line = { method: request.method, target, path, query: mark < 0 ? "" : target.slice(mark + 1) };
  const environ = requestEnviron(
    connectionTemplate(
      {
        ...template,
        SERVER_NAME: (name || "localhost").replace(/^\[|\]$/g, ""),
        SERVER_PORT: port ?? (https ? "443" : "80"),
        "wsgi.url_scheme": https ? "https" : "http",
        ...(https ? { HTTPS: "on" } : {}),
      },
      { ...clientOf(request, info), localAddress: "", localPort: "" },
    ),
    { ...line, protocol: "HTTP/1.1" }, // hosts do not tell
    all.scriptName,
  );
  for (const [field, value] of request.headers) {
    const key = environKey(field);
    if (field.includes("_") && all.headerMap !== "dangerous") {
      if (all.headerMap === "refuse") return null;
    } else if (key !== null) {
      environ[key] = value;
    }
  }
  const length = environ.CONTENT_LENGTH;
  if (length !== undefined && DIGITS.test(length)) environ.CONTENT_LENGTH = String(Number(length));
  else delete environ.CONTENT_LENGTH;
  return environ;
}

function clientOf(request: Request, info: FetchInfo | undefined): { remoteAddress: string; remotePort: string } {
  const client = info?.requestIP?.(request);
  return {
    remoteAddress: client?.address ?? info?.remoteAddr?.hostname ?? "",
    remotePort: String(client?.port ?? info?.remoteAddr?.port ?? ""),
  };
}
