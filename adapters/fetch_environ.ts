/**
 * Makes the environ of a fetch Request.
 *
 * The host has already parsed the request, so its URL may be normalized, and repeated fields are joined with ", ".
 *
 * @module
 */

import { connectionTemplate, environKey, type EnvironTemplate, requestEnviron } from "../core/contract/environ.ts";
import type { Environ } from "../core/contract/types.ts";
import { DIGITS } from "../core/grammar.ts";
import type { Settings } from "../core/server/options.ts";
import { BAD_REQUEST, CONTENT_TOO_LARGE, Refusal } from "../core/refusal.ts";
import { type FetchInfo, fetchTarget, isFromBun } from "./fetch_target.ts";

export type { FetchInfo } from "./fetch_target.ts";

/** What the head of a request says. */
export interface FetchRequest {
  /** Its environ, without `wsgi.input` and `tsgi.request`. */
  readonly environ: Environ;
  /** The Content-Length that the client declared, or null. */
  readonly contentLength: number | null;
  /** Whether the client declared a body: a chunked one, or one with a length above 0. */
  readonly hasContent: boolean;
}

/**
 * Makes the environ of a request.
 *
 * @throws {Refusal} 400 and 501 for a request that the HTTP/1.1 wire would refuse too, 413 for too long a body.
 */
export function fetchRequest(
  request: Request,
  info: FetchInfo | undefined,
  template: EnvironTemplate,
  all: Settings,
): FetchRequest {
  const where = fetchTarget(request, info, all.urlScheme === "https");
  const environ = requestEnviron(
    connectionTemplate(
      {
        ...template,
        SERVER_NAME: where.serverName,
        SERVER_PORT: where.serverPort,
        "wsgi.url_scheme": where.https ? "https" : "http",
        ...(where.https ? { HTTPS: "on" } : {}),
      },
      { ...clientOf(request, info), localAddress: "", localPort: "" },
    ),
    {
      method: request.method,
      target: where.target,
      path: where.parts.path,
      query: where.parts.query,
      protocol: "HTTP/1.1", // fetch hosts do not reveal the version
    },
    all.scriptName,
  );
  let chunked = false;
  for (const [field, value] of request.headers) {
    const key = environKey(field);
    if (field.includes("_") && all.headerMap !== "dangerous") {
      if (all.headerMap === "refuse") throw new Refusal(BAD_REQUEST, "a field name holds an underscore");
    } else if (key !== null) {
      environ[key] = value;
    } else if (field === "transfer-encoding") {
      chunked = true;
    }
  }
  if (where.authority !== null) environ.HTTP_HOST = where.authority;
  const contentLength = takeLength(environ, all.limitRequestBody);
  return { environ, contentLength, hasContent: chunked || (contentLength ?? 0) > 0 };
}

/** Checks the Content-Length and rewrites it in plain decimal in the environ. */
function takeLength(environ: Environ, limit: number): number | null {
  const text = environ.CONTENT_LENGTH;
  if (text === undefined) return null;
  if (!DIGITS.test(text)) throw new Refusal(BAD_REQUEST, "Content-Length is not a decimal number");
  const length = Number(text);
  if (!Number.isSafeInteger(length) || length > limit) {
    throw new Refusal(CONTENT_TOO_LARGE, `Content-Length ${text.slice(0, 40)} is above the limit`);
  }
  environ.CONTENT_LENGTH = String(length);
  return length;
}

function clientOf(request: Request, info: FetchInfo | undefined): { remoteAddress: string; remotePort: string } {
  const client = isFromBun(info) ? info?.requestIP?.(request) : undefined;
  return {
    remoteAddress: client?.address ?? info?.remoteAddr?.hostname ?? "",
    remotePort: String(client?.port ?? info?.remoteAddr?.port ?? ""),
  };
}
