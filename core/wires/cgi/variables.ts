/**
 * The meta-variables of one request (RFC 3875 4.1), as FastCGI, SCGI, uwsgi and the process environment give them.
 *
 * Names and values are latin-1, one code unit for each byte. Front ends repeat names: nginx sends one `HTTP_*` variable
 * for each field of a repeated header, and one variable for each line of its configuration that sets it. Repeated
 * `HTTP_*` variables are joined as HTTP joins fields. For HTTP_HOST and all other variables the last value counts, as in
 * PHP. A repeated CONTENT_LENGTH is refused, because a program that uses the other value would see another request.
 *
 * @module
 */

import { joinFields } from "../../contract/environ.ts";
import { trimOws } from "../../grammar.ts";
import { BAD_REQUEST, FIELDS_TOO_LARGE, Refusal } from "../../refusal.ts";

const MOST_VARIABLES = 1000; // in one request

/** Most bytes of the variables of one request: names, values and the framing between them. */
export const VARIABLES_LIMIT = 131072;

/** The variables of one request. */
export class Variables {
  readonly #values: Map<string, string> = new Map();
  #count = 0;

  /**
   * Adds a variable.
   *
   * @throws {Refusal} 400 for one without a name or a length given twice, 431 for too many.
   */
  add(name: string, value: string): void {
    if (++this.#count > MOST_VARIABLES) throw new Refusal(FIELDS_TOO_LARGE, `more than ${MOST_VARIABLES} variables`);
    if (name === "") throw new Refusal(BAD_REQUEST, "a variable without a name");
    const present = this.#values.get(name);
    if (present !== undefined && name === "CONTENT_LENGTH") throw new Refusal(BAD_REQUEST, `${name} is given twice`);
    if (!name.startsWith("HTTP_")) return void this.#values.set(name, value);
    const field = trimOws(value); // nginx leaves tabs
    const joined = present !== undefined && name !== "HTTP_HOST"; // a request has only one Host
    this.#values.set(name, joined ? joinFields(name, present, field) : field);
  }

  /** The value of a variable, or "" if it is missing. RFC 3875 4.1 does not distinguish the two. */
  get(name: string): string {
    return this.#values.get(name) ?? "";
  }

  /** Whether a variable exists, even with an empty value. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Names and values, in the order in which the names first occurred. */
  [Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    return this.#values.entries();
  }
}
