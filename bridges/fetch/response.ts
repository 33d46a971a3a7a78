/**
 * A Response as an application says it: status, header list, body.
 *
 * @module
 */

import { describe } from "../../core/errors.ts";
import type { Body, StartResponse } from "../../core/contract/types.ts";
import { isHopByHop } from "../../core/grammar.ts";
import { ResponseBody } from "./response_body.ts";
import { wholeBody } from "./whole_body.ts";

/** Where a Response says no reason, as most do (RFC 9110 15, RFC 6585, RFC 8297 and others). */
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  207: "Multi-Status",
  208: "Already Reported",
  226: "IM Used",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  305: "Use Proxy",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  418: "I'm a Teapot",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  423: "Locked",
  424: "Failed Dependency",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  506: "Variant Also Negotiates",
  507: "Insufficient Storage",
  508: "Loop Detected",
  511: "Network Authentication Required",
};

const EMPTY: Uint8Array[] = [];

/**
 * Starts the response that a handler gave, and gives its body.
 *
 * @param head Whether the request was a HEAD: the body is cancelled then.
 * @param request The request, for who makes the body while it is sent.
 * @throws {TypeError} for what is no Response, for `Response.error()`, and for a body that was used.
 */
export function respond(
  given: unknown,
  head: boolean,
  startResponse: StartResponse,
  request: { fill(): void },
): Body | Promise<Body> {
  const response = checkResponse(given);
  const { status } = response;
  const whole = wholeBody(response);
  if (whole !== undefined && !head && !isNullBody(status)) {
    startResponse(statusLine(status, response.statusText), fieldsOf(response.headers));
    return [whole];
  }
  void response.headers; // before the body: Bun forgets the type of one that has become a stream
  const stream = response.body;
  const headers = fieldsOf(response.headers); // after it: the Response that h3 has on Node.js knows the type only then
  if (stream?.locked === true || response.bodyUsed) {
    throw new TypeError(
      "The body of the Response is used or locked: a Response is sent once, its clone() another time",
    );
  }
  const line = statusLine(status, response.statusText);
  if (stream !== null && !head && !isNullBody(status)) {
    return new ResponseBody(stream, { status: line, headers }, startResponse, request).open();
  }
  stream?.cancel().catch(() => {}); // a source that fails while it is cancelled changes nothing any more
  const write = startResponse(line, headers);
  if (head) write(""); // sends the head before the end, which would say that the length is 0
  return EMPTY;
}

function checkResponse(value: unknown): Response {
  const response = value as Response;
  // Not instanceof alone: packages bring a Response of their own.
  if (!(value instanceof Response) && typeof (value as Response | null | undefined)?.headers?.forEach !== "function") {
    throw new TypeError(`The fetch handler gave ${describe(value)}; expected a Response or a promise of one`);
  }
  if (response.status === 0) {
    throw new TypeError("The fetch handler gave Response.error(), which no client can be sent");
  }
  return response;
}

function isNullBody(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function statusLine(status: number, text: string): string {
  const reason = text === "" || text === undefined ? REASONS[status] ?? "" : text.trim();
  return `${status} ${reason}`;
}

/** The header list: without what is not the application's to say, since a connection has one owner. */
function fieldsOf(headers: Headers): [name: string, value: string][] {
  const fields: [string, string][] = [];
  headers.forEach((value, name) => {
    if (!isHopByHop(name) && name !== "status") fields.push([name, value]);
  });
  return fields;
}
