/**
 * Builds a request without sending it, by the rules of the HTTP/1.1 wire.
 *
 * The request line and the fields go through the class that the server's parser uses. So the environ is the same as for
 * a request over a socket: `Host`, `headerMap`, `scriptName` and `limitRequestBody` mean the same.
 *
 * @module
 */

import { connectionTemplate, serverTemplate } from "../core/contract/environ.ts";
import type { ErrorStream } from "../core/contract/error_stream.ts";
import type { Environ } from "../core/contract/types.ts";
import { BEYOND_LATIN1, CONTROL_IN_VALUE, TOKEN } from "../core/grammar.ts";
import { RequestHead, tooLong } from "../core/wires/http1/request_head.ts";
import type { Settings } from "../core/server/options.ts";
import type { HeaderList } from "../core/seams.ts";
import { type BodyOptions, type Content, type Pairs, pairs } from "./content.ts";

/** The parts of a request. Only the path, which is passed separately, has no default. */
export interface RequestParts extends BodyOptions {
  /** Method. Default `"GET"`, with a body `"POST"`. */
  readonly method?: string;
  /** Header fields. Host, Content-Type and Content-Length are added where they are missing and make sense. */
  readonly headers?: Pairs;
  /** Added to the query of the path, form-encoded. */
  readonly query?: Pairs;
  /** HTTP version of the client. Default `"HTTP/1.1"`. */
  readonly protocol?: string;
  /** Keys added to the environ last, such as middleware or a front end would add. */
  readonly environ?: Readonly<Record<string, unknown>>;
}

/** The addresses of the client and the server. */
export interface Endpoints {
  /** Scheme of the server, for the environ and for cookies. */
  readonly scheme: "http" | "https";
  /** Host, and port where it is not the usual one, as in a Host field. */
  readonly host: string;
  /** The client's address. */
  readonly remoteAddress: string;
}

/** A request that the server's rules accept. */
export interface PreparedRequest {
  /** The environ, without `wsgi.input` and `tsgi.request`. */
  readonly environ: Environ;
  /** Declared length of the body; null when it is chunked. */
  readonly contentLength: number | null;
}

const encoder = new TextEncoder();

/** Formats a request target: encodes non-ASCII text as percent-encoded UTF-8, and adds the query. */
export function targetOf(path: string, query: Pairs | undefined): string {
  const added = new URLSearchParams(pairs(query)).toString();
  const bare = path.split("#")[0] as string;
  const escaped = bare.replace(/[^\x21-\x7e]+/g, (text) => [...encoder.encode(text)].map(escape).join(""));
  if (added === "") return escaped;
  return `${escaped}${escaped.includes("?") ? "&" : "?"}${added}`;
}

function escape(octet: number): string {
  return `%${octet.toString(16).toUpperCase().padStart(2, "0")}`;
}

/**
 * Makes the environ of a request.
 *
 * @throws {Refusal} when the server would refuse it: 400, 413, 414, 417, 431, 501.
 * @throws {TypeError} for a header that no client can send.
 */
export function prepare(
  method: string,
  target: string,
  parts: RequestParts,
  content: Content,
  all: Settings,
  where: Endpoints,
  errors: ErrorStream,
): PreparedRequest {
  const head = new RequestHead();
  const line = `${method} ${target} ${parts.protocol ?? "HTTP/1.1"}`;
  if (line.length > all.limitRequestLine) throw tooLong(true);
  head.requestLine(line, 0, line.length);
  const fields = fieldsOf(parts, content, where);
  for (const [name, value] of fields) {
    const field = `${name}: ${value}`;
    if (field.length > all.limitRequestFieldSize) throw tooLong(false);
    head.fieldLine(field, 0, field.length, all);
  }
  head.settle(all);
  const template = connectionTemplate(
    serverTemplate({
      serverName: where.host.replace(/:[0-9]+$/, "").replace(/^\[|\]$/g, "") || "localhost",
      serverPort: /:([0-9]+)$/.exec(where.host)?.[1] ?? (where.scheme === "https" ? "443" : "80"),
      scheme: where.scheme,
      multiprocess: all.multiprocess,
      runOnce: false,
      errors,
    }),
    { remoteAddress: where.remoteAddress, remotePort: "", localAddress: "", localPort: "" },
  );
  const environ = Object.assign(head.environ(template, all.scriptName), parts.environ);
  return { environ, contentLength: head.chunked ? null : head.contentLength };
}

/** Returns the field lines: those of the caller, and those that a client adds by itself. */
function fieldsOf(
  { headers, protocol }: RequestParts,
  { source, type, length }: Content,
  where: Endpoints,
): HeaderList {
  const fields = pairs(headers);
  for (const [name, value] of fields) {
    if (!TOKEN.test(name) || CONTROL_IN_VALUE.test(value) || BEYOND_LATIN1.test(value)) {
      throw new TypeError(`Expected a header that can be sent, got ${JSON.stringify([name, value])}`);
    }
  }
  const has = (...names: readonly string[]): boolean => fields.some(([name]) => names.includes(name.toLowerCase()));
  if (!has("host") && protocol !== "HTTP/1.0") fields.unshift(["Host", where.host]);
  if (source === null) return fields;
  if (type !== null && !has("content-type")) fields.push(["Content-Type", type]);
  if (has("content-length", "transfer-encoding")) return fields;
  if (length !== null) fields.push(["Content-Length", String(length)]);
  else fields.push(["Transfer-Encoding", "chunked"]);
  return fields;
}
