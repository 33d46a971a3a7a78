/**
 * The known differences between tsgi's HTTP/1.1 parser and node's, by class. `docs/http-differences.md` is made from it.
 *
 * A difference that belongs to no class fails the fuzzer: it is a fault of tsgi, or a class is missing here.
 *
 * @module
 */

import type { Difference } from "./compare.ts";
import { adaptedFields, bodyRefusedByNode, hasTrailer, refusedByNode, refusedByTsgi } from "./matching.ts";

/** A class of differences. */
export interface DifferenceClass {
  readonly name: string;
  /** What the two do. */
  readonly what: string;
  /** The section that decides, or `"-"`. */
  readonly rfc: string;
  readonly stricter: "tsgi" | "node" | "neither";
  /** Why tsgi does what it does. */
  readonly why: string;
  /** An input that shows it, alone. */
  readonly example: string;
  /** Whether a difference belongs to it. The first class that takes it has it. */
  readonly matches: (difference: Difference) => boolean;
}

const HOST = "Host: a\r\n";
const CHUNKED = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;

/** All classes. */
export const classes: readonly DifferenceClass[] = [
  {
    name: "host-missing",
    what: "A request of HTTP/1.1 without Host: both answer 400; node then serves the next request of the connection.",
    rfc: "RFC 9112 3.2",
    stricter: "tsgi",
    why: "After a refusal tsgi ends the connection, since the bytes that follow cannot be trusted.",
    example: `GET / HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n${HOST}\r\n`,
    matches: refusedByTsgi(/^HTTP\/1\.1 without Host/),
  },
  {
    name: "host-twice",
    what: "tsgi refuses a second Host; node serves the request with both.",
    rfc: "RFC 9112 3.2",
    stricter: "tsgi",
    why: "The RFC requires 400. A proxy and an application could each take another one.",
    example: `GET / HTTP/1.1\r\n${HOST}Host: b\r\n\r\n`,
    matches: refusedByTsgi(/^Host is given twice/),
  },
  {
    name: "host-invalid",
    what:
      "tsgi refuses a Host, or an authority of a target, that is no host with an optional port; node takes any value.",
    rfc: "RFC 9112 3.2, RFC 3986 3.2.2",
    stricter: "tsgi",
    why: "The RFC requires 400.",
    example: "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    matches: refusedByTsgi(/^Host is not a host|^the request target has an empty host/),
  },
  {
    name: "asterisk",
    what: "tsgi refuses the target `*` for another method than OPTIONS; node serves it.",
    rfc: "RFC 9112 3.2.4",
    stricter: "tsgi",
    why: "The form is for OPTIONS only; the environ of another method would need a path.",
    example: `GET * HTTP/1.1\r\n${HOST}\r\n`,
    matches: refusedByTsgi(/^the target \* is for OPTIONS/),
  },
  {
    name: "target-form",
    what: "tsgi refuses a target that begins with neither a slash nor `http://` or `https://`; node serves it.",
    rfc: "RFC 9112 3.2",
    stricter: "tsgi",
    why: "Such a target has no path for PATH_INFO.",
    example: `GET ftp://a/ HTTP/1.1\r\n${HOST}\r\n`,
    matches: refusedByTsgi(/^the request target has no known form/),
  },
  {
    name: "fragment",
    what: "tsgi refuses `#` and controls in a target; node serves a target with `#`.",
    rfc: "RFC 9112 3.2, RFC 3986 3.5",
    stricter: "tsgi",
    why: "A fragment is no part of a target. Programs disagree on whether the path ends there.",
    example: `GET /a#b HTTP/1.1\r\n${HOST}\r\n`,
    matches: refusedByTsgi(/^the method or the target is malformed/),
  },
  {
    name: "major-version",
    what: "tsgi answers 505 to each major version but 1; node serves HTTP/0.9 and HTTP/2.0 in the syntax of HTTP/1.1.",
    rfc: "RFC 9110 2.5, 15.6.6",
    stricter: "tsgi",
    why: "Another major version has another syntax.",
    example: `GET / HTTP/2.0\r\n${HOST}\r\n`,
    matches: refusedByTsgi(/^only HTTP\/1\.x is spoken/),
  },
  {
    name: "request-line",
    what: "tsgi refuses a request line without a version, or with more than one space; node serves both.",
    rfc: "RFC 9112 3",
    stricter: "tsgi",
    why: "Where programs divide such a line at different spaces, requests are smuggled.",
    example: `GET /\r\n\r\n`,
    matches: refusedByTsgi(/^the request line is malformed/),
  },
  {
    name: "empty-lines",
    what: "tsgi refuses more than 8 empty lines before a request; node reads any number.",
    rfc: "RFC 9112 2.2",
    stricter: "tsgi",
    why: "The RFC asks to ignore at least one. A limit keeps a client from sending them for ever.",
    example: `${"\r\n".repeat(9)}GET / HTTP/1.1\r\n${HOST}\r\n`,
    matches: refusedByTsgi(/^too many empty lines/),
  },
  {
    name: "bare-lf",
    what: "tsgi refuses a line that ends with LF alone; node accepts one in front of a request line and in HTTP/0.9.",
    rfc: "RFC 9112 2.2",
    stricter: "tsgi",
    why: "The RFC allows both. Programs that disagree on where a line ends see other requests.",
    example: `\nGET / HTTP/1.1\r\n${HOST}\r\n`,
    matches: refusedByTsgi(/^a line ends with a bare LF|^a request cannot begin with that octet/),
  },
  {
    name: "codings",
    what:
      "tsgi serves no other transfer coding than chunked, once: 501 for others, 400 for an empty member or another order. " +
      "Node passes on what it does not know, and the body with it.",
    rfc: "RFC 9112 6.1, 7",
    stricter: "tsgi",
    why: "An application would get a body in a coding that it cannot know of.",
    example: `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip, chunked\r\n\r\n`,
    matches: refusedByTsgi(/transfer coding|^Transfer-Encoding has an empty member/),
  },
  {
    name: "codings-1.0",
    what: "tsgi refuses Transfer-Encoding in HTTP/1.0; node decodes the body.",
    rfc: "RFC 9112 6.1",
    stricter: "tsgi",
    why: "The RFC calls the framing faulty. A proxy of HTTP/1.0 forwards the field without knowing it.",
    example: `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    matches: refusedByTsgi(/^Transfer-Encoding in HTTP\/1\.0/),
  },
  {
    name: "expectation",
    what: "tsgi answers 417 to each expectation but `100-continue`; node also takes text that contains it.",
    rfc: "RFC 9110 10.1.1",
    stricter: "tsgi",
    why: "An expectation that is not known is not met.",
    example: `POST / HTTP/1.1\r\n${HOST}Expect: 100-continue=1\r\nContent-Length: 1\r\n\r\na`,
    matches: refusedByTsgi(/^the only known expectation/),
  },
  {
    name: "length-inexact",
    what: "tsgi answers 413 to a Content-Length above 2^53 - 1; node waits for the body.",
    rfc: "RFC 9110 8.6",
    stricter: "tsgi",
    why: "JavaScript cannot count such a body exactly.",
    example: `POST / HTTP/1.1\r\n${HOST}Content-Length: 9007199254740993\r\n\r\n`,
    matches: refusedByTsgi(/^Content-Length \S+ is above the limit/),
  },
  {
    name: "repeated-type",
    what: "tsgi refuses a second Content-Type; node serves the first.",
    rfc: "RFC 9110 5.3, 8.3",
    stricter: "tsgi",
    why: "The field has one value. A filter and an application could each take another one.",
    example: `GET / HTTP/1.1\r\n${HOST}Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n`,
    matches: refusedByTsgi(/^Content-Type is given twice/),
  },
  {
    name: "proxy-connection",
    what:
      "Node takes `Proxy-Connection` for `Connection`; tsgi does not know it, so HTTP/1.0 ends, and HTTP/1.1 goes on.",
    rfc: "RFC 9112 C.2.2",
    stricter: "neither",
    why: "The field is in no standard, and is for proxies.",
    example: `GET / HTTP/1.0\r\n${HOST}Proxy-Connection: keep-alive\r\n\r\n`,
    matches: ({ aspect, input }) =>
      /proxy-connection/i.test(input) &&
      ["accepted by node only", "persistence", "refused by node only"].includes(aspect),
  },
  {
    name: "close-wins",
    what:
      "`Connection: close` beside `keep-alive`: tsgi ends the connection; node keeps it with the one that comes last.",
    rfc: "RFC 9112 9.3",
    stricter: "tsgi",
    why: "The RFC has `close` decide.",
    example:
      `GET / HTTP/1.0\r\n${HOST}Connection: close\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n${HOST}\r\n`,
    matches: ({ aspect, before, tsgiReason, tsgiClosed }) =>
      ["accepted by node only", "refused by node only", "persistence"].includes(aspect) && tsgiReason === "" &&
      tsgiClosed &&
      /close/i.test(before?.fields.HTTP_CONNECTION ?? "") && /keep-alive/i.test(before?.fields.HTTP_CONNECTION ?? ""),
  },
  {
    name: "any-method",
    what: "tsgi takes each token as a method; node knows a list.",
    rfc: "RFC 9110 9.1",
    stricter: "node",
    why: "Whether a method is known is for the application to say: 501 or 405.",
    example: `M / HTTP/1.1\r\n${HOST}\r\n`,
    matches: refusedByNode(/^HPE_INVALID_METHOD|^HPE_INVALID_CONSTANT/),
  },
  {
    name: "target-octets",
    what: "tsgi takes octets from 0x80 on in a target, as they are; node refuses them.",
    rfc: "RFC 3986 2",
    stricter: "node",
    why: "Browsers and older clients send them. PATH_INFO and QUERY_STRING are latin-1 in any case (PEP 3333).",
    example: `GET /\xe9 HTTP/1.1\r\n${HOST}\r\n`,
    matches: (one) => refusedByNode(/^HPE_INVALID_URL/)(one) && /[\x80-\xff]/.test(one.tsgi?.target ?? ""),
  },
  {
    name: "minor-version",
    what: "tsgi takes HTTP/1.2 to 1.9 for HTTP/1.1; node refuses them.",
    rfc: "RFC 9110 2.5, 6.2",
    stricter: "node",
    why: "The RFC requires it: a higher minor version is handled as the highest that is known.",
    example: `GET / HTTP/1.2\r\n${HOST}\r\n`,
    matches: (one) => refusedByNode(/^HPE_INVALID_VERSION/)(one) && /^1\.[2-9]$/.test(one.tsgi?.version ?? ""),
  },
  {
    name: "trailer-connection",
    what:
      "Node obeys `Connection: close` in trailers, and refuses what follows; tsgi only checks the syntax of trailers.",
    rfc: "RFC 9110 6.5.1",
    stricter: "node",
    why: "A trailer must not be taken for a header field.",
    example: `${CHUNKED}0\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n${HOST}\r\n`,
    matches: ({ aspect, nodeReason, nodeClosed, tsgiClosed, input }) =>
      /chunked/i.test(input) && /connection:/i.test(input) &&
      ((aspect === "accepted by tsgi only" && nodeReason === "HPE_CLOSED_CONNECTION") ||
        (["persistence", "refused by node only"].includes(aspect) && nodeClosed && !tsgiClosed)) &&
      hasTrailer(input, /^connection$/i),
  },
  {
    name: "upgrade",
    what:
      "Behind a request with Upgrade, node reads no further request of the connection; tsgi does, unless it upgraded.",
    rfc: "RFC 9110 7.8",
    stricter: "node",
    why: "A server may ignore Upgrade, and goes on with HTTP then.",
    example: `GET / HTTP/1.1\r\n${HOST}Connection: upgrade\r\nUpgrade: x\r\n\r\nGET /2 HTTP/1.1\r\n${HOST}\r\n`,
    matches: ({ aspect, before, nodeReason, tsgi, node }) =>
      ((aspect === "accepted by tsgi only" && nodeReason === "") || aspect === "refused by tsgi only" ||
        (aspect === "body" && node?.body === null && tsgi?.body !== null) || aspect === "persistence") &&
      [before, node].some((one) => one?.fields.HTTP_UPGRADE !== undefined),
  },
  {
    name: "absolute-form",
    what: "HTTP_HOST is the authority of a target in absolute form; node tells the Host field.",
    rfc: "RFC 9112 3.2.2",
    stricter: "neither",
    why: "The RFC requires it: a server ignores Host then.",
    example: `GET http://b/ HTTP/1.1\r\n${HOST}\r\n`,
    matches: adaptedFields("absolute-form"),
  },
  {
    name: "underscore",
    what: "tsgi drops fields with an underscore in their names, unless `headerMap` says otherwise; node has them.",
    rfc: "RFC 3875 4.1.18",
    stricter: "tsgi",
    why: "`X_A` and `X-A` have one environ key: a client could set a field that a proxy controls.",
    example: `GET / HTTP/1.1\r\n${HOST}X_A: 1\r\n\r\n`,
    matches: adaptedFields("underscore"),
  },
  {
    name: "proxy-field",
    what: "tsgi leaves the field Proxy out of the environ; node has it.",
    rfc: "RFC 3875 4.1.18",
    stricter: "tsgi",
    why: "Programs take HTTP_PROXY for their own configuration (CVE-2016-5385).",
    example: `GET / HTTP/1.1\r\n${HOST}Proxy: x\r\n\r\n`,
    matches: adaptedFields("proxy"),
  },
  {
    name: "length-text",
    what: "CONTENT_LENGTH has no leading zeros; node tells the field as it was sent.",
    rfc: "RFC 9110 8.6",
    stricter: "neither",
    why: "Programs that read `010` as octal would see another length.",
    example: `POST / HTTP/1.1\r\n${HOST}Content-Length: 01\r\n\r\na`,
    matches: adaptedFields("leading-zeros"),
  },
  {
    name: "chunk-blanks",
    what: "tsgi takes white space around the `;` and the `=` of a chunk extension; node refuses it.",
    rfc: "RFC 9112 7.1.1, RFC 9110 5.6.3",
    stricter: "node",
    why: "The RFC requires it: bad white space is read and removed.",
    example: `${CHUNKED}1 ; a = b\r\nx\r\n0\r\n\r\n`,
    matches: bodyRefusedByNode(/^HPE_INVALID_CHUNK_SIZE|^HPE_STRICT/, /[0-9a-f][ \t]*;|;[ \t]|[ \t]=|=[ \t]/i),
  },
  {
    name: "codings-blanks",
    what: "tsgi takes a tab in front of `chunked`; node refuses the request.",
    rfc: "RFC 9110 5.5",
    stricter: "node",
    why: "White space around a value is no part of it.",
    example: `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding:\tchunked\t\r\n\r\n0\r\n\r\n`,
    matches: bodyRefusedByNode(/^HPE_INVALID_TRANSFER_ENCODING/, /transfer-encoding/i),
  },
  {
    name: "trailer-framing",
    what: "Node refuses Content-Length and Transfer-Encoding in trailers; tsgi only checks the syntax of trailers.",
    rfc: "RFC 9110 6.5.1",
    stricter: "node",
    why: "Trailers are dropped, so they have no effect.",
    example: `${CHUNKED}0\r\nContent-Length: 9\r\n\r\n`,
    matches: bodyRefusedByNode(/^HPE_(?:INVALID|UNEXPECTED)_(?:CONTENT_LENGTH|TRANSFER_ENCODING)/, /chunked/i),
  },
  {
    name: "chunk-size",
    what: "tsgi refuses a chunk of 2^52 bytes or more; node waits for it.",
    rfc: "RFC 9112 7.1",
    stricter: "tsgi",
    why: "The RFC asks servers to guard against sizes that cannot be counted.",
    example: `${CHUNKED}20000000000001\r\n`,
    matches: ({ aspect, tsgi, node, before, tsgiClosed, nodeClosed, input }) =>
      aspect === "persistence" && tsgiClosed && !nodeClosed && /[0-9a-f]{14}/i.test(input) &&
      (tsgi ?? node ?? before)?.body === null,
  },
  {
    name: "chunk-extension",
    what: "tsgi refuses a chunk extension without a name; node takes it.",
    rfc: "RFC 9112 7.1.1",
    stricter: "tsgi",
    why: "The grammar has no such extension.",
    example: `${CHUNKED}1;;a\r\nx\r\n0\r\n\r\n`,
    matches: ({ aspect, tsgi, before, tsgiClosed, nodeClosed, input }) =>
      /[0-9a-f][ \t]*;/i.test(input) && ((aspect === "body" && tsgi?.body === null) ||
        (aspect === "persistence" && before?.body === null && tsgiClosed && !nodeClosed)),
  },
  {
    name: "trailers",
    what: "tsgi checks trailers and drops them; node tells them to the application.",
    rfc: "RFC 9110 6.5.1",
    stricter: "neither",
    why: "WSGI has no place for trailers.",
    example: `${CHUNKED}0\r\nX: y\r\n\r\n`,
    matches: ({ aspect }) => aspect === "trailers",
  },
  {
    name: "after-close",
    what: "Bytes behind the last request of a connection: tsgi drops them; node calls them an error.",
    rfc: "RFC 9112 9.6",
    stricter: "neither",
    why: "The RFC has a server ignore them. Neither serves them.",
    example: `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\nbad\r\n\r\n`,
    matches: ({ aspect, tsgiClosed, nodeReason }) =>
      aspect === "refused by node only" && tsgiClosed && nodeReason === "HPE_CLOSED_CONNECTION",
  },
  {
    name: "connect",
    what:
      "tsgi answers CONNECT with 501, or 400 if its target is malformed; node closes the connection without an answer.",
    rfc: "RFC 9110 9.3.6",
    stricter: "neither",
    why: "A client learns why.",
    example: `CONNECT a:1 HTTP/1.1\r\n${HOST}\r\n`,
    matches: ({ aspect, nodeReason, input }) =>
      (aspect === "status" && nodeReason === "dropped") ||
      (aspect === "refused by tsgi only" && /CONNECT /.test(input)),
  },
  {
    name: "status",
    what: "Both refuse the request; tsgi says more than 400: 413, 414, 417, 431, 501 or 505.",
    rfc: "RFC 9110 15.5, 15.6",
    stricter: "neither",
    why: "The status names the cause.",
    example: `GET / HTTP/5.6\r\n${HOST}\r\n`,
    matches: ({ aspect, tsgiStatus, nodeStatus }) => aspect === "status" && tsgiStatus > 400 && nodeStatus === 400,
  },
  {
    name: "which-first",
    what: "Both refuse a request that breaks two rules, each for another one.",
    rfc: "-",
    stricter: "neither",
    why: "The request is refused in any case.",
    example: `GET / HTTP/1.1\r\nHost: a b\r\nExpect: x\r\n\r\n`,
    matches: ({ aspect, tsgiStatus, nodeStatus }) => aspect === "status" && tsgiStatus === 400 && nodeStatus > 400,
  },
  {
    name: "after-417",
    what: "After a 417 tsgi ends the connection; node keeps it.",
    rfc: "RFC 9110 10.1.1",
    stricter: "tsgi",
    why: "Each refusal ends the connection, since a body may follow.",
    example: `GET / HTTP/1.1\r\n${HOST}Expect: x\r\n\r\n`,
    matches: ({ aspect, tsgiStatus, nodeStatus }) =>
      aspect === "persistence" && tsgiStatus === 417 && nodeStatus === 417,
  },
  {
    name: "early-node",
    what: "Node refuses a line before its end has arrived; tsgi waits for the end, up to the limit for a line.",
    rfc: "-",
    stricter: "neither",
    why:
      "A line is checked as a whole. The same bytes are refused in the end, by the line or by the time-out for heads.",
    example: "GET / HTTP/1.1|",
    matches: ({ aspect, tsgiClosed, nodeReason }) =>
      aspect === "refused by node only" && !tsgiClosed && /^HPE_/.test(nodeReason),
  },
  {
    name: "early-tsgi",
    what: "tsgi refuses a malformed line at its end; node finds out at the end of the head.",
    rfc: "-",
    stricter: "neither",
    why: "What cannot become valid any more is answered at once.",
    example: "GET / HTTP/1.1\r\nHost: a b\r\n",
    matches: ({ aspect, nodeClosed }) => aspect === "refused by tsgi only" && !nodeClosed,
  },
];
