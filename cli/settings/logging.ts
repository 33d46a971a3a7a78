/**
 * Settings: the logs.
 *
 * @module
 */

import { type Escape, parseFormat, wrongAtom } from "../access_format.ts";
import { choice, optional, text, toggle } from "./kinds.ts";
import type { Topic } from "./setting.ts";

/** The settings of this topic. */
export interface LoggingSettings {
  /** File of the access log. */
  accessLogfile: string | null;
  /** Format of its lines. */
  accessLogformat: string;
  /** How values are escaped in them. */
  accessLogEscape: Escape;
  /** Whether its lines are JSON objects. */
  accessLogJson: boolean;
  /** File of the error log. */
  errorLogfile: string;
  /** Whether its lines are JSON objects. */
  errorLogJson: boolean;
  /** The lowest level that is logged. */
  logLevel: LogLevel;
}

/** The severity of a message. */
export type LogLevel = "debug" | "info" | "warning" | "error" | "critical";

/** The settings of this topic. */
export const logging: Topic<LoggingSettings> = {
  accessLogfile: {
    kind: optional(text("FILE")),
    default: null,
    defaultText: "none",
    help: "File for the access log, `-` for standard output. Opened anew at SIGUSR1 and SIGHUP.",
  },
  accessLogformat: {
    kind: {
      ...text("FORMAT", "text with atoms such as %(h)s and %({referer}i)s", (given) => parseFormat(given) !== null),
      wrong: (given) => {
        const atom = typeof given === "string" ? wrongAtom(given) : undefined;
        return atom === undefined ? undefined : `${JSON.stringify(given)}, where ${JSON.stringify(atom)} is no atom`;
      },
    },
    default: '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
    help: "Form of its lines. The atoms are below.",
  },
  accessLogEscape: {
    kind: choice("text", "json"),
    default: "text",
    help: "How a quote, a backslash and what is no printable ASCII is written in `--access-logformat`. `json` writes " +
      '`\\u0022` where `text` writes `\\x22`, for a format of JSON: `{"uri":"%(U)s","status":%(s)s}`.',
  },
  accessLogJson: {
    kind: toggle,
    default: false,
    help:
      "Writes each line of the access log as an object of JSON. The keys are below; `--access-logformat` then says " +
      "nothing.",
  },
  errorLogfile: {
    kind: text("FILE"),
    default: "-",
    help: "File for the error log and `wsgi.errors`, `-` for standard error. Opened anew at SIGUSR1 and SIGHUP.",
  },
  errorLogJson: {
    kind: toggle,
    default: false,
    help:
      "Writes each report of the error log, and each text written to `wsgi.errors`, as an object of JSON on a line. " +
      "The keys are below.",
  },
  logLevel: {
    kind: choice("debug", "info", "warning", "error", "critical"),
    default: "info",
    help: "The least grave reports that are logged.",
  },
};
