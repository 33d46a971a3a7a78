/**
 * Settings: the processes, their user, their working directory and their environment.
 *
 * @module
 */

import { list, octal, optional, text } from "./kinds.ts";
import type { Topic } from "./setting.ts";

/** The settings of this topic. */
export interface ProcessSettings {
  /** Working directory. */
  chdir: string | null;
  /** Environment variables for the workers. */
  env: readonly string[];
  /** File with the process id. */
  pid: string | null;
  /** User of the workers. */
  user: string | null;
  /** Group of the workers. */
  group: string | null;
  /** File mode creation mask. */
  umask: number | null;
}

/** The settings of this topic. */
export const processes: Topic<ProcessSettings> = {
  chdir: {
    kind: optional(text("DIRECTORY")),
    default: null,
    defaultText: "where it was started",
    restart: true,
    help: "Changes to this directory before the application is loaded. Relative paths of other settings start there. " +
      "Each worker enters it anew, by this name: where it is a symbolic link, HUP follows it to a new release.",
  },
  env: {
    kind: list(text("NAME=VALUE", "NAME=VALUE", (given) => /^[^=]+=/.test(given))),
    short: "e",
    default: [],
    help: "Sets an environment variable for the application. May be repeated.",
  },
  pid: {
    kind: optional(text("FILE")),
    short: "p",
    default: null,
    defaultText: "none",
    restart: true,
    help: "File for the id of the process that takes the signals. Refused while the tsgi that wrote it runs.",
  },
  user: {
    kind: optional(text("USER")),
    short: "u",
    default: null,
    defaultText: "that of the command",
    help: "User, by name or number, that the workers run as. The arbiter stays what it is.",
  },
  group: {
    kind: optional(text("GROUP")),
    short: "g",
    default: null,
    defaultText: "that of the user",
    help: "Group, by name or number, that the workers run as. They have no other groups then.",
  },
  umask: {
    kind: optional(octal("a file mode mask")),
    short: "m",
    default: null,
    defaultText: "that of the command",
    restart: true,
    help: "What files and Unix sockets are created without, in octal: `007`.",
  },
};
