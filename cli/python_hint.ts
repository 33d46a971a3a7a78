/**
 * The hint for a specification that names an application of Python and was given without `--python`.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import process from "node:process";
import type { Spec } from "./application.ts";

/** A sentence that says how to serve the application, or "" if the specification names no file of Python. */
export function pythonHint({ module, name, factory }: Spec, directory: string = process.cwd()): string {
  const file = pythonFile(module, directory);
  if (file === undefined) return "";
  const isWithin = !relative(directory, file).startsWith("..");
  const folder = isWithin ? directory : dirname(file);
  const dotted = relative(folder, file).replace(/(?:\/__init__)?\.py$/, "").replaceAll("/", ".");
  const application = name === undefined ? "NAME" : `${name}${factory ? "()" : ""}`;
  return `. ${file} is a file of Python: serve it with ${
    isWithin ? "" : `--chdir ${folder} `
  }--python ${dotted}:${application}`;
}

/** The file of Python that a module means: a path with or without its extension, or a name with dots. */
function pythonFile(module: string, directory: string): string | undefined {
  const candidates = [module, `${module}.py`, `${module.replaceAll(".", "/")}.py`, `${module}/__init__.py`];
  return candidates.filter((one) => one.endsWith(".py")).map((one) => resolve(directory, one)).find((one) =>
    existsSync(one)
  );
}
