/**
 * Formats access log lines as JSON objects, each with the same keys.
 *
 * Texts are those of the environ: an octet that is not ASCII is the character with that code, `\u00e9` for 0xe9. So no
 * information is lost of a path that is not UTF-8. A missing value is null.
 *
 * @module
 */

import process from "node:process";
import type { AccessRecord } from "../core/gateway/access_log.ts";
import { type Format, parseFormat, userOf } from "./access_format.ts";
import { jsonLine } from "./json_line.ts";
import type { LoggingSettings } from "./settings/logging.ts";

interface Field {
  readonly meaning: string;
  readonly value: (record: AccessRecord) => unknown;
}

const text = (value: unknown): string | null => value === undefined || value === null ? null : String(value);

/** The keys of a line, and their meanings. */
export const ACCESS_KEYS: Readonly<Record<string, Field>> = {
  time: {
    meaning: "time the response ended, in UTC, `2026-11-21T04:32:22.123Z`",
    value: () => new Date().toISOString(),
  },
  pid: { meaning: "process id, a number", value: () => process.pid },
  client: { meaning: "address of the client", value: ({ environ }) => text(environ.REMOTE_ADDR) },
  user: {
    meaning: "user name of Basic authentication",
    value: ({ environ }) => text(userOf(environ.HTTP_AUTHORIZATION)),
  },
  method: { meaning: "method", value: ({ environ }) => text(environ.REQUEST_METHOD) },
  uri: { meaning: "request target as it was sent", value: ({ environ }) => text(environ.REQUEST_URI) },
  path: {
    meaning: "path, SCRIPT_NAME and PATH_INFO",
    value: ({ environ }) =>
      environ.SCRIPT_NAME === undefined && environ.PATH_INFO === undefined
        ? null
        : `${environ.SCRIPT_NAME ?? ""}${environ.PATH_INFO ?? ""}`,
  },
  query: { meaning: "query", value: ({ environ }) => text(environ.QUERY_STRING) },
  protocol: { meaning: "protocol", value: ({ environ }) => text(environ.SERVER_PROTOCOL) },
  host: { meaning: "Host", value: ({ environ }) => text(environ.HTTP_HOST) },
  status: {
    meaning: "status code, a number; 499 when the client left before there was one",
    value: ({ status }) => status,
  },
  bytes: { meaning: "bytes of the body that were sent, a number", value: ({ bytes }) => bytes },
  duration: {
    meaning: "time taken, seconds with a fraction",
    value: ({ duration }) => Math.round(duration * 1000) / 1e6,
  },
  complete: { meaning: "whether all of the response was sent, true or false", value: ({ complete }) => complete },
  referer: { meaning: "Referer", value: ({ environ }) => text(environ.HTTP_REFERER) },
  user_agent: { meaning: "User-Agent", value: ({ environ }) => text(environ.HTTP_USER_AGENT) },
};

const fields = Object.entries(ACCESS_KEYS);

/**
 * Makes the formatter that the settings ask for.
 *
 * @param most The most bytes of a line.
 */
export function accessFormat(
  settings: Pick<LoggingSettings, "accessLogJson" | "accessLogformat" | "accessLogEscape">,
  most: number,
): Format {
  const format = settings.accessLogJson ? null : parseFormat(settings.accessLogformat, settings.accessLogEscape, most);
  if (format !== null) return format; // null only for JSON: the setting was checked before
  return (record) => jsonLine(Object.fromEntries(fields.map(([key, { value }]) => [key, value(record)])), most);
}
