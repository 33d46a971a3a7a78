/**
 * `tsgi init [FOLDER]`: makes a project to begin with. It writes all of its files or, when one of them is there already,
 * none.
 *
 * @module
 */

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import process from "node:process";
import { choice } from "../settings/kinds.ts";
import { SettingError } from "../settings/setting.ts";
import { projectFiles } from "./project.ts";
import { type ProjectFile, type ProjectRuntime, PROJECTS } from "./runtimes.ts";

/** The project cannot be made. */
export class InitError extends Error {
  /** Name of the class. */
  override readonly name = "InitError";
}

const RUNTIME = choice("node", "deno", "bun");

/** The text of `tsgi init --help`. */
export const INIT_HELP = `Usage: tsgi init [--runtime node|deno|bun] [FOLDER]

Makes a project in FOLDER, or here: an application, a test, settings, and files to deploy it with
systemd and nginx or in a container. It is for the runtime that runs this command, or the one that
is named. Where one of its files is there already, nothing is written.
`;

/**
 * Makes a project.
 *
 * @param args What stands behind `init`.
 * @returns what to tell.
 * @throws {SettingError} for a command line that is wrong.
 * @throws {InitError} when files are in the way or cannot be written.
 */
export function init(args: readonly string[]): string {
  let runtime: ProjectRuntime = process.versions.deno !== undefined
    ? "deno"
    : process.versions.bun !== undefined
    ? "bun"
    : "node";
  let folder: string | undefined;
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "-h" || arg === "--help") return INIT_HELP;
    if (/^--runtime(=|$)/.test(arg)) {
      const given = arg.includes("=") ? arg.slice(arg.indexOf("=") + 1) : rest.shift();
      const known = RUNTIME.parse(given ?? "");
      if (known === undefined) throw new SettingError("--runtime", RUNTIME.expected, given ?? "nothing");
      runtime = known;
    } else if (arg.startsWith("-")) throw new SettingError("init", "--runtime, --help or a folder", arg);
    else if (folder !== undefined) throw new SettingError("init", "one folder", `${folder} and ${arg}`);
    else folder = arg;
  }
  const path = resolve(folder ?? ".");
  const files = projectFiles(runtime, projectName(path));
  writeAll(path, files);
  return told(runtime, relative(process.cwd(), path), files);
}

/** A name that npm, systemd and nginx take, from that of the folder. */
export function projectName(path: string): string {
  const name = basename(path).toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^[-0-9]+|-+$/g, "");
  return name === "" ? "app" : name;
}

function writeAll(folder: string, files: readonly ProjectFile[]): void {
  const there = files.filter(({ path }) => existsSync(join(folder, path))).map(({ path }) => path);
  if (there.length > 0) throw new InitError(`${folder} has ${there.join(", ")} already: nothing was written`);
  for (const { path, text } of files) {
    const target = join(folder, path);
    try {
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, text, { flag: "wx" });
    } catch (error) {
      throw new InitError(`Cannot write ${target}: ${(error as Error).message}`, { cause: error });
    }
  }
}

function told(runtime: ProjectRuntime, folder: string, files: readonly ProjectFile[]): string {
  const { install, test, dev, start } = PROJECTS[runtime];
  const width = Math.max(...files.map(({ path }) => path.length));
  const lines = files.map(({ path, what }) => `  ${path.padEnd(width)}  ${what}`);
  const next = [folder === "" ? null : `cd ${/^[\w./-]+$/.test(folder) ? folder : `'${folder}'`}`, install, test, dev];
  return [
    `Made for ${runtime}${folder === "" ? "" : ` in ${folder}`}:`,
    ...lines,
    "",
    "Next:",
    ...next.filter((command) => command !== null).map((command) => `  ${command}`),
    "",
    `Then it is on http://127.0.0.1:8000/ and reloads when a file changes; ${start} serves without that.`,
    "",
  ].join("\n");
}
