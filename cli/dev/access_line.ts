/**
 * Formats access log lines for a developer who watches a terminal: time, status, method, path, duration, size.
 *
 * A value from a client is escaped as in the other formats, so that no client can send codes to the terminal.
 *
 * @module
 */

import type { AccessRecord } from "../../core/gateway/access_log.ts";
import { type Format, parseFormat } from "../access_format.ts";

/** Codes of the terminal, by the class of a status. */
const COLOURS: Readonly<Record<string, string>> = { 1: "36", 2: "32", 3: "36", 4: "33", 5: "31" };

/**
 * Makes the formatter.
 *
 * @param coloured Whether the lines go to a terminal that shows colours.
 *
 * @example
 * ```ts
 * import type { AccessRecord } from "../../core/gateway/access_log.ts";
 * import { accessLine } from "./access_line.ts";
 * const environ = { REQUEST_METHOD: "GET", REQUEST_URI: "/a?b" };
 * const record = { environ, status: 200, headers: [], bytes: 2048, duration: 3.2, complete: true };
 * console.assert(accessLine(false)(record as unknown as AccessRecord).endsWith("200 GET /a?b 3.2 ms 2.0 kB"));
 * ```
 */
export function accessLine(coloured: boolean): Format {
  const paint = (code: string, text: string): string => coloured ? `\x1b[${code}m${text}\x1b[0m` : text;
  const request = parseFormat("%(m)s %({REQUEST_URI}e)s") as Format;
  return (record) => {
    const { status, duration, bytes, complete } = record;
    const time = new Date().toTimeString().slice(0, 8);
    const cost = `${milliseconds(duration)} ${size(bytes)}${complete ? "" : " incomplete"}`;
    const colour = COLOURS[String(status)[0] as string] ?? "31";
    return `${paint("2", time)} ${paint(colour, String(status))} ${request(record)} ${paint("2", cost)}`;
  };
}

function milliseconds(duration: AccessRecord["duration"]): string {
  return duration < 1000 ? `${duration.toFixed(1)} ms` : `${(duration / 1000).toFixed(2)} s`;
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
