/**
 * Settings: what to run, and what helps while writing it.
 *
 * @module
 */

import { list, optional, text, toggle } from "./kinds.ts";
import type { Topic } from "./setting.ts";

/** The settings of this topic. */
export interface DevelopmentSettings {
  /** The application. */
  wsgiApp: string | null;
  /** The configuration file. */
  config: string | null;
  /** Whether to restart workers when the code changes. */
  reload: boolean;
  /** More files to watch. */
  reloadExtraFile: readonly string[];
  /** Whether only to check. */
  checkConfig: boolean;
  /** Whether only to print. */
  printConfig: boolean;
}

/** The settings of this topic. */
export const development: Topic<DevelopmentSettings> = {
  wsgiApp: {
    kind: optional(text("APP")),
    default: null,
    defaultText: "none",
    help: "The application: what stands on the command line without an option.",
  },
  config: {
    kind: optional(text("FILE")),
    short: "c",
    default: null,
    defaultText: "tsgi.config.ts, .mts, .js or .mjs, where there is one",
    only: "outside",
    restart: true,
    help: "The configuration file: a module whose default export is an object of settings.",
  },
  reload: {
    kind: toggle,
    default: false,
    restart: true,
    help:
      "Starts new workers when a file changes that the application imports. For development: a file that does not " +
      "load is shown, and the old workers serve on until the next change.",
  },
  reloadExtraFile: {
    kind: list(text("GLOB")),
    default: [],
    restart: true,
    help: "More files to watch, such as templates: a path, or a glob with `*`, `**` and `?`. May be repeated.",
  },
  checkConfig: {
    kind: toggle,
    default: false,
    only: "command line",
    help: "Checks the settings, loads the application, and exits.",
  },
  printConfig: {
    kind: toggle,
    default: false,
    only: "command line",
    help: "Prints the settings in force, and exits.",
  },
};
