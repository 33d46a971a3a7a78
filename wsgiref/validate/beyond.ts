/**
 * The rules of the contract that a validator cannot check. It does not see the bytes on the wire, and it sees only one
 * side of a middleware.
 *
 * @module
 */

import type { Theme } from "./rules.ts";

const WIRE = "the wire is below the validator; the behaviour suite checks it over sockets";

/** The rules about responses that end in an error. */
export const errorsTheme: Theme = {
  title: "Errors",
  introduction: "What becomes of a response whose application throws, and of requests that are none.",
  checked: [],
  unchecked: [
    { id: "X10", bound: "server", text: "An error before the head has been sent is a clean 500.", reason: WIRE },
    { id: "X11", bound: "server", text: "An error after it cuts the response off, visibly.", reason: WIRE },
    { id: "X12", bound: "server", text: "A stored head that was not sent is replaced by the 500.", reason: WIRE },
    { id: "X13", bound: "server", text: "After `write()` has sent data there is no 500.", reason: WIRE },
    { id: "X14", bound: "server", text: "`close()` is called although the transport fails.", reason: WIRE },
    { id: "X15", bound: "server", text: "Other connections are served after any of these.", reason: WIRE },
    { id: "X16", bound: "server", text: "What the parser refuses never reaches the application.", reason: WIRE },
  ],
};

/** The rules about the head that the server writes. */
export const headTheme: Theme = {
  title: "The head on the wire",
  introduction: "What a server adds to what the application said.",
  checked: [],
  unchecked: [
    { id: "H01", bound: "server", text: "One Date, in IMF-fixdate, unless the application gave one.", reason: WIRE },
    { id: "H02", bound: "server", text: "At most one Server, and none where it is switched off.", reason: WIRE },
    { id: "H03", bound: "server", text: "`Connection: close` whenever the server will close.", reason: WIRE },
    {
      id: "H04",
      bound: "application",
      text: "An application cannot set the framing of a response.",
      reason: "Transfer-Encoding is refused by R07, a bad Content-Length by R18",
    },
    {
      id: "H05",
      bound: "server",
      text: "Status line and fields are latin-1 with CRLF; an empty reason keeps its space.",
      reason: WIRE,
    },
    { id: "H06", bound: "server", text: "HTTP/0.9 is refused.", reason: WIRE },
    { id: "H07", bound: "server", text: "No Transfer-Encoding to HTTP/1.0, nor with Content-Length.", reason: WIRE },
    { id: "H08", bound: "server", text: "Responses are in the order of the requests.", reason: WIRE },
  ],
};

/** The rules for middleware and its helpers. */
export const middlewareTheme: Theme = {
  title: "Middleware and utilities",
  introduction: "Middleware is an application to the server and a server to the application, and bound by both.",
  checked: [],
  unchecked: [
    {
      id: "M01",
      bound: "application",
      text: "Middleware gives at least one block, be it empty, for each it gets, and returns as soon as it can.",
      reason: "one validator sees one side of a middleware; B03 is what it is for",
    },
    {
      id: "M02",
      bound: "application",
      text: "Middleware uses `write()` only for what it was given by `write()`.",
      reason: "one validator sees one side of a middleware",
    },
    {
      id: "M03",
      bound: "application",
      text: "The `close()` of middleware calls that of what it wraps.",
      reason: "B13 finds it with a validator around the inner application",
    },
    {
      id: "M04",
      bound: "server",
      text: "`shiftPathInfo` moves segments as wsgiref does.",
      reason: "it concerns a function, not a request; its tests have the table",
    },
    {
      id: "M05",
      bound: "server",
      text: "`setupTestingDefaults` gives wsgiref's defaults and keeps what is there.",
      reason: "it concerns a function, not a request; its tests have the table",
    },
    {
      id: "M06",
      bound: "application",
      text: "`Headers` is wsgiref's: case-insensitive, in order, and refuses controls.",
      reason: "it concerns a class, not a request; its tests have the table",
    },
  ],
};
