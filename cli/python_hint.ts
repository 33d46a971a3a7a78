/**
 * The hint for a specification that names an application of Python and was given without `--python`.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import process from "node:process";

/**
 * A sentence that says how to serve the application of `spec`, or "" if its module is no file of Python.
 *
 * @param module The module in the specification, without the name behind it.
 */
export function pythonHint(spec: string, module: string, directory: string = process.cwd()): string {
  const file = pythonFile(module, directory);
  if (file === undefined) return "";
  const isWithin = !relative(directory, file).startsWith("..");
  const folder = isWithin ? directory : dirname(file);
  const dotted = relative(folder, file).replace(/(?:\/__init__)?\.py$/, "").replaceAll("/", ".");
  const application = spec.slice(module.length + 1) || "NAME";
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
