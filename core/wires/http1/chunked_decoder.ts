/**
 * Decodes a chunked message body (RFC 9112 7.1).
 *
 * @module
 */

import { BodyTooLargeError, InputError, MalformedBodyError, type RequestBody } from "../../contract/request_body.ts";
import type { BodyDecoder } from "../../lifecycle/body_decoder.ts";
import { fieldColon, fieldName, fieldValue } from "./fields.ts";
import { FIELDS_TOO_LARGE, Refusal } from "../../refusal.ts";
import type { HeadConfig } from "./request_head.ts";

const TCHAR = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]";
const TOKEN = `${TCHAR}+(?!${TCHAR})`; // whole tokens only: no backtracking into one
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t \\x21-\\x7e\\x80-\\xff])*"';
const EXTENSION = `[\\t ]*;[\\t ]*${TOKEN}(?:[\\t ]*=[\\t ]*(?:${TOKEN}|${QUOTED}))?`;
const CHUNK_LINE = new RegExp(`^([0-9A-Fa-f]+)((?:${EXTENSION})*)$`);
const EXTENSIONS_LIMIT = 16384; // octets of chunk extensions in one body: parsing them is of no use to any application
const CHUNK_LINE_LIMIT = EXTENSIONS_LIMIT + 64; // including the size, of which the grammar allows any leading zeros
const SIZE_DIGITS = 13; // sizes below 2^52: the sum of any two is still exact

const PLAIN_DIGITS = 7; // of a size that is read without making text of its line
const LF = 0x0a;
const CR = 0x0d;
const ZERO = 0x30;

/** The next part of a chunked body. */
const SIZE = 0;
const DATA = 1;
const DATA_CR = 2;
const DATA_LF = 3;
const TRAILERS = 4;
const END = 5;

/** A chunked body (RFC 9112 7.1). It checks extensions and trailers, and drops them. */
export class ChunkedDecoder implements BodyDecoder {
  readonly endsWithInput = false;
  readonly #config: HeadConfig;
  #state: number = SIZE;
  #partial = "";
  #remaining = 0; // of the current chunk
  #total = 0;
  #extensions = 0;
  #fieldCount: number;

  /** A chunked body behind a head with `fieldCount` field lines. */
  constructor(config: HeadConfig, fieldCount: number) {
    this.#config = config;
    this.#fieldCount = fieldCount;
  }

  get expected(): number | null {
    return this.#state === END ? 0 : null;
  }

  decode(bytes: Uint8Array, start: number, end: number, sink: RequestBody): number {
    let at = start;
    while (at < end && this.#state !== END) {
      switch (this.#state) {
        case DATA: {
          const stop = Math.min(end, at + this.#remaining);
          sink.push(bytes, at, stop);
          this.#remaining -= stop - at;
          at = stop;
          if (this.#remaining === 0) this.#state = DATA_CR;
          break;
        }
        case DATA_CR:
          if (bytes[at++] !== CR) throw new MalformedBodyError("Chunk data is not followed by CRLF");
          this.#state = DATA_LF;
          break;
        case DATA_LF:
          if (bytes[at++] !== LF) throw new MalformedBodyError("Chunk data is not followed by CRLF");
          this.#state = SIZE;
          break;
        default:
          at = this.#takeSize(bytes, at, end) || this.#takeLine(bytes, at, end);
      }
    }
    return at;
  }

  /**
   * Reads a line that is a size of a few digits and nothing else, as almost all are. Returns 0 for any other line, and
   * for one of which a part has arrived. No text is made of it: a body of very small chunks would cost too much.
   */
  #takeSize(bytes: Uint8Array, start: number, end: number): number {
    if (this.#state !== SIZE || this.#partial !== "") return 0;
    let at = start;
    let size = 0;
    for (const stop = Math.min(end, start + PLAIN_DIGITS); at < stop; at++) {
      const digit = hexDigit(bytes[at] as number);
      if (digit < 0) break;
      size = size * 16 + digit;
    }
    const zeros = bytes[start] === ZERO && at > start + 1; // leading zeros are counted
    if (at === start || zeros || at + 2 > end || bytes[at] !== CR || bytes[at + 1] !== LF) return 0;
    this.#begin(size);
    return at + 2;
  }

  /** Reads a chunk-size line or a trailer line, or the part of it that has arrived. */
  #takeLine(bytes: Uint8Array, start: number, end: number): number {
    const limit = this.#state === SIZE ? CHUNK_LINE_LIMIT : this.#config.limitRequestFieldSize;
    // Nothing past the limit is searched, since a longer line is refused anyway.
    const stop = Math.min(end, start + limit + 2 - this.#partial.length);
    const lf = bytes.subarray(start, stop).indexOf(LF);
    const next = lf < 0 ? stop : start + lf + 1;
    const text = this.#partial + this.#config.latin1(bytes, start, next);
    if (lf < 0) {
      if (text.length >= limit + 2) throw this.#tooLong();
      this.#partial = text;
      return next;
    }
    if (text.charCodeAt(text.length - 2) !== CR) throw new MalformedBodyError("A chunk line ends with a bare LF");
    this.#partial = "";
    const line = text.slice(0, -2);
    if (this.#state === SIZE) this.#sizeLine(line);
    else if (line === "") this.#state = END;
    else this.#trailerLine(line);
    return next;
  }

  #sizeLine(line: string): void {
    const parts = CHUNK_LINE.exec(line);
    if (parts === null) throw new MalformedBodyError("A chunk-size line is malformed");
    const digits = (parts[1] as string).replace(/^0+/, "");
    this.#extensions += line.length - Math.max(1, digits.length); // leading zeros of the size count too
    if (this.#extensions > EXTENSIONS_LIMIT) {
      throw new BodyTooLargeError(`Chunk extensions of more than ${EXTENSIONS_LIMIT} bytes`);
    }
    if (digits.length > SIZE_DIGITS) throw new BodyTooLargeError("A chunk is longer than can be counted");
    this.#begin(digits === "" ? 0 : parseInt(digits, 16));
  }

  /** Expects the data of a chunk, or the trailers behind the last chunk. */
  #begin(size: number): void {
    this.#total += size;
    if (this.#total > this.#config.limitRequestBody) {
      throw new BodyTooLargeError(`The body is longer than limitRequestBody, ${this.#config.limitRequestBody} bytes`);
    }
    this.#remaining = size;
    this.#state = size === 0 ? TRAILERS : DATA;
  }

  /** Checks a trailer by the rules for header fields (RFC 9112 7.1.2), and drops it. */
  #trailerLine(line: string): void {
    if (++this.#fieldCount > this.#config.limitRequestFields) {
      throw new TrailersTooLargeError(`More than ${this.#config.limitRequestFields} header and trailer fields`);
    }
    try {
      const colon = fieldColon(line, 0, line.length);
      fieldName(line.slice(0, colon));
      fieldValue(line, colon, line.length);
    } catch (error) {
      throw error instanceof Refusal ? new MalformedBodyError(`In the trailers, ${error.message}`) : error;
    }
  }

  #tooLong(): Error {
    if (this.#state === SIZE) {
      return new BodyTooLargeError(`A chunk-size line is longer than ${CHUNK_LINE_LIMIT} bytes`);
    }
    return new TrailersTooLargeError(`A trailer is longer than ${this.#config.limitRequestFieldSize} bytes`);
  }
}

/** The value of a hexadecimal digit; -1 for any other octet. */
function hexDigit(octet: number): number {
  if (octet >= ZERO && octet <= 0x39) return octet - ZERO;
  const letter = octet | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** The trailers exceed the limits for header fields. */
class TrailersTooLargeError extends InputError {
  /** Name of the class. */
  override readonly name = "TrailersTooLargeError";
  /** What the client gets: see {@linkcode InputError.status}. */
  override readonly status = FIELDS_TOO_LARGE;
}
