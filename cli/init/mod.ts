/**
 * `tsgi init [FOLDER]`: creates a new project. It writes all of its files or, if one of them already exists, none.
 *
 * @module
 */

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import process from "node:process";
import { choice } from "../settings/kinds.ts";
import { type Kind, SettingError } from "../settings/setting.ts";
import { projectFiles } from "./project.ts";
import { ownPackage } from "./own_package.ts";
import { InitError, type ProjectFile, type ProjectRuntime, PROJECTS } from "./runtimes.ts";
import { type TemplateName, TEMPLATES } from "./templates.ts";

const RUNTIME = choice("node", "deno", "bun");
const TEMPLATE = choice("hono", "express", "wsgi");

/** The text of `tsgi init --help`. */
export const INIT_HELP = `Usage: tsgi init [--template hono|express|wsgi] [--runtime node|deno|bun] [FOLDER]

Makes a project in FOLDER, or here: an application, a test, settings, and files to deploy it with
systemd and nginx or in a container. The application is one of Hono or Express, or, without
--template, a WSGI application. The project is for the runtime that runs this command, or the one
that is named. Where one of its files is there already, nothing is written.
`;

/**
 * Creates a project.
 *
 * @param args The arguments after `init`.
 * @returns the text to print.
 * @throws {SettingError} for a wrong command line.
 * @throws {InitError} when files already exist or cannot be written.
 */
export function init(args: readonly string[]): string {
  let runtime: ProjectRuntime = process.versions.deno !== undefined
    ? "deno"
    : process.versions.bun !== undefined
    ? "bun"
    : "node";
  let template: TemplateName = "wsgi";
  let folder: string | undefined;
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "-h" || arg === "--help") return INIT_HELP;
    const [, flag, given] = /^(--runtime|--template)(?:=(.*))?$/.exec(arg) ?? [];
    if (flag === "--runtime") runtime = chosen(flag, RUNTIME, given ?? rest.shift());
    else if (flag === "--template") template = chosen(flag, TEMPLATE, given ?? rest.shift());
    else if (arg.startsWith("-")) throw new SettingError("init", "--template, --runtime, --help or a folder", arg);
    else if (folder !== undefined) throw new SettingError("init", "one folder", `${folder} and ${arg}`);
    else folder = arg;
  }
  const path = resolve(folder ?? ".");
  const own = ownPackage(import.meta.url, runtime);
  const files = projectFiles(runtime, projectName(path), TEMPLATES[template], own);
  writeAll(path, files);
  return told(runtime, relative(process.cwd(), path), files);
}

/** Parses the word that is given to an option; throws if the option does not take it. */
function chosen<T>(flag: string, kind: Kind<T>, given: string | undefined): T {
  const known = kind.parse(given ?? "");
  if (known === undefined) throw new SettingError(flag, kind.expected, given ?? "nothing");
  return known;
}

/** Makes a project name that npm, systemd and nginx accept from the name of the folder. */
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
  const named = files.filter(({ what }) => what !== null);
  const width = Math.max(...named.map(({ path }) => path.length));
  const lines = named.map(({ path, what }) => `  ${path.padEnd(width)}  ${what}`);
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
