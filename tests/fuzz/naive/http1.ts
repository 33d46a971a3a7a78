/**
 * A deliberately simple reader of HTTP/1.1 requests, which has all bytes at once and shares no code with core. What a
 * connection makes of the same bytes must agree.
 *
 * @module
 */

import { isIPv6 } from "node:net";

/** The limits of the reader. */
export interface Limits {
  readonly limitRequestLine: number;
  readonly limitRequestFields: number;
  readonly limitRequestFieldSize: number;
  readonly limitRequestBody: number;
  readonly headerMap: "drop" | "refuse" | "dangerous";
}

/** A request. */
export interface NaiveRequest {
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly query: string;
  readonly version: string;
  /** HTTP_*, CONTENT_TYPE and CONTENT_LENGTH. */
  readonly fields: Readonly<Record<string, string>>;
  readonly keepAlive: boolean;
  /** Whether no body is stated, not even an empty one. */
  readonly bodyless: boolean;
  /** The body, or the name of the error that reading it throws. */
  readonly body: string;
}

/** The verdict on a stream that has ended. */
export interface NaiveVerdict {
  readonly requests: readonly NaiveRequest[];
  /** The status with which the server refuses what follows the requests; 0 if it does not. */
  readonly refused: number;
}

const TCHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ERRORS = ["MalformedBodyError", "BodyTooLargeError", "TrailersTooLargeError", "TruncatedBodyError"];

class Refused extends Error {
  readonly status: number;
  constructor(status = 400) {
    super();
    this.status = status;
  }
}
class Incomplete extends Error {}

/** The verdict on latin-1 text. */
export function naiveHttp1(text: string, limits: Limits): NaiveVerdict {
  const requests: NaiveRequest[] = [];
  let at = 0;
  try {
    for (;;) {
      const { request, end } = requestAt(text, at, limits);
      requests.push(request);
      at = end;
      if (!request.keepAlive || ERRORS.includes(request.body)) return { requests, refused: 0 };
    }
  } catch (error) {
    if (error instanceof Incomplete) return { requests, refused: 0 };
    if (error instanceof Refused) return { requests, refused: error.status };
    throw error;
  }
}

function requestAt(text: string, start: number, limits: Limits): { request: NaiveRequest; end: number } {
  let at = start;
  for (let empty = 0;; empty++) {
    if (at === text.length) throw new Incomplete();
    if (text[at] !== "\r" && !isToken(text[at] as string)) throw new Refused();
    const line = lineAt(text, at, limits.limitRequestLine, 414);
    if (line !== "") break;
    if (empty === 8) throw new Refused();
    at += 2;
  }
  const line = lineAt(text, at, limits.limitRequestLine, 414);
  const head = requestLine(line);
  at += line.length + 2;
  const fields: [name: string, value: string][] = [];
  for (;;) {
    const field = lineAt(text, at, limits.limitRequestFieldSize, 431);
    at += field.length + 2;
    if (field === "") break;
    if (fields.length === limits.limitRequestFields) throw new Refused(431);
    fields.push(fieldOf(field));
    if (fields.at(-1)?.[0].includes("_")) {
      if (limits.headerMap === "refuse") throw new Refused();
      continue;
    }
    checkField(fields, head.version >= "1.1");
  }
  const seen = fields.filter(([name]) => !name.includes("_"));
  const framing = framingOf(seen, head.version, limits);
  const body = framing.chunked
    ? chunkedBody(text, at, fields.length, limits)
    : countedBody(text, at, framing.length ?? 0);
  const options = valuesOf(seen, "connection").join(",").toLowerCase().split(",").map(trimmed);
  const keepAlive = !options.includes("close") && (head.version >= "1.1" || options.includes("keep-alive"));
  const { method, target, path, query, authority, version } = head;
  const environ = environOf(limits.headerMap === "dangerous" ? fields : seen, framing.length);
  if (authority !== null) environ.HTTP_HOST = authority;
  const request = { method, target, path, query, version: `HTTP/${version}`, fields: environ, keepAlive };
  const bodyless = !framing.chunked && framing.length === null;
  return { request: { ...request, bodyless, body: body.text }, end: body.end };
}

/** The line at an index, without its CRLF. */
function lineAt(text: string, at: number, limit: number, tooLong: number): string {
  const lf = text.indexOf("\n", at);
  const line = text.slice(at, lf < 0 ? text.length : lf);
  const bare = line.endsWith("\r") ? line.slice(0, -1) : line;
  if (bare.length > limit) throw new Refused(tooLong);
  if (lf < 0) throw new Incomplete();
  if (bare === line) throw new Refused();
  return bare;
}

interface Line {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly path: string;
  readonly query: string;
  readonly authority: string | null;
}

function requestLine(line: string): Line {
  const words = line.split(" ");
  const [method = "", target = "", protocol = ""] = words;
  if (words.length !== 3 || !isToken(method) || target === "") throw new Refused();
  for (const char of target) if (char <= " " || char === "\x7f" || char === "#") throw new Refused();
  if (!/^HTTP\/[0-9]\.[0-9]$/.test(protocol)) throw new Refused();
  const version = protocol.slice(5);
  if (!version.startsWith("1")) throw new Refused(505);
  if (method === "CONNECT") throw new Refused(isHost(target) && /:[0-9]+$/.test(target) ? 501 : 400);
  if (target === "*" && method === "OPTIONS") {
    return { method, target, version, path: "/", query: "", authority: null };
  }
  let rest = target;
  let authority: string | null = null;
  if (!target.startsWith("/")) {
    const scheme = /^https?:\/\//i.exec(target)?.[0];
    if (scheme === undefined) throw new Refused();
    const behind = target.slice(scheme.length);
    const end = behind.search(/[/?]/);
    authority = end < 0 ? behind : behind.slice(0, end);
    rest = end < 0 ? "/" : behind.slice(end);
    if (rest.startsWith("?")) rest = `/${rest}`;
    if (!isHost(authority) || authority === "" || authority.startsWith(":")) throw new Refused();
  }
  const [path = "", ...query] = rest.split("?");
  return { method, target, version, path: decoded(path), query: query.join("?"), authority };
}

function decoded(path: string): string {
  let result = "";
  for (let at = 0; at < path.length; at++) {
    const hex = path.slice(at + 1, at + 3);
    if (path[at] === "%" && hex.length === 2 && isHex(hex)) {
      result += String.fromCharCode(Number(`0x${hex}`));
      at += 2;
    } else result += path[at];
  }
  return result;
}

function isHost(text: string): boolean {
  let host = text;
  const port = /:[0-9]*$/.exec(text);
  if (port !== null && (text.startsWith("[") ? text.includes("]:") : true)) host = text.slice(0, port.index);
  if (host.startsWith("[")) {
    if (!host.endsWith("]")) return false;
    const literal = host.slice(1, -1);
    return (isIPv6(literal) && !literal.includes("%")) || /^v[0-9a-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+$/i.test(literal);
  }
  for (let at = 0; at < host.length; at++) {
    if (host[at] === "%") {
      if (at + 2 >= host.length || !isHex(host.slice(at + 1, at + 3))) return false;
      at += 2;
    } else if (!/[A-Za-z0-9]/.test(host[at] as string) && !"-._~!$&'()*+,;=".includes(host[at] as string)) return false;
  }
  return true;
}

function fieldOf(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colon));
  const value = trimmed(line.slice(colon + 1));
  if (!isToken(name) || !isValue(value)) throw new Refused();
  return [name, value];
}

/** Checks the last field as soon as it is complete, as a server must that answers early. */
function checkField(fields: readonly (readonly [string, string])[], http11: boolean): void {
  const [last, value] = fields.at(-1) as readonly [string, string];
  const name = last.toLowerCase();
  if (["host", "content-length", "content-type"].includes(name) && valuesOf(fields, name).length > 1) {
    throw new Refused();
  }
  if (name === "host" && !isHost(value)) throw new Refused();
  if (name === "expect" && http11 && value.toLowerCase() !== "100-continue") throw new Refused(417);
}

function framingOf(
  fields: readonly (readonly [string, string])[],
  version: string,
  limits: Limits,
): { chunked: boolean; length: number | null } {
  if (version >= "1.1" && valuesOf(fields, "host").length === 0) throw new Refused();
  const codings = valuesOf(fields, "transfer-encoding");
  const [length] = valuesOf(fields, "content-length");
  if (codings.length > 0) {
    if (version < "1.1" || length !== undefined) throw new Refused();
    const names = codings.join(",").toLowerCase().split(",").map(trimmed);
    const ordered = names.filter((name) => name === "chunked").length === 1 && names.at(-1) === "chunked";
    if (names.length > 1 || !ordered) throw new Refused(ordered && !names.includes("") ? 501 : 400);
    return { chunked: true, length: null };
  }
  if (length === undefined) return { chunked: false, length: null };
  if (length === "" || [...length].some((digit) => digit < "0" || digit > "9")) throw new Refused();
  if (BigInt(length) > BigInt(limits.limitRequestBody)) throw new Refused(413);
  return { chunked: false, length: Number(length) };
}

function valuesOf(fields: readonly (readonly [string, string])[], wanted: string): string[] {
  return fields.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
}

const NEVER = ["HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_TYPE"];

function environOf(fields: readonly (readonly [string, string])[], length: number | null): Record<string, string> {
  const environ: Record<string, string> = {};
  for (const [name, value] of fields) {
    const lower = name.toLowerCase();
    const key = lower === "content-type" ? "CONTENT_TYPE" : `HTTP_${lower.replaceAll("-", "_").toUpperCase()}`;
    if (NEVER.includes(key)) continue;
    const before = environ[key];
    environ[key] = before === undefined ? value : `${before}${lower === "cookie" ? "; " : ","}${value}`;
  }
  if (length !== null) environ.CONTENT_LENGTH = String(length);
  return environ;
}

interface Body {
  readonly text: string;
  readonly end: number;
}

function countedBody(text: string, at: number, length: number): Body {
  const end = at + length;
  return end > text.length ? { text: "TruncatedBodyError", end: text.length } : { text: text.slice(at, end), end };
}

const EXTENSION = /^[ \t]*;[ \t]*([^ \t=;"]+)(?:[ \t]*=[ \t]*(?:([^ \t=;"]+)|"((?:[^"\\]|\\.)*)"))?/s;

/** A chunked body behind a head with `fieldCount` fields. */
export function chunkedBody(text: string, start: number, fieldCount: number, limits: Limits): Body {
  let body = "";
  let extensions = 0;
  let total = 0;
  let at = start;
  const broken = (name: string): Body => ({ text: name, end: text.length });
  const line = (limit: number, tooLong: string): string => {
    const lf = text.indexOf("\n", at);
    const whole = text.slice(at, lf < 0 ? text.length : lf + 1);
    if (whole.length > limit + 2 || (lf < 0 && whole.length >= limit + 2)) throw new Error(tooLong);
    if (lf < 0) throw new Error("TruncatedBodyError");
    if (!whole.endsWith("\r\n")) throw new Error("MalformedBodyError");
    at = lf + 1;
    return whole.slice(0, -2);
  };
  try {
    for (;;) {
      const sizeLine = line(16384 + 64, "BodyTooLargeError");
      const digits = /^[0-9A-Fa-f]*/.exec(sizeLine)?.[0] ?? "";
      if (digits === "" || !areExtensions(sizeLine.slice(digits.length))) return broken("MalformedBodyError");
      const size = BigInt(`0x${digits}`);
      extensions += sizeLine.length - size.toString(16).length;
      if (extensions > 16384) return broken("BodyTooLargeError");
      if (size.toString(16).length > 13 || total + Number(size) > limits.limitRequestBody) {
        return broken("BodyTooLargeError");
      }
      total += Number(size);
      if (size === 0n) break;
      const data = text.slice(at, at + Number(size));
      at += data.length;
      if (data.length < Number(size)) return broken("TruncatedBodyError");
      body += data;
      const end = text.slice(at, at + 2);
      if (!"\r\n".startsWith(end)) return broken("MalformedBodyError");
      if (end !== "\r\n") return broken("TruncatedBodyError");
      at += 2;
    }
    for (let count = fieldCount;;) {
      const trailer = line(limits.limitRequestFieldSize, "TrailersTooLargeError");
      if (trailer === "") return { text: body, end: at };
      if (++count > limits.limitRequestFields) return broken("TrailersTooLargeError");
      try {
        fieldOf(trailer);
      } catch {
        return broken("MalformedBodyError");
      }
    }
  } catch (error) {
    return broken((error as Error).message);
  }
}

function areExtensions(text: string): boolean {
  for (let rest = text; rest !== "";) {
    const [whole, name = "", token, quoted] = EXTENSION.exec(rest) ?? [];
    if (whole === undefined || !isToken(name) || (token !== undefined && !isToken(token))) return false;
    if (quoted !== undefined && !isValue(quoted)) return false;
    rest = rest.slice(whole.length);
  }
  return true;
}

function isToken(text: string): boolean {
  for (const char of text) if (!TCHARS.includes(char)) return false;
  return text !== "";
}

function isHex(text: string): boolean {
  return [...text].every((char) => "0123456789abcdefABCDEF".includes(char));
}

function isValue(text: string): boolean {
  return [...text].every((char) => char === "\t" || (char >= " " && char !== "\x7f"));
}

function trimmed(text: string): string {
  return text.replace(/^[ \t]+/, "").replace(/[ \t]+$/, "");
}
