/**
 * Settings: an application in Python instead of one in TypeScript.
 *
 * @module
 */

import { integer, optional, text } from "./kinds.ts";
import type { Topic } from "./setting.ts";

/** What names an application, as `fromPython` takes it. */
const SPEC = /^[^\s:()/]+(?::[^\W\d][\w.]*(?:\(.*\))?)?$/s;

/** The settings of this topic. */
export interface PythonSettings {
  /** The Python application. */
  python: string | null;
  /** Threads in each Python process. */
  threads: number;
  /** The interpreter, or a virtualenv. */
  pythonPath: string | null;
}

/** The settings of this topic. */
export const python: Topic<PythonSettings> = {
  python: {
    kind: optional(text("APP", "MODULE, MODULE:NAME or MODULE:FACTORY(...)", (given) => SPEC.test(given))),
    default: null,
    defaultText: "none",
    restart: true,
    help: "Serves a WSGI application of Python, such as `mysite.wsgi:application`, in CPython processes. " +
      "Then `--workers` is the number of Python processes, and one process of tsgi feeds them all. " +
      "The default name is `application`.",
  },
  threads: {
    kind: integer(1, 1024),
    default: 1,
    help: "Threads in each Python process, each of which serves one request at a time. Only beside `--python`.",
  },
  pythonPath: {
    kind: optional(text("PATH")),
    default: null,
    defaultText: "that of VIRTUAL_ENV, else python3",
    help: "The Python interpreter, or the folder of a virtualenv. Only beside `--python`.",
  },
};
