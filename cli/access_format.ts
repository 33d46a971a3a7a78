/**
 * Formats access log lines. A format is text with gunicorn's atoms; it is compiled once into a function.
 *
 * A value from a client cannot forge a line: control characters, quotes, backslashes and non-ASCII characters are
 * written as `\xhh`, or as `\u00hh` for a format that makes JSON. If a line would be longer than a pipe takes in one
 * piece, the values from the client are cut, with a mark, and the rest of the line stays whole.
 *
 * @module
 */

import type { AccessRecord } from "../core/gateway/access_log.ts";
import { Buffer } from "node:buffer";
import process from "node:process";
import { cutText } from "./json_line.ts";

/** The atoms, and their meanings. */
export const ATOMS: Readonly<Record<string, string>> = {
  h: "address of the client",
  l: "`-`",
  u: "user name of Basic authentication",
  t: "time the response ended, `[21/Nov/2026:04:32:22 +0000]`",
  r: "request line",
  m: "method",
  U: "path, SCRIPT_NAME and PATH_INFO",
  q: "query",
  H: "protocol",
  s: "status code; `499` when the client left before there was one",
  B: "bytes of the body that were sent",
  b: "the same, or `-` for none",
  f: "Referer",
  a: "User-Agent",
  T: "time taken, whole seconds",
  M: "time taken, milliseconds",
  D: "time taken, microseconds",
  L: "time taken, seconds with a fraction",
  p: "process id, `<4711>`",
  "{name}i": "request header field",
  "{name}o": "response header field",
  "{name}e": "environ variable",
};

/** How values from clients are escaped: as `\xhh` or, within the quotes of JSON, as `\u00hh`. */
export type Escape = "text" | "json";

/** Formats one part of a line. */
type Part = (record: AccessRecord, safe: Safe) => string;

/** Escapes a value for its place in a line; the result is `none`, by default `-`, for a missing or empty value. */
type Safe = (value: unknown, none?: string) => string;

/** Formats a line, without its end. */
export type Format = (record: AccessRecord) => string;

/** Matches an atom, a doubled percent sign, or a percent sign that begins neither. */
const PERCENT = /%\((?:([a-zA-Z])|\{([^}]+)\}([ioe]))\)s|%%|%/g;

/**
 * Compiles a format; null when it has an unknown atom, which `wrongAtom` returns.
 *
 * @param most The most bytes of a line.
 */
export function parseFormat(format: string, escape: Escape = "text", most: number = Infinity): Format | null {
  const parts: Part[] = [];
  let at = 0;
  for (const match of format.matchAll(PERCENT)) {
    if (match.index > at) parts.push(constant(format.slice(at, match.index)));
    at = match.index + match[0].length;
    const part = partOf(match);
    if (part === undefined) return null;
    parts.push(part);
  }
  if (at < format.length) parts.push(constant(format.slice(at)));
  const lineOf = (record: AccessRecord, safe: Safe): string => {
    let line = "";
    for (const part of parts) line += part(record, safe);
    return line;
  };
  const whole = safeText(escape);
  if (most === Infinity) return (record) => lineOf(record, whole);
  return (record) => {
    let line = lineOf(record, whole);
    for (const shorter of SHORTER) {
      if (line.length <= most) break;
      line = lineOf(record, safeText(escape, shorter));
    }
    return line;
  };
}

const SHORTER = [1024, 256, 64, 16]; // code units of a value, tried in this order

/** The first unknown atom of a format, as it is written there; undefined when all are known. */
export function wrongAtom(format: string): string | undefined {
  for (const match of format.matchAll(PERCENT)) {
    if (partOf(match) !== undefined) continue;
    return /^%(?:\([^)]*\)?[a-zA-Z]?|.?)/s.exec(format.slice(match.index))?.[0];
  }
  return undefined;
}

/** Makes the part for a match of `PERCENT`; undefined for an unknown atom. */
function partOf([text, letter, name, of]: RegExpMatchArray): Part | undefined {
  if (text === "%%") return constant("%");
  if (letter !== undefined) return SIMPLE[letter];
  return name === undefined ? undefined : named(name, of as string);
}

function constant(text: string): Part {
  return () => text;
}

const SIMPLE: Readonly<Record<string, Part>> = {
  h: ({ environ }, safe) => safe(environ.REMOTE_ADDR),
  l: () => "-",
  u: ({ environ }, safe) => safe(userOf(environ.HTTP_AUTHORIZATION)),
  t: () => now(),
  r: ({ environ }, safe) =>
    environ.REQUEST_METHOD === "" // the request was refused before its request line was known
      ? "-"
      : `${safe(environ.REQUEST_METHOD)} ${safe(environ.REQUEST_URI)} ${safe(environ.SERVER_PROTOCOL)}`,
  m: ({ environ }, safe) => safe(environ.REQUEST_METHOD),
  U: ({ environ }, safe) => safe(`${environ.SCRIPT_NAME ?? ""}${environ.PATH_INFO ?? ""}`),
  q: ({ environ }, safe) => safe(environ.QUERY_STRING, ""),
  H: ({ environ }, safe) => safe(environ.SERVER_PROTOCOL),
  s: ({ status }) => String(status),
  B: ({ bytes }) => String(bytes),
  b: ({ bytes }) => bytes === 0 ? "-" : String(bytes),
  f: ({ environ }, safe) => safe(environ.HTTP_REFERER),
  a: ({ environ }, safe) => safe(environ.HTTP_USER_AGENT),
  T: ({ duration }) => String(Math.floor(duration / 1000)),
  M: ({ duration }) => String(Math.floor(duration)),
  D: ({ duration }) => String(Math.round(duration * 1000)),
  L: ({ duration }) => (duration / 1000).toFixed(6),
  p: () => `<${process.pid}>`,
};

function named(name: string, of: string): Part {
  if (of === "e") return ({ environ }, safe) => safe(environ[name] ?? environ[name.toUpperCase()]);
  if (of === "o") {
    const wanted = name.toLowerCase();
    return ({ headers }, safe) => safe(headers.find(([field]) => field.toLowerCase() === wanted)?.[1]);
  }
  const upper = name.toUpperCase().replaceAll("-", "_");
  const key = upper === "CONTENT_TYPE" || upper === "CONTENT_LENGTH" ? upper : `HTTP_${upper}`;
  return ({ environ }, safe) => safe(environ[key]);
}

function safeText(escape: Escape, most = Infinity): Safe {
  const write = escape === "json" ? escapeForJson : escapeAsText;
  return (value, none = "-") => {
    if (value === undefined || value === null || value === "") return none;
    const text = cutText(typeof value === "string" ? value : String(value), most);
    return UNSAFE.test(text) ? text.replace(ALL_UNSAFE, write) : text;
  };
}

const UNSAFE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/;
const ALL_UNSAFE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g;

function escapeAsText(unit: string): string {
  const code = unit.charCodeAt(0);
  return code > 0xff ? escapeForJson(unit) : `\\x${code.toString(16).padStart(2, "0")}`;
}

function escapeForJson(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The user of Basic authentication. */
export function userOf(authorization: unknown): string | undefined {
  const basic = /^basic +(\S+)/i.exec(typeof authorization === "string" ? authorization : "");
  if (basic === null) return undefined;
  const decoded = Buffer.from(basic[1] as string, "base64").toString("latin1");
  const colon = decoded.indexOf(":");
  return colon < 0 ? undefined : decoded.slice(0, colon);
}

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
let second = 0;
let stamp = "";

/** The time in the Common Log Format, formatted at most once a second. */
function now(): string {
  const ms = Date.now();
  const this_ = Math.floor(ms / 1000);
  if (this_ === second) return stamp;
  second = this_;
  const date = new Date(ms);
  const two = (number: number): string => String(number).padStart(2, "0");
  const month = MONTHS.slice(date.getMonth() * 3, date.getMonth() * 3 + 3);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  stamp = `[${two(date.getDate())}/${month}/${date.getFullYear()}:${time} ${zone(date)}]`;
  return stamp;
}

/** The offset of the local time zone: `+0000`. */
export function zone(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  const digits = `${String(Math.floor(size / 60)).padStart(2, "0")}${String(size % 60).padStart(2, "0")}`;
  return `${minutes < 0 ? "-" : "+"}${digits}`;
}
