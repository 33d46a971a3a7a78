/**
 * Answers a GET or HEAD request with the content of one file: conditions, ranges, and the fields that describe them.
 *
 * @module
 */

import type { Body, Environ, HeaderList, StartResponse } from "../../core/contract/types.ts";
import { replacing } from "../../http/answer.ts";
import { precondition, rangeApplies } from "../representation/conditions.ts";
import { withoutContent } from "../representation/fields.ts";
import { contentRange, parseRange, type Span } from "../representation/ranges.ts";
import { type Content, FileBody, release } from "./content.ts";

/** The fields of a response that depend on no file's octets. */
export interface Description {
  readonly contentType: string;
  /** Fields of every response with or about the file: also of a 304. */
  readonly common: HeaderList;
  /** Fields of a response with the content, and of a 304 unless they describe content. They replace those of the same name. */
  readonly own?: HeaderList;
}

/**
 * Answers with a file, and closes its descriptor in each case.
 *
 * @example
 * ```ts
 * import { client } from "tsgi/testing";
 * import { answer } from "./answer.ts";
 * const content = { size: 3, bytes: new Uint8Array([1, 2, 3]), etag: '"1"', modified: 0, lastModified: "" };
 * const site = client((environ, startResponse) =>
 *   answer(environ, startResponse, content, { contentType: "image/png", common: [] })
 * );
 * const part = await site.get("/", { headers: { Range: "bytes=1-" } });
 * console.assert(part.status === 206 && part.headers.get("content-range") === "bytes 1-2/3");
 * ```
 */
export function answer(
  environ: Environ,
  startResponse: StartResponse,
  content: Content,
  description: Description,
): Body {
  let body: Body | undefined;
  try {
    return body = respond(environ, startResponse, content, description);
  } finally {
    if (!(body instanceof FileBody)) release(content); // nobody else has the descriptor
  }
}

function respond(
  environ: Environ,
  startResponse: StartResponse,
  content: Content,
  { contentType, common, own = [] }: Description,
): Body {
  const isGet = environ.REQUEST_METHOD === "GET";
  // To another method, which sendFile may answer, a 304 would mean nothing.
  const status = isGet || environ.REQUEST_METHOD === "HEAD" ? precondition(environ, content) : 200;
  if (status === 412) return plain(startResponse, "412 Precondition Failed", [], environ);
  if (status === 304) {
    const fields: HeaderList = [["ETag", content.etag], ["Last-Modified", content.lastModified], ...common];
    startResponse("304 Not Modified", withoutContent(replacing(fields, own)));
    return [];
  }
  const range = environ.HTTP_RANGE;
  const spans = range !== undefined && isGet && rangeApplies(environ, content)
    ? parseRange(range, content.size)
    : undefined;
  if (spans === "unsatisfiable") {
    return plain(startResponse, "416 Range Not Satisfiable", [["Content-Range", `bytes */${content.size}`]], environ);
  }
  const described: [string, string][] = [
    ["ETag", content.etag],
    ["Last-Modified", content.lastModified],
    ["Accept-Ranges", "bytes"],
    ["X-Content-Type-Options", "nosniff"],
  ];
  const begin = (status: string, type: string, length: number, more: HeaderList = []): void => {
    const fields: HeaderList = [
      ["Content-Type", type],
      ["Content-Length", String(length)],
      ...more,
      ...described,
      ...common,
    ];
    startResponse(status, replacing(fields, own));
  };
  const [first] = spans ?? [];
  if (spans === undefined || first === undefined) {
    begin("200 OK", contentType, content.size);
    return body(environ, content, [{ start: 0, end: content.size }]);
  }
  if (spans.length === 1) {
    const more: HeaderList = [["Content-Range", contentRange(first, content.size)]];
    begin("206 Partial Content", contentType, first.end - first.start, more);
    return body(environ, content, spans);
  }
  const boundary = `tsgi-${crypto.randomUUID()}`;
  const pieces = multipart(spans, contentType, content.size, boundary);
  const length = pieces.reduce((sum, one) => sum + (one instanceof Uint8Array ? one.length : one.end - one.start), 0);
  begin("206 Partial Content", `multipart/byteranges; boundary=${boundary}`, length);
  return body(environ, content, pieces);
}

const encoder = new TextEncoder();

/** The pieces of a body of several ranges (RFC 9110 14.6). */
function multipart(spans: readonly Span[], type: string, size: number, boundary: string): (Uint8Array | Span)[] {
  const pieces = spans.flatMap((span, i) => [
    encoder.encode(
      `${i === 0 ? "" : "\r\n"}--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: ${
        contentRange(span, size)
      }\r\n\r\n`,
    ),
    span,
  ]);
  return [...pieces, encoder.encode(`\r\n--${boundary}--\r\n`)];
}

function body(environ: Environ, content: Content, pieces: readonly (Uint8Array | Span)[]): Body {
  const { bytes, descriptor, size } = content;
  if (environ.REQUEST_METHOD === "HEAD") return [];
  if (descriptor !== undefined) return new FileBody(descriptor, size, pieces);
  const all = bytes as Uint8Array;
  return pieces.map((one) =>
    one instanceof Uint8Array ? one : one.end - one.start === size ? all : all.subarray(one.start, one.end)
  );
}

/** Answers with a line of text that says the status. */
export function plain(startResponse: StartResponse, status: string, headers: HeaderList, environ: Environ): Body {
  const text = `${status.slice(4)}\n`;
  startResponse(status, [
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Content-Length", String(text.length)],
    ...headers,
  ]);
  return environ.REQUEST_METHOD === "HEAD" ? [] : [text];
}
