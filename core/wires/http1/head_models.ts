/**
 * A fast path for request heads that resemble an earlier one.
 *
 * Clients send similar heads over and over, but rarely identical ones: a request id, a cookie or a body length differs.
 * So a head that has passed every check is kept as a model, line by line. A line that is *equal, octet for octet,* to the
 * line in its place in the model needs no further check. A line with the same name and another value is checked by the
 * same functions as any line, if its name does not affect the framing. Any other difference sends the head to the full
 * parser, which alone defines what is valid. Lines are never compared by a hash or in part.
 *
 * The table is small and of fixed size. The beginnings of the first four field lines choose the place of a model, since
 * the first few names distinguish clients. A head replaces the model in its place only if PATIENCE heads in a row before
 * it were not like that model either. So a client that never sends the same names twice costs little and does not evict
 * other models.
 *
 * @module
 */

import { fieldName, fieldValue } from "./fields.ts";
import { RequestHead, type RequestLimits } from "./request_head.ts";
import { checkHost } from "./target.ts";

const PLACES = 128;
const LONGEST = 1024; // code units: heads with a longer line are not kept
const MOST = 64; // lines
const PATIENCE = 2; // heads in a row that may differ from a model; the next one replaces it
const CR = 0x0d;
const LF = 0x0a;

/** Which other values than that of the model a line may have: none, any valid field value, a host, a length. */
type Change = "none" | "any" | "host" | "length";

/** One line of a model. */
interface Line {
  /** With its CRLF. */
  readonly text: string;
  /** The name with its colon. */
  readonly name: string;
  readonly change: Change;
  /** Index of its value in `fields`, if the field enters the environ. */
  readonly at: number;
}

/** A head that has passed every check, line by line. */
export class HeadModel {
  readonly #head: RequestHead;
  readonly #block: string;
  readonly #lines: readonly Line[];

  /** Builds a model from the field lines of a head, each with its CRLF, which have passed every check. */
  constructor(http11: boolean, lines: readonly string[], limits: RequestLimits) {
    const head = this.#head = new RequestHead();
    head.http11 = http11;
    this.#block = [...lines, "\r\n"].join("");
    this.#lines = lines.map((text): Line => {
      const name = text.slice(0, text.indexOf(":") + 1);
      const at = head.fields.length + 1;
      head.fieldLine(text, 0, text.length - 2, limits);
      return { text, name, change: changeOf(name, head.fields.length > at), at };
    });
    head.settle(limits);
    head.distinct = !hasRepeated(head.fields);
  }

  /**
   * If the field lines at `text[start]` are like those of the model, completes `head` with them; its request line has been
   * parsed already. Returns the index behind the empty line, or 0 if the head is not like the model or is not complete.
   *
   * @throws {Refusal} as the full parser does, for the value of a line that differs.
   */
  follow(text: string, start: number, head: RequestHead, limits: RequestLimits): number {
    const model = this.#head;
    const lines = this.#lines;
    if (head.http11 !== model.http11) return 0;
    const behind = start + this.#block.length;
    if (text.slice(start, behind) === this.#block) { // a faster check for heads that are equal as a whole
      head.settleLike(model, model.fields);
      return behind;
    }
    let at = start;
    let fields = model.fields;
    let length: string | null = null;
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i] as Line;
      const end = at + line.text.length;
      if (text.slice(at, end) === line.text) {
        at = end;
        continue;
      }
      const colon = at + line.name.length - 1;
      if (line.change === "none" || text.slice(at, colon + 1) !== line.name) return 0;
      const lf = text.indexOf("\n", colon);
      if (lf < 0 || text.charCodeAt(lf - 1) !== CR || lf - 1 - at > limits.limitRequestFieldSize) return 0;
      const value = fieldValue(text, colon, lf - 1);
      at = lf + 1;
      if (line.change === "length") {
        length = value;
        continue;
      }
      if (line.change === "host") checkHost(value);
      if (fields === model.fields) fields = fields.slice();
      fields[line.at] = value;
    }
    if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) return 0;
    if (length !== null && !head.takeLength(length, model, limits)) return 0;
    head.settleLike(model, fields);
    return at + 2;
  }
}

/** The values that a line may have. `entered` is true if the field enters the environ. */
function changeOf(nameAndColon: string, entered: boolean): Change {
  const { kind } = fieldName(nameAndColon.slice(0, -1));
  if (kind === "content-length") return "length";
  if (!entered) return "none";
  if (kind === "host") return "host";
  return kind === "plain" || kind === "content-type" ? "any" : "none";
}

/** The models that the connections of one server share. */
export class HeadModels {
  readonly #models: (HeadModel | undefined)[] = new Array<HeadModel | undefined>(PLACES).fill(undefined);
  readonly #unlike: Uint8Array = new Uint8Array(PLACES).fill(PATIENCE - 1); // heads in a row
  #place = 0;

  /** Calls {@linkcode HeadModel.follow} of the model in the place for such heads; returns 0 if there is none. */
  follow(text: string, start: number, head: RequestHead, limits: RequestLimits): number {
    const place = this.#place = placeOf(text, start);
    const end = this.#models[place]?.follow(text, start, head, limits) ?? 0;
    if (end > 0) this.#unlike[place] = 0;
    return end;
  }

  /** Counts a head that was not like its model. Returns whether the caller should call `learn` with it. */
  shouldLearn(): boolean {
    return ++(this.#unlike[this.#place] as number) > PATIENCE;
  }

  /** Keeps a model of the head of the last `follow` call, unless it is too long to keep. */
  learn(head: RequestHead, lines: readonly string[], limits: RequestLimits): void {
    this.#unlike[this.#place] = 0;
    if (lines.some((line) => line.length > LONGEST) || lines.length > MOST) return;
    this.#models[this.#place] = new HeadModel(head.http11, lines, limits);
  }
}

/** Whether a key occurs twice in a list of keys and values. */
function hasRepeated(fields: readonly string[]): boolean {
  return new Set(fields.filter((_, i) => i % 2 === 0)).size < fields.length / 2;
}

/** The place of the model for a head whose field lines begin at `text[start]`. Mixes characters of the first four. */
function placeOf(text: string, start: number): number {
  const second = text.indexOf("\n", start) + 1;
  const third = text.indexOf("\n", second) + 1;
  const fourth = text.indexOf("\n", third) + 1;
  const mixed = text.charCodeAt(start) + text.charCodeAt(second + 2) * 3 + text.charCodeAt(second + 4) * 5 +
    text.charCodeAt(third) * 7 + text.charCodeAt(third + 4) * 11 + text.charCodeAt(fourth) * 13;
  return (mixed | 0) & (PLACES - 1);
}
