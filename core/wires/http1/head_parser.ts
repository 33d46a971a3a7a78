/**
 * Parses bytes into request heads.
 *
 * The parser decodes bytes as latin-1, splits them into lines at CRLF, and adds each line to the current head. It keeps
 * only an incomplete line, as text. So the limits bound its memory, and any split of the bytes gives the same heads and
 * the same refusals. A bare LF and a bare CR are both refused.
 *
 * The limits of one field and of the number of fields multiply to 800 KiB. Some hundred clients that send that much and
 * no end would take the memory of a small machine, so a whole head has a limit too.
 *
 * @module
 */

import { BAD_REQUEST, FIELDS_TOO_LARGE, Refusal } from "../../refusal.ts";
import type { HeadModels } from "./head_models.ts";
import { type HeadConfig, RequestHead, tooLong } from "./request_head.ts";

const EMPTY_LINES = 8; // that may precede a request (RFC 9112 2.2)
const HEAD_LIMIT = 131072; // bytes of a head, which is what front ends may send of variables, see cgi/variables.ts
const WINDOW = 16384; // bytes decoded at a time, since the bytes behind a head may be a body
const CR = 0x0d;
// Octets that can begin a request line: token characters, or the CR of an empty line.
const FIRST = /[!#$%&'*+\-.^_`|~0-9A-Za-z\r]/;

/** Parses the request heads of one connection, one after another. */
export class HeadParser {
  readonly #config: HeadConfig;
  readonly #models: HeadModels | undefined;
  #text = ""; // decoded from #bytes, beginning at the index #from
  #bytes: Uint8Array | undefined;
  #from = 0;
  #partial = "";
  #emptyLines = 0;
  #size = 0; // bytes of the lines of the current head
  #head: RequestHead | undefined; // the current head, once its request line is complete
  #complete: RequestHead | undefined; // the head that the current call of `parse` has completed
  #at = 0;

  /** Creates a parser. `models` are for the fast path, which is off without them. */
  constructor(config: HeadConfig, models?: HeadModels) {
    this.#config = config;
    this.#models = models;
  }

  /** Whether part of a request has arrived. Empty lines before it do not count. */
  get begun(): boolean {
    return this.#head !== undefined || this.#partial.length > 0;
  }

  /** The incomplete head. After a refusal it has what is known of the request. */
  get begunHead(): RequestHead | undefined {
    return this.#head;
  }

  /** The index behind what the last `parse` has consumed. */
  get at(): number {
    return this.#at;
  }

  /**
   * Parses `bytes[start, end)` up to the end of a head, and returns the head. If no head is complete, all bytes have been
   * consumed.
   *
   * @throws {Refusal} when the client breaks a rule. The parser cannot be used any more then.
   */
  parse(bytes: Uint8Array, start: number, end: number): RequestHead | undefined {
    this.#complete = undefined;
    this.#at = this.#consume(bytes, start, end);
    return this.#complete;
  }

  #consume(bytes: Uint8Array, start: number, end: number): number {
    if (this.#models !== undefined && this.#head === undefined && this.#partial === "") {
      const used = this.#parseWhole(this.#decoded(bytes, start, end), start - this.#from, this.#models);
      if (used > 0) return start + used;
    }
    for (let at = start; at < end;) {
      const to = Math.min(end, at + WINDOW);
      const before = this.#partial.length;
      const text = this.#partial + this.#config.latin1(bytes, at, to);
      const used = this.#lines(text, 0, before);
      if (this.#complete !== undefined) {
        this.#partial = "";
        return at + used - before;
      }
      this.#partial = used === 0 ? text : text.slice(used);
      at = to;
    }
    return end;
  }

  /** Drops the reference to the bytes of `parse`, so that the caller may reuse their memory. */
  release(): void {
    this.#bytes = undefined;
    this.#text = "";
  }

  /** Text that contains the bytes from `start` on and begins at `#from`. So several heads in a row are decoded once. */
  #decoded(bytes: Uint8Array, start: number, end: number): string {
    const last = this.#from + this.#text.length;
    if (this.#bytes === bytes && start >= this.#from && start < last) return this.#text;
    this.#bytes = bytes;
    this.#from = start;
    this.#text = this.#config.latin1(bytes, start, Math.min(end, start + WINDOW));
    return this.#text;
  }

  /** Parses a head at index `at` if all of it has arrived. Returns its length, or 0 if `parse` has to go line by line. */
  #parseWhole(text: string, at: number, models: HeadModels): number {
    const first = text.indexOf("\n", at) + 1;
    const length = first - 2 - at; // of the request line
    if (length <= 0 || text.charCodeAt(first - 2) !== CR || length > this.#config.limitRequestLine) return 0;
    if (!FIRST.test(text.charAt(at))) return 0;
    const head = new RequestHead();
    this.#head = head;
    head.requestLine(text, at, first - 2);
    const followed = models.follow(text, first, head, this.#config);
    if (followed > 0) {
      this.#completed(head);
      return followed - at;
    }
    const end = text.indexOf("\r\n\r\n", first - 2) + 4;
    if (end < 4) {
      this.#head = undefined;
      return 0;
    }
    this.#lines(text, first, first);
    if (models.shouldLearn()) models.learn(head, this.#linesApart(text, first, end - 2), this.#config);
    return end - at;
  }

  /** The lines of `text[start, end)`, decoded again. Slices would keep the whole text in memory and compare slowly. */
  #linesApart(text: string, start: number, end: number): string[] {
    const lines: string[] = [];
    for (let at = start; at < end;) {
      const next = text.indexOf("\n", at) + 1;
      lines.push(this.#config.latin1(this.#bytes as Uint8Array, this.#from + at, this.#from + next));
      at = next;
    }
    return lines;
  }

  /** Parses the complete lines of a text from `start` on. Returns the index behind them. No LF is before `searched`. */
  #lines(text: string, start: number, searched: number): number {
    let at = start;
    for (let from = searched; at < text.length;) {
      if (this.#head === undefined && !FIRST.test(text.charAt(at))) {
        throw new Refusal(BAD_REQUEST, "a request cannot begin with that octet");
      }
      const lf = text.indexOf("\n", from);
      const limit = this.#head === undefined ? this.#config.limitRequestLine : this.#config.limitRequestFieldSize;
      const stop = lf < 0 ? text.length : lf;
      const end = text.charCodeAt(stop - 1) === CR ? stop - 1 : stop; // a CR at the end may be half of the CRLF
      if (end - at > limit) throw tooLong(this.#head === undefined);
      if (lf < 0) return at;
      if (end === lf) throw new Refusal(BAD_REQUEST, "a line ends with a bare LF");
      if ((this.#size += lf + 1 - at) > HEAD_LIMIT) this.#checkSize();
      this.#line(text, at, end);
      at = from = lf + 1;
      if (this.#complete !== undefined) return at;
    }
    return at;
  }

  /** Refuses a head that is too large. One line and one field that the limits allow are never too large. */
  #checkSize(): void {
    const { limitRequestLine, limitRequestFieldSize } = this.#config;
    const most = Math.max(HEAD_LIMIT, limitRequestLine + limitRequestFieldSize);
    if (this.#size > most) throw new Refusal(FIELDS_TOO_LARGE, `a head of more than ${most} bytes`);
  }

  #line(text: string, start: number, end: number): void {
    if (this.#head === undefined) {
      if (end > start) {
        this.#head = new RequestHead();
        this.#head.requestLine(text, start, end);
      } else if (++this.#emptyLines > EMPTY_LINES) {
        throw new Refusal(BAD_REQUEST, "too many empty lines before a request");
      }
    } else if (end > start) {
      this.#head.fieldLine(text, start, end, this.#config);
    } else {
      this.#head.settle(this.#config);
      this.#completed(this.#head);
    }
  }

  #completed(head: RequestHead): void {
    this.#complete = head;
    this.#head = undefined;
    this.#emptyLines = 0;
    this.#size = 0;
  }
}
