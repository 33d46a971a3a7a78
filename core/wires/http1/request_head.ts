/**
 * A request head, built line by line, and the framing of the body that follows it.
 *
 * The parser adds lines without their CRLF, and each line is checked at once. `settle` decides what needs the whole head:
 * whether Host is there, how the body is framed, and whether the connection persists. The rules against request smuggling
 * (RFC 9112 11.2), by which two parties see different messages in the same bytes, are in this file, `fields.ts`,
 * `head_parser.ts` and `chunked_decoder.ts`.
 *
 * @module
 */

import { addField, type EnvironTemplate, requestEnviron, type RequestLine } from "../../contract/environ.ts";
import type { Environ } from "../../contract/types.ts";
import { DIGITS, listMembers, TOKEN } from "../../grammar.ts";
import { fieldColon, type FieldKind, fieldName, fieldValue } from "./fields.ts";
import { BAD_REQUEST, CONTENT_TOO_LARGE, EXPECTATION_FAILED, FIELDS_TOO_LARGE } from "../../refusal.ts";
import { NOT_IMPLEMENTED, Refusal, URI_TOO_LONG, VERSION_NOT_SUPPORTED } from "../../refusal.ts";
import { checkHost, parseTarget, type Target } from "./target.ts";

/** How to treat fields with an underscore in their name: drop them, answer 400, or map them like names with a dash. */
export type HeaderMap = "drop" | "refuse" | "dangerous";

/** Limits for requests, in octets except `limitRequestFields`. */
export interface RequestLimits {
  /** Length of the request line. */
  readonly limitRequestLine: number;
  /** Number of field lines, trailers included. */
  readonly limitRequestFields: number;
  /** Length of a field line. */
  readonly limitRequestFieldSize: number;
  /** Length of a body; Infinity for none. */
  readonly limitRequestBody: number;
  /** How to treat fields with an underscore in their name. */
  readonly headerMap: HeaderMap;
}

/** What the parsers of heads and trailers need: limits, and the host's decoder. */
export interface HeadConfig extends RequestLimits {
  /** Decodes `bytes[start, end)` as latin-1. */
  latin1(bytes: Uint8Array, start: number, end: number): string;
}

// deno-lint-ignore no-control-regex
const TARGET = /^[^\x00-\x20\x7f#]+$/;
const HTTP11 = " HTTP/1.1";
const VERSION = /^ (HTTP\/([0-9])\.([0-9]))$/;

/** One request head. */
export class RequestHead implements RequestLine {
  method = "";
  target = "";
  path = "";
  query = "";
  protocol = "";
  /** Whether the client speaks HTTP/1.1 (or a later 1.x), not HTTP/1.0. */
  http11 = false;
  /** Environ keys and values, alternating. */
  fields: string[] = [];
  /** True if it is known that no key is in `fields` twice. */
  distinct = false;
  /** Number of field lines so far. */
  fieldCount = 0;
  /** Declared length of the body; 0 when nothing is declared. */
  contentLength = 0;
  /** Whether the body is chunked. */
  chunked = false;
  /** Whether the client allows the connection to persist. */
  keepAlive = false;
  /** Whether the client waits for 100 Continue before it sends the body. */
  expectsContinue = false;
  /** Whether the client offers to change to another protocol. */
  upgrade = false;

  #authority: string | null = null;
  #host: string | null = null;
  #length: string | null = null;
  #codings: string | null = null;
  #connection = "";
  #hasUpgrade = false;
  #hasType = false;

  /**
   * Takes the request line `text[start, end)` (RFC 9112 3): method, target and version, with a space between them.
   *
   * @throws {Refusal} 400 for a malformed one, 505 for another major version, 501 for CONNECT.
   */
  requestLine(text: string, start: number, end: number): void {
    const space = text.indexOf(" ", start);
    const last = end - HTTP11.length; // the space before the version
    const method = text.slice(start, space);
    const target = text.slice(space + 1, last);
    const formed = space < last && (method === "GET" || TOKEN.test(method)) && TARGET.test(target);
    if (!formed) throw badRequestLine(text.slice(start, end));
    this.method = method; // set before the other checks, so that the log of a refused request has it
    this.target = target;
    this.#takeVersion(text, last, end);
    const { path, query, authority }: Target = parseTarget(method, target);
    this.path = path;
    this.query = query;
    this.#authority = authority;
  }

  #takeVersion(text: string, start: number, end: number): void {
    const version = text.slice(start, end);
    if (version === HTTP11) {
      this.protocol = "HTTP/1.1";
      this.http11 = true;
      return;
    }
    const [, protocol, major, minor] = VERSION.exec(version) ?? [];
    if (protocol === undefined) throw badRequestLine(version);
    this.protocol = protocol;
    if (major !== "1") throw new Refusal(VERSION_NOT_SUPPORTED, "only HTTP/1.x is spoken here");
    this.http11 = minor !== "0";
  }

  /**
   * Takes the field line `text[start, end)` (RFC 9112 5).
   *
   * @throws {Refusal} 400 for a malformed, repeated or refused one, 417 for another expectation, 431 for too many.
   */
  fieldLine(text: string, start: number, end: number, limits: RequestLimits): void {
    if (++this.fieldCount > limits.limitRequestFields) {
      throw new Refusal(FIELDS_TOO_LARGE, `more than ${limits.limitRequestFields} header fields`);
    }
    const colon = fieldColon(text, start, end);
    const name = fieldName(text.slice(start, colon));
    const value = fieldValue(text, colon, end);
    if (name.kind !== "plain" && !this.#special(name.kind, value, limits)) return;
    if (name.key !== null) this.fields.push(name.key, value);
  }

  /** Processes a field that has a meaning for the server. Returns false if the field does not enter `fields`. */
  #special(kind: FieldKind, value: string, limits: RequestLimits): boolean {
    switch (kind) {
      case "host":
        if (this.#host !== null) throw new Refusal(BAD_REQUEST, "Host is given twice");
        checkHost(value);
        this.#host = value;
        return true;
      case "content-length":
        if (this.#length !== null) throw new Refusal(BAD_REQUEST, "Content-Length is given twice");
        this.#length = value;
        return false;
      case "transfer-encoding":
        this.#codings = this.#codings === null ? value : `${this.#codings},${value}`;
        return false;
      case "connection":
        this.#connection += `,${value}`;
        return true;
      case "expect":
        if (value.toLowerCase() === "100-continue") this.expectsContinue = true;
        else if (this.http11) throw new Refusal(EXPECTATION_FAILED, "the only known expectation is 100-continue");
        return true;
      case "content-type":
        if (this.#hasType) throw new Refusal(BAD_REQUEST, "Content-Type is given twice");
        this.#hasType = true;
        return true;
      case "upgrade":
        this.#hasUpgrade = true;
        return true;
      default: // "underscore"
        if (limits.headerMap === "refuse") throw new Refusal(BAD_REQUEST, "a field name holds an underscore");
        return limits.headerMap === "dangerous";
    }
  }

  /**
   * Decides the framing of the body and whether the connection persists, after the whole head (RFC 9112 6.3 and 9.3).
   *
   * @throws {Refusal} 400 for a missing Host or an ambiguous framing, 413 for a body that is too long, 501 for a
   * transfer coding other than chunked.
   */
  settle(limits: RequestLimits): void {
    if (this.#host === null && this.http11) throw new Refusal(BAD_REQUEST, "HTTP/1.1 without Host");
    this.#settleConnection();
    if (this.#codings !== null) this.#settleCodings(this.#codings);
    else if (this.#length !== null) this.#settleLength(this.#length, limits);
    const hasBody = this.chunked || this.contentLength > 0;
    if (!hasBody || !this.http11) this.expectsContinue = false;
    if (hasBody) this.upgrade = false;
  }

  /** Copies the decisions from a settled head of the same version, with the same fields that affect the framing. */
  settleLike(other: RequestHead, fields: string[]): void {
    this.fields = fields; // shared, since neither head adds to them any more
    this.distinct = other.distinct;
    this.fieldCount = other.fieldCount;
    this.chunked = other.chunked;
    this.keepAlive = other.keepAlive;
    this.expectsContinue = other.expectsContinue;
    this.upgrade = other.upgrade;
    if (this.#length !== null) return;
    this.contentLength = other.contentLength;
    this.#length = other.#length;
  }

  /**
   * Sets a Content-Length that differs from that of the otherwise similar head `other`. Returns false if one of the two
   * has no body, since then more than the length may differ.
   *
   * @throws {Refusal} as `settle` does.
   */
  takeLength(length: string, other: RequestHead, limits: RequestLimits): boolean {
    this.#settleLength(length, limits);
    if (this.contentLength > 0 && other.contentLength > 0) return true;
    this.#length = null; // the full parser starts again
    this.contentLength = 0;
    return false;
  }

  #settleConnection(): void {
    const options = this.#connection === "" ? [] : listMembers(this.#connection.toLowerCase());
    this.keepAlive = !options.includes("close") && (this.http11 || options.includes("keep-alive"));
    this.upgrade = this.http11 && this.#hasUpgrade && options.includes("upgrade");
  }

  #settleCodings(codings: string): void {
    if (!this.http11) throw new Refusal(BAD_REQUEST, "Transfer-Encoding in HTTP/1.0");
    if (this.#length !== null) throw new Refusal(BAD_REQUEST, "Transfer-Encoding and Content-Length in one message");
    const names = listMembers(codings.toLowerCase());
    if (names.indexOf("chunked") !== names.length - 1) {
      throw new Refusal(BAD_REQUEST, "chunked is not the last transfer coding, or not the only chunked");
    }
    if (names.includes("")) throw new Refusal(BAD_REQUEST, "Transfer-Encoding has an empty member");
    if (names.length > 1) throw new Refusal(NOT_IMPLEMENTED, "the only transfer coding served is chunked");
    this.chunked = true;
  }

  #settleLength(length: string, limits: RequestLimits): void {
    if (!DIGITS.test(length)) throw new Refusal(BAD_REQUEST, "Content-Length is not a decimal number");
    this.contentLength = Number(length);
    if (!Number.isSafeInteger(this.contentLength) || this.contentLength > limits.limitRequestBody) {
      throw new Refusal(CONTENT_TOO_LARGE, `Content-Length ${length.slice(0, 40)} is above the limit`);
    }
    this.#length = String(this.contentLength);
  }

  /** The environ of this request. */
  environ(template: EnvironTemplate, scriptName: string): Environ {
    const environ = requestEnviron(template, this, scriptName);
    const fields = this.fields;
    if (this.distinct) { for (let i = 0; i < fields.length; i += 2) environ[fields[i] as string] = fields[i + 1]; }
    else for (let i = 0; i < fields.length; i += 2) addField(environ, fields[i] as string, fields[i + 1] as string);
    if (this.#length !== null) environ.CONTENT_LENGTH = this.#length;
    if (this.#authority !== null) environ.HTTP_HOST = this.#authority;
    return environ;
  }
}

/** A request line or field line longer than its limit. */
export function tooLong(isRequestLine: boolean): Refusal {
  return isRequestLine
    ? new Refusal(URI_TOO_LONG, "the request line is too long")
    : new Refusal(FIELDS_TOO_LARGE, "a header field is too long");
}

function badRequestLine(line: string): Refusal {
  const version = /^[^ ]+ [^ ]+ HTTP\/[0-9]\.[0-9]$/.test(line);
  return new Refusal(BAD_REQUEST, version ? "the method or the target is malformed" : "the request line is malformed");
}
