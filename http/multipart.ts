/**
 * A reader of `multipart/form-data` (RFC 7578, RFC 2046 5.1) that holds no more than a block of the body at a time.
 *
 * The body is a sequence of parts between delimiter lines. The reader treats its start as if CRLF stood before it, so
 * every delimiter is `CRLF -- boundary`. It is strict: a bare LF, a part without a name, anything but white space behind
 * a delimiter, and a body without the last delimiter are errors. Names are decoded as browsers encode them, and else as
 * other clients do.
 *
 * @module
 */

import { NOT_IN_VALUE, TOKEN, trimOws } from "../core/grammar.ts";
import { joined } from "./body.ts";
import { HttpError } from "./error.ts";
import { mediaType } from "./media_type.ts";
import { utf8 } from "./query.ts";

/** Limits of a form. Beyond one of them reading rejects with a 413. */
export interface FormLimits {
  /** Most fields that are no files, inputs without a chosen file among them. Default 1000. */
  readonly fields?: number;
  /** Most bytes of such a field. Default 1 MiB. */
  readonly fieldSize?: number;
  /** Most files. Default 100. */
  readonly files?: number;
  /** Most bytes of a file. Default 16 MiB for `parseForm`, none for `formParts`. */
  readonly fileSize?: number;
  /** Most bytes of the header of a part. Default 8 KiB. */
  readonly headerSize?: number;
  /** Most bytes of the whole body. Default 32 MiB for `parseForm`, none for `formParts`. */
  readonly total?: number;
}

const CR = 0x0d;
const LF = 0x0a;
const HYPHEN = 0x2d;
const NOTHING = new Uint8Array(0);
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;

/**
 * The boundary in a Content-Type.
 *
 * @throws {HttpError} 415 for another media type, 400 for a missing or malformed boundary.
 */
export function boundaryOf(contentType: string | undefined): string {
  const media = mediaType(contentType ?? "");
  if (media?.type !== "multipart/form-data") throw new HttpError(415, "Expected a body of type multipart/form-data");
  const boundary = media.parameters.get("boundary");
  if (boundary === undefined || !BOUNDARY.test(boundary)) {
    throw malformed("expected a boundary of 1 to 70 characters in the Content-Type");
  }
  return boundary;
}

function malformed(what: string): HttpError {
  return new HttpError(400, `Malformed multipart/form-data: ${what}`);
}

/**
 * A part of a form: a field, or a file when it has a file name. Its content is an async iterable of bytes, as they
 * arrive. It can be read once, and only until the next part is asked for; what was not read is skipped.
 *
 * @example
 * ```ts
 * import { createEnviron } from "tsgi/testing";
 * import { formParts } from "tsgi/http";
 * const body = new FormData();
 * body.append("file", new File(["meow"], "cat.txt", { type: "text/plain" }));
 * for await (const part of formParts(createEnviron({ body }))) {
 *   console.assert(part.name === "file" && part.filename === "cat.txt" && await part.text() === "meow");
 * }
 * ```
 */
export class FormPart implements AsyncIterable<Uint8Array> {
  /** Name of the form's control. */
  readonly name: string;
  /** Last segment of the file name that the client gave. Undefined for a field; empty when no file was chosen. */
  readonly filename: string | undefined;
  /** Media type that the client gave: `"text/plain"` where it gave none. It says nothing about the content. */
  readonly type: string;
  readonly #blocks: () => AsyncIterator<Uint8Array, undefined>;

  /** Made by `formParts`. */
  constructor(
    name: string,
    filename: string | undefined,
    type: string,
    blocks: () => AsyncIterator<Uint8Array, undefined>,
  ) {
    this.name = name;
    this.filename = filename;
    this.type = type;
    this.#blocks = blocks;
  }

  /**
   * The content, as it arrives.
   *
   * @throws {HttpError} (as a rejection of a read) 413 beyond the limit, 400 for a malformed body.
   */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this.#blocks();
  }

  /** The content as a stream, for what takes one. */
  stream(): ReadableStream<Uint8Array> {
    const blocks = this.#blocks();
    return new ReadableStream({
      async pull(controller): Promise<void> {
        const step = await blocks.next();
        if (step.done === true) controller.close();
        else controller.enqueue(step.value);
      },
    }, { highWaterMark: 0 });
  }

  /** All of the content. It is held in memory: see `fieldSize` and `fileSize`. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const blocks: Uint8Array[] = [];
    let size = 0;
    for await (const block of this) {
      blocks.push(block);
      size += block.length;
    }
    return joined(blocks, size);
  }

  /** All of the content as text. */
  async text(): Promise<string> {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await this.bytes());
  }
}

/** Reads the parts of one body, in order. */
export class MultipartReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #needle: Uint8Array; // CRLF, two hyphens, boundary
  readonly #limits: Required<FormLimits>;
  #buffer: Uint8Array = Uint8Array.of(CR, LF); // bytes that arrived and are not used
  #total = 0;
  #fields = 0;
  #files = 0;
  #part = 0; // number of the current part
  #inPart = true; // before the delimiter that ends it; part 0 is the preamble
  #atStart = false; // of the content of a part
  #left = Infinity; // bytes that the current part may still have
  #ended = false;

  /** Reads `source`, whose parts are divided by `boundary`. */
  constructor(source: AsyncIterator<Uint8Array>, boundary: string, limits: Required<FormLimits>) {
    this.#source = source;
    this.#needle = Uint8Array.from(`\r\n--${boundary}`, (unit) => unit.charCodeAt(0));
    this.#limits = limits;
  }

  /** Skips the rest of the current part, and reads the header of the next. Undefined behind the last. */
  async next(): Promise<FormPart | undefined> {
    if (this.#ended) return undefined;
    while (await this.#block() !== undefined); // what nobody read counts toward the limits too
    if (await this.#isLast()) {
      this.#ended = true;
      do this.#buffer = NOTHING; while (await this.#fill()); // the epilogue
      return undefined;
    }
    const header = await this.#header();
    const { name, filename } = disposition(header.get("content-disposition"));
    const file = filename !== undefined;
    const { fields, fieldSize, files, fileSize } = this.#limits;
    const chosen = filename !== undefined && filename !== ""; // an input without a file has the empty name
    if (chosen ? ++this.#files > files : ++this.#fields > fields) {
      throw new HttpError(413, `Expected a form of at most ${chosen ? `${files} files` : `${fields} fields`}`);
    }
    this.#left = file ? fileSize : fieldSize;
    this.#inPart = this.#atStart = true;
    const number = ++this.#part;
    const type = header.get("content-type") || "text/plain";
    return new FormPart(name, filename, type, () => ({
      next: async () => {
        if (this.#part !== number) throw new TypeError(`The part ${JSON.stringify(name)} was skipped: read it earlier`);
        const value = await this.#block();
        return value === undefined ? { done: true, value } : { done: false, value };
      },
    }));
  }

  /** Takes a block of the current part. Undefined at its end, with the delimiter taken. */
  async #block(): Promise<Uint8Array | undefined> {
    if (this.#atStart) {
      this.#atStart = false;
      this.#inPart = !await this.#hasNoContent();
    }
    while (this.#inPart) {
      const at = indexOf(this.#buffer, this.#needle);
      if (at > 0) return this.#counted(this.#take(at));
      if (at === 0 && this.#buffer.length >= this.#needle.length) {
        this.#take(this.#needle.length);
        this.#inPart = false;
      } else if (!await this.#fill()) {
        throw malformed("the body ends before its last delimiter");
      }
    }
    return undefined;
  }

  /** Takes a delimiter right behind the header: its line break is the empty line, and the part has no content. */
  async #hasNoContent(): Promise<boolean> {
    const line = this.#needle.subarray(2);
    while (line.subarray(0, this.#buffer.length).every((octet, at) => this.#buffer[at] === octet)) {
      if (this.#buffer.length >= line.length) {
        this.#take(line.length);
        return true;
      }
      if (!await this.#fill()) return false;
    }
    return false;
  }

  #counted(block: Uint8Array): Uint8Array {
    this.#left -= block.length;
    if (this.#left < 0) throw new HttpError(413, "A part of the form is larger than its limit");
    return block;
  }

  /** Takes the rest of a delimiter line. Returns whether it is the last one. */
  async #isLast(): Promise<boolean> {
    while (this.#buffer.length < 2) {
      if (!await this.#fill()) throw malformed("the body ends in a delimiter");
    }
    if (this.#buffer[0] === HYPHEN && this.#buffer[1] === HYPHEN) return true;
    if (trimOws(await this.#line(this.#limits.headerSize)) !== "") throw malformed("text behind a delimiter");
    return false;
  }

  /** Takes the header of a part: fields by name in lower case, one code unit for each octet. */
  async #header(): Promise<ReadonlyMap<string, string>> {
    const fields = new Map<string, string>();
    let left = this.#limits.headerSize;
    for (;;) {
      const line = await this.#line(left);
      if (line === "") return fields;
      left -= line.length + 2;
      const at = line.indexOf(":");
      const name = line.slice(0, Math.max(at, 0)).toLowerCase();
      if (!TOKEN.test(name) || fields.has(name) || NOT_IN_VALUE.test(line)) {
        throw malformed("expected distinct header fields of the form Name: value");
      }
      fields.set(name, trimOws(line.slice(at + 1)));
    }
  }

  /** Takes a line of at most `most` octets, without its CRLF. */
  async #line(most: number): Promise<string> {
    for (let from = 0;;) {
      const at = this.#buffer.indexOf(CR, from);
      if ((at < 0 ? this.#buffer.length : at) > most) throw new HttpError(413, "The header of a part is too large");
      if (at >= 0 && at + 1 < this.#buffer.length) {
        if (this.#buffer[at + 1] !== LF) throw malformed("a CR without LF");
        const line = this.#take(at);
        this.#take(2);
        let text = "";
        for (let i = 0; i < line.length; i += 4096) text += String.fromCharCode(...line.subarray(i, i + 4096));
        return text;
      }
      from = at < 0 ? this.#buffer.length : at;
      if (!await this.#fill()) throw malformed("the body ends in the header of a part");
    }
  }

  #take(count: number): Uint8Array {
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return taken;
  }

  /** Adds a block of the source. Returns false at its end. */
  async #fill(): Promise<boolean> {
    const step = await this.#source.next();
    if (step.done === true) return false;
    this.#total += step.value.length;
    if (this.#total > this.#limits.total) {
      throw new HttpError(413, `Expected a form of at most ${this.#limits.total} bytes`);
    }
    const size = this.#buffer.length + step.value.length;
    this.#buffer = this.#buffer.length === 0 ? step.value : joined([this.#buffer, step.value], size);
    return true;
  }
}

/** The first index where all of `needle` stands, or the part of it that fits. The length of `bytes` where none does. */
function indexOf(bytes: Uint8Array, needle: Uint8Array): number {
  for (let at = bytes.indexOf(CR); at >= 0; at = bytes.indexOf(CR, at + 1)) {
    const end = Math.min(needle.length, bytes.length - at);
    let same = 1;
    while (same < end && bytes[at + same] === needle[same]) same++;
    if (same === end) return at;
  }
  return bytes.length;
}

/**
 * One parameter of a Content-Disposition at the start of a text, whose text in quotation marks is as browsers write it: a
 * backslash is a backslash. Empty parameters are allowed.
 */
const HTML_PARAMETER = parameterPattern('[^"]*');
/** The same with quoted pairs, which other clients write: `\"` is a quotation mark (RFC 2183). */
const MIME_PARAMETER = parameterPattern('(?:[^"\\\\]|\\\\.)*');

function parameterPattern(quoted: string): RegExp {
  const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
  return new RegExp(`^[ \\t]*;[ \\t]*(?:(${token})=(?:"(${quoted})"|(${token})))?`, "s");
}

/** The value of `filename*`: UTF-8, percent-encoded (RFC 8187), without control characters. */
const EXTENDED = /^utf-8'[^']*'((?:[!#$&+\-.^_`|~0-9a-z]|%(?![01]|7f)[0-9a-f]{2})*)$/i;

/**
 * The names in a Content-Disposition. `filename*` does not belong into a form (RFC 7578 4.2), but clients send it, some
 * with an unreadable `filename` beside it: it counts where it is well-formed, as in RFC 6266 4.3.
 */
function disposition(value: string | undefined): { name: string; filename: string | undefined } {
  const rest = /^form-data(?=[ \t;]|$)/i.test(value ?? "") ? (value as string).slice("form-data".length) : undefined;
  // The reading of browsers goes first: a name that ends in a backslash looks like a quoted pair.
  const names = rest === undefined ? undefined : parameters(rest, HTML_PARAMETER, htmlDecoded) ??
    parameters(rest, MIME_PARAMETER, (quoted) => utf8(quoted.replace(/\\(["\\])/g, "$1")));
  const name = names?.get("name");
  if (name === undefined) {
    throw malformed('expected Content-Disposition: form-data; name="..." in each part');
  }
  const filename = extended(names?.get("filename*")) ?? names?.get("filename");
  return { name, filename: filename?.replace(/^.*[/\\]/s, "") };
}

/** Parameters by name in lower case; undefined where the text has anything else. */
function parameters(
  text: string,
  pattern: RegExp,
  decoded: (quoted: string) => string,
): ReadonlyMap<string, string> | undefined {
  const names = new Map<string, string>();
  let rest = text;
  for (let match = pattern.exec(rest); match !== null; match = pattern.exec(rest)) {
    const [whole, key, quoted, token] = match as unknown as [string, ...(string | undefined)[]];
    rest = rest.slice(whole.length);
    if (key === undefined) continue;
    if (names.has(key.toLowerCase())) throw malformed(`${key} is given twice in a Content-Disposition`);
    names.set(key.toLowerCase(), quoted === undefined ? token as string : decoded(quoted));
  }
  return trimOws(rest) === "" ? names : undefined;
}

function extended(value: string | undefined): string | undefined {
  const encoded = EXTENDED.exec(value ?? "")?.[1];
  return encoded === undefined
    ? undefined
    : utf8(encoded.replace(/%(..)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16))));
}

const ESCAPED: Readonly<Record<string, string>> = { "%0a": "\n", "%0d": "\r", "%22": '"' };

/** Undoes the encoding of names in HTML's "multipart/form-data": UTF-8, and three characters that have escapes. */
function htmlDecoded(octets: string): string {
  return utf8(octets).replace(/%0a|%0d|%22/gi, (escape) => ESCAPED[escape.toLowerCase()] as string);
}
