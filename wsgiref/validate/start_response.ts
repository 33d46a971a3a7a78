/**
 * Checks the arguments of `startResponse` (PEP 3333, "The start_response() Callable").
 *
 * This file looks at each call by itself. `call.ts` checks the order of calls.
 *
 * @module
 */

import { describe } from "../../core/errors.ts";
import { BEYOND_LATIN1, CONTROL_IN_VALUE, DIGITS, isHopByHop, TOKEN } from "../../core/grammar.ts";
import { isContentless } from "../../core/contract/response_head.ts";
import { forApplication, must, type Theme } from "./rules.ts";

const ARITY = forApplication(
  "R01",
  "`startResponse` is called with two or three arguments: status, headers, and an error when it replaces a response.",
);
const STATUS = forApplication(
  "R03",
  "The status is a string of three digits from 200 to 599, one space, and a reason, which may be empty and has no white " +
    "space at its ends. (1xx is no final response: see `earlyHints`.)",
);
const REASON = forApplication("R03-strict", "The reason of a status is not empty: `999 Message here`.", "strict");
const LIST = forApplication("R04", "The headers are an array of arrays of two strings, name and value.");
const NAME = forApplication(
  "R05",
  "A header name is a token, does not end in `-` or `_`, and is not `Status`, which belongs to CGI.",
);
const LETTER = forApplication(
  "R05-strict",
  "A header name is a letter, then letters, digits, `-` and `_`, as wsgiref wants it.",
  "strict",
);
const VALUE = forApplication(
  "R06",
  "A header value holds no control character but HTAB; status, names and values hold no code unit above U+00FF.",
);
const TAB = forApplication("R06-strict", "A header value holds no control character, HTAB neither.", "strict");
const HOP_BY_HOP = forApplication(
  "R07",
  "Hop-by-hop headers are the server's: Connection, Keep-Alive, Proxy-Authenticate, Proxy-Authorization, TE, Trailers, " +
    "Transfer-Encoding and Upgrade are refused in any letter case.",
);
const EXC_INFO = forApplication(
  "R16",
  "`excInfo` is an Error; null and undefined are absent. (Outside strict mode anything that can be thrown will do.)",
  "strict",
);
const LENGTH = forApplication("R18", "Content-Length is given at most once, in decimal digits.");
const TYPE = forApplication(
  "B10",
  "A response has a Content-Type, but those of status 204, 205 and 304, which have no body, do not.",
  "strict",
);

/** The rules of one call. */
export const startResponseTheme: Theme = {
  title: "A call of startResponse",
  introduction: "What an application passes. An error is thrown from the call itself, before anything is sent.",
  checked: [ARITY, STATUS, REASON, LIST, NAME, LETTER, VALUE, TAB, HOP_BY_HOP, EXC_INFO, LENGTH, TYPE],
  unchecked: [
    {
      id: "R13",
      bound: "server",
      text: "The server copies the list at the call: what the application does with it afterwards changes nothing.",
      reason: "it shows only in what the client gets; the behaviour suite checks it",
    },
    {
      id: "R17",
      bound: "server",
      text: "Repeated names stay separate fields, in order.",
      reason: "it shows only in what the client gets; the behaviour suite checks it",
    },
  ],
};

/** A checked call. */
export interface Start {
  readonly status: string;
  /** The application's Content-Length, or null. */
  readonly contentLength: number | null;
}

/**
 * Checks the arguments of a call.
 *
 * @throws {WsgiViolation} naming the first rule that is broken.
 */
export function checkStart(args: readonly unknown[], strict: boolean): Start {
  must(args.length === 2 || args.length === 3, ARITY, () => `startResponse got ${args.length} arguments`);
  const [status, headers, excInfo] = args;
  must(
    typeof status === "string" && !BEYOND_LATIN1.test(status),
    typeof status === "string" ? VALUE : STATUS,
    () => `the status is ${describe(status)}`,
  );
  const reason = /^[2-5][0-9]{2} (.*)$/s.exec(status)?.[1];
  must(
    reason !== undefined && !CONTROL_IN_VALUE.test(reason) && !/^[ \t]|[ \t]$/.test(reason),
    STATUS,
    () => `the status is ${describe(status)}`,
  );
  if (strict) must(reason !== "", REASON, () => `the status is ${describe(status)}`);
  const names = checkHeaders(headers, strict);
  if (strict) {
    const bodyless = isContentless(Number(status.slice(0, 3)));
    must(names.has("content-type") !== bodyless, TYPE, () => `${status} with${bodyless ? "" : "out"} a Content-Type`);
    must(
      excInfo === undefined || excInfo === null || excInfo instanceof Error,
      EXC_INFO,
      () => `excInfo is ${describe(excInfo)}`,
    );
  }
  const length = names.get("content-length");
  return { status, contentLength: length === undefined ? null : Number(length) };
}

/** Checks a header list. Returns the values by lower-case name; for repeated names, the last value. */
export function checkHeaders(headers: unknown, strict: boolean): Map<string, string> {
  must(Array.isArray(headers), LIST, () => `the headers are ${describe(headers)}`);
  const names = new Map<string, string>();
  for (const [index, pair] of (headers as unknown[]).entries()) {
    const isPair = Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string");
    must(isPair, LIST, () => `header ${index + 1} is ${Array.isArray(pair) ? pair.map(describe) : describe(pair)}`);
    const [name, value] = pair as [string, string];
    checkName(name, strict);
    must(!BEYOND_LATIN1.test(value), VALUE, () => `${name} has the value ${describe(value)}`);
    must(!CONTROL_IN_VALUE.test(value), VALUE, () => `${name} has the value ${describe(value)}`);
    if (strict) must(!value.includes("\t"), TAB, () => `${name} has the value ${describe(value)}`);
    const lower = name.toLowerCase();
    if (lower === "content-length") {
      must(!names.has(lower), LENGTH, () => "Content-Length is given twice");
      const sane = DIGITS.test(value) && Number.isSafeInteger(Number(value));
      must(sane, LENGTH, () => `Content-Length is ${describe(value)}`);
    }
    names.set(lower, value);
  }
  return names;
}

function checkName(name: string, strict: boolean): void {
  must(!BEYOND_LATIN1.test(name), VALUE, () => `a header has the name ${describe(name)}`);
  const fit = TOKEN.test(name) && !/[-_]$/.test(name) && name.toLowerCase() !== "status";
  must(fit, NAME, () => `a header has the name ${describe(name)}`);
  must(!isHopByHop(name), HOP_BY_HOP, () => `a header has the name ${describe(name)}`);
  if (strict) must(/^[A-Za-z][-\w]*$/.test(name), LETTER, () => `a header has the name ${describe(name)}`);
}
