/**
 * Converts a Response to the form of an application: status, header list, body.
 *
 * @module
 */

import { REASONS } from "../../core/contract/status_reasons.ts";
import { describe } from "../../core/errors.ts";
import type { Body, StartResponse } from "../../core/contract/types.ts";
import { isHopByHop } from "../../core/grammar.ts";
import { ResponseBody } from "./response_body.ts";
import { wholeBody } from "./whole_body.ts";

const EMPTY: Uint8Array[] = [];

/**
 * Starts the response that a handler returned, and returns its body.
 *
 * @param head Whether the request was a HEAD. The body is then cancelled.
 * @param request The request. It is filled when code that produces the body may still read it.
 * @throws {TypeError} for a value that is not a Response, for `Response.error()`, and for a body that was used.
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
  void response.headers; // before `body`, since Bun forgets the type of a body that became a stream
  const stream = response.body;
  const headers = fieldsOf(response.headers); // after `body`, since h3's Response on Node.js sets the type only then
  if (stream?.locked === true || response.bodyUsed) {
    throw new TypeError(
      "The body of the Response is used or locked: a Response is sent once, its clone() another time",
    );
  }
  const line = statusLine(status, response.statusText);
  if (stream !== null && !head && !isNullBody(status)) {
    return new ResponseBody(stream, { status: line, headers }, startResponse, request).open();
  }
  stream?.cancel().catch(() => {}); // an error from the cancelled source has no effect any more
  const write = startResponse(line, headers);
  if (head) write(""); // sends the head now; otherwise the server would state the length 0
  return EMPTY;
}

function checkResponse(value: unknown): Response {
  const response = value as Response;
  // instanceof alone is not enough, since packages bring their own Response class.
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

/** Returns the header list without connection headers, which only the server may set. */
function fieldsOf(headers: Headers): [name: string, value: string][] {
  const fields: [string, string][] = [];
  headers.forEach((value, name) => {
    if (!isHopByHop(name) && name !== "status") fields.push([name, value]);
  });
  return fields;
}
