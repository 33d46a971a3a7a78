/**
 * An object as one line of JSON, in ASCII, so that nothing in it can break out of its line, and no shorter than a pipe
 * takes it whole: where it would be longer, its texts are cut, with a mark.
 *
 * @module
 */

const CUT = "[cut]";
const SHORTER = 0.8;

/** A line, without its end, of at most `most` characters, which is also its bytes. */
export function jsonLine(all: Readonly<Record<string, unknown>>, most: number): string {
  let line = ascii(JSON.stringify(all));
  for (let text = most; line.length > most && text >= 1; text = Math.floor(text * SHORTER)) {
    line = ascii(JSON.stringify(all, (_key, value) => typeof value === "string" ? cutText(value, text) : value));
  }
  return line;
}

/** Text of at most `most` code units, with a mark behind it where it was longer. */
export function cutText(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}${CUT}`;
}

const NOT_PLAIN = /[^\x20-\x7e]/g;

function ascii(json: string): string {
  return json.replace(NOT_PLAIN, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
