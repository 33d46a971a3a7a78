/**
 * Finds the Python interpreter.
 *
 * @module
 */

import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { OptionError } from "../../core/errors.ts";

/**
 * The command of the interpreter: the given one, that of a given virtualenv, that of `VIRTUAL_ENV`, or `python3`.
 *
 * @throws {OptionError} when a folder is given that is not a virtualenv.
 */
export function interpreter(given: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  const named = given ?? env.VIRTUAL_ENV;
  if (named === undefined || named === "") return "python3";
  if (given !== undefined && statSync(given, { throwIfNoEntry: false })?.isDirectory() !== true) {
    return given.includes("/") ? resolve(given) : given; // processes may have another working directory
  }
  const path = resolve(named, "bin", "python");
  if (!existsSync(path)) {
    throw new OptionError(
      given === undefined ? "VIRTUAL_ENV" : "python",
      "an interpreter, or the folder of a virtualenv, which has bin/python",
      named,
    );
  }
  return path;
}
