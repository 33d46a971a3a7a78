/**
 * Settings: the logs.
 *
 * @module
 */

import { parseFormat, wrongAtom } from "../access_format.ts";
import { choice, optional, text } from "./kinds.ts";
import type { Topic } from "./setting.ts";

/** The settings of this topic. */
export interface LoggingSettings {
  /** File of the access log. */
  accessLogfile: string | null;
  /** Form of its lines. */
  accessLogformat: string;
  /** File of the error log. */
  errorLogfile: string;
  /** The least that is logged. */
  logLevel: LogLevel;
}

/** How grave something is. */
export type LogLevel = "debug" | "info" | "warning" | "error" | "critical";

/** The settings of this topic. */
export const logging: Topic<LoggingSettings> = {
  accessLogfile: {
    kind: optional(text("FILE")),
    default: null,
    defaultText: "none",
    help: "File for the access log, `-` for standard output. Opened anew at SIGUSR1.",
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
  errorLogfile: {
    kind: text("FILE"),
    default: "-",
    help: "File for the error log and `wsgi.errors`, `-` for standard error. Opened anew at SIGUSR1.",
  },
  logLevel: {
    kind: choice("debug", "info", "warning", "error", "critical"),
    default: "info",
    help: "The least grave reports that are logged.",
  },
};
