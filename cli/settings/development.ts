/**
 * Settings: what to run, and what helps while writing it.
 *
 * @module
 */

import { APP_TYPES, type AppType } from "../app_type.ts";
import type { ExtraListen } from "../programs/program.ts";
import { choice, list, optional, text, toggle } from "./kinds.ts";
import type { Topic } from "./setting.ts";

/** How `--reload` detects changes. */
export type ReloadEngine = "auto" | "poll";

/** The settings of this topic. */
export interface DevelopmentSettings {
  /** The application. */
  wsgiApp: string | null;
  /** Whether it is served for development. */
  dev: boolean;
  /** Whether other machines may see the page of an error. */
  debugRemote: boolean;
  /** What kind of application it is. */
  appType: AppType;
  /** The arguments of a program. */
  appArgs: readonly string[];
  /** What happens at a program's calls to listen after the first. */
  extraListen: ExtraListen;
  /** The configuration file. */
  config: string | null;
  /** Whether to restart workers when the code changes. */
  reload: boolean;
  /** More files to watch. */
  reloadExtraFile: readonly string[];
  /** How to watch. */
  reloadEngine: ReloadEngine;
  /** Whether only to check the settings and load the application. */
  checkConfig: boolean;
  /** Whether only to print the settings. */
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
  dev: {
    kind: toggle,
    default: false,
    only: "command line",
    help:
      "Serves for development; `tsgi dev APP` is `tsgi --dev APP`. A request that fails is answered with the error, its " +
      "source lines, the causes and the environ. Besides, one worker runs, the code is watched (`--reload`), requests " +
      "are listed on standard output, and no time-out kills a worker that stands at a breakpoint. These settings give " +
      "way to the command line alone.",
  },
  debugRemote: {
    kind: toggle,
    default: false,
    only: "command line",
    help:
      "Shows the page of an error to other machines too, with `--dev`. Without it, `--bind` takes only addresses of " +
      "this machine: the page shows source code and cookies to whoever makes a request fail.",
  },
  appType: {
    kind: choice(...APP_TYPES),
    default: "auto",
    help:
      "What kind of application it is. `auto` tells by the marks of frameworks: a method `fetch` (Hono, h3, Elysia, " +
      "itty-router), the methods of Express, Koa, Fastify, connect and polka; a bare function is a WSGI application, and a " +
      "module that listens while it is imported, or exports no application, is a program. `node` is a function of " +
      "`(req, res)`, `fetch` one from a Request to a Response.",
  },
  appArgs: {
    kind: list(text("ARG")),
    default: [],
    help:
      "The arguments of a program, `process.argv` from the third on. On the command line they stand behind `--`, as " +
      "they are: `tsgi -w 4 server.js -- --verbose ./public`.",
  },
  extraListen: {
    kind: choice("refuse", "ignore", "allow"),
    default: "refuse",
    help:
      "What becomes of a program's calls to listen behind the first, which the command serves. `refuse` is an error in " +
      "the program; `allow` really listens, in each worker; `ignore` only says so.",
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
    help:
      "More files to watch, such as templates: a path, that of a folder for all in it, or a glob with `*`, `**` and " +
      "`?`. May be repeated. Only a glob that names `node_modules` looks into it. Files that match later are seen too.",
  },
  reloadEngine: {
    kind: choice("auto", "poll"),
    default: "auto",
    restart: true,
    help:
      "How to see changes. `auto` takes the system's events (gunicorn's `inotify`), and polls where there are none " +
      "left, and on Deno; `poll` looks at the files twice a second, which network file systems need.",
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
