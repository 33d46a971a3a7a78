/**
 * The form of access log lines: text with gunicorn's atoms, compiled once into a function.
 *
 * What comes from clients cannot break a line: control characters, quotes, backslashes and what is not ASCII are written
 * as `\xhh`.
 *
 * @module
 */

import type { AccessRecord } from "../core/gateway/access.ts";
import { Buffer } from "node:buffer";
import process from "node:process";

/** The atoms, and what they stand for. */
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

/** Gives the text of one part of a line. */
type Part = (record: AccessRecord) => string;

/** Gives a line, without its end. */
export type Format = (record: AccessRecord) => string;

/** An atom, a percent sign that is written twice, or one that begins neither. */
const PERCENT = /%\((?:([a-zA-Z])|\{([^}]+)\}([ioe]))\)s|%%|%/g;

/** Compiles a format; null when an atom in it is unknown, which `wrongAtom` then names. */
export function parseFormat(format: string): Format | null {
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
  return (record) => {
    let line = "";
    for (const part of parts) line += part(record);
    return line;
  };
}

/** The first atom of a format that there is not, as it stands there; undefined where all are right. */
export function wrongAtom(format: string): string | undefined {
  for (const match of format.matchAll(PERCENT)) {
    if (partOf(match) !== undefined) continue;
    return /^%(?:\([^)]*\)?[a-zA-Z]?|.?)/s.exec(format.slice(match.index))?.[0];
  }
  return undefined;
}

/** What a match of `PERCENT` stands for; undefined for no atom. */
function partOf([text, letter, name, of]: RegExpMatchArray): Part | undefined {
  if (text === "%%") return constant("%");
  if (letter !== undefined) return SIMPLE[letter];
  return name === undefined ? undefined : named(name, of as string);
}

function constant(text: string): Part {
  return () => text;
}

const SIMPLE: Readonly<Record<string, Part>> = {
  h: ({ environ }) => safe(environ.REMOTE_ADDR),
  l: () => "-",
  u: ({ environ }) => safe(userOf(environ.HTTP_AUTHORIZATION)),
  t: () => now(),
  r: ({ environ }) => `${safe(environ.REQUEST_METHOD)} ${safe(environ.REQUEST_URI)} ${safe(environ.SERVER_PROTOCOL)}`,
  m: ({ environ }) => safe(environ.REQUEST_METHOD),
  U: ({ environ }) => safe(`${environ.SCRIPT_NAME ?? ""}${environ.PATH_INFO ?? ""}`),
  q: ({ environ }) => safe(environ.QUERY_STRING, ""),
  H: ({ environ }) => safe(environ.SERVER_PROTOCOL),
  s: ({ status }) => String(status),
  B: ({ bytes }) => String(bytes),
  b: ({ bytes }) => bytes === 0 ? "-" : String(bytes),
  f: ({ environ }) => safe(environ.HTTP_REFERER),
  a: ({ environ }) => safe(environ.HTTP_USER_AGENT),
  T: ({ duration }) => String(Math.floor(duration / 1000)),
  M: ({ duration }) => String(Math.floor(duration)),
  D: ({ duration }) => String(Math.round(duration * 1000)),
  L: ({ duration }) => (duration / 1000).toFixed(6),
  p: () => `<${process.pid}>`,
};

function named(name: string, of: string): Part {
  if (of === "e") return ({ environ }) => safe(environ[name] ?? environ[name.toUpperCase()]);
  if (of === "o") {
    const wanted = name.toLowerCase();
    return ({ headers }) => safe(headers.find(([field]) => field.toLowerCase() === wanted)?.[1]);
  }
  const upper = name.toUpperCase().replaceAll("-", "_");
  const key = upper === "CONTENT_TYPE" || upper === "CONTENT_LENGTH" ? upper : `HTTP_${upper}`;
  return ({ environ }) => safe(environ[key]);
}

/** Text that cannot break out of its place in a line; `-` for nothing. */
function safe(value: unknown, none = "-"): string {
  if (value === undefined || value === null || value === "") return none;
  const text = typeof value === "string" ? value : String(value);
  return UNSAFE.test(text) ? text.replace(ALL_UNSAFE, escape) : text;
}

const UNSAFE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/;
const ALL_UNSAFE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g;

function escape(unit: string): string {
  const code = unit.charCodeAt(0);
  return code > 0xff ? `\\u${code.toString(16).padStart(4, "0")}` : `\\x${code.toString(16).padStart(2, "0")}`;
}

function userOf(authorization: unknown): string | undefined {
  const basic = /^basic +(\S+)/i.exec(typeof authorization === "string" ? authorization : "");
  if (basic === null) return undefined;
  const decoded = Buffer.from(basic[1] as string, "base64").toString("latin1");
  const colon = decoded.indexOf(":");
  return colon < 0 ? undefined : decoded.slice(0, colon);
}

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
let second = 0;
let stamp = "";

/** The time in the form of the Common Log Format, made once a second. */
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
