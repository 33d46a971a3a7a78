/**
 * Formats an object as one line of JSON. The line is ASCII, so that no value can contain a line end. A line that would
 * be longer than a pipe takes in one piece has its texts cut, with a mark.
 *
 * @module
 */

const CUT = "[cut]";
const SHORTER = 0.8;

/** Formats a line, without its end, of at most `most` characters. In ASCII, that is also its number of bytes. */
export function jsonLine(all: Readonly<Record<string, unknown>>, most: number): string {
  let line = ascii(JSON.stringify(all));
  for (let text = most; line.length > most && text >= 1; text = Math.floor(text * SHORTER)) {
    line = ascii(JSON.stringify(all, (_key, value) => typeof value === "string" ? cutText(value, text) : value));
  }
  return line;
}

/** Cuts text to `most` code units, and appends a mark if it was longer. */
export function cutText(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}${CUT}`;
}

const NOT_PLAIN = /[^\x20-\x7e]/g;

function ascii(json: string): string {
  return json.replace(NOT_PLAIN, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
