/**
 * How a project of `tsgi init` is installed, tested and started on each runtime, and its manifest.
 *
 * On Deno the package comes from JSR, as source code. The import map has one entry for it, and `deno run tsgi/cli`
 * takes the command from that entry. So the command and the application use the same version and the same copy.
 *
 * @module
 */

import { VERSION } from "../../core/version.ts";
import { APP_FILE, type Template } from "./templates.ts";

/** A runtime that a project can be created for. */
export type ProjectRuntime = "node" | "deno" | "bun";

/** The project cannot be created. */
export class InitError extends Error {
  /** Name of the class. */
  override readonly name = "InitError";
}

/** A file of a project. */
export interface ProjectFile {
  /** Its path in the project. */
  readonly path: string;
  /** A short description; null if the file is one of many that the list does not name. */
  readonly what: string | null;
  /** Its content. */
  readonly text: string | Uint8Array;
}

/** A copy of tsgi in the project, for a tsgi that no registry has. */
export interface OwnPackage {
  /** The folder of the copy. */
  readonly folder: string;
  /** The dependency in package.json; null if there is none. */
  readonly dependency: string | null;
  /** Entries of an import map, for Deno. */
  readonly imports: Readonly<Record<string, string>>;
  /** The files of the copy. */
  readonly files: readonly ProjectFile[];
}

/** The shell commands of a project, and how its manifest defines them. */
export interface ProjectCommands {
  /** The file name of the manifest. */
  readonly manifest: "package.json" | "deno.json";
  /** Installs the dependencies; null if the runtime does that by itself. */
  readonly install: string | null;
  /** Runs its tests. */
  readonly test: string;
  /** Serves with two workers, and the settings of tsgi.config.ts. */
  readonly start: string;
  /** Serves, and reloads when a file changes. */
  readonly dev: string;
  /** The scripts in the manifest. */
  readonly scripts: Readonly<Record<"start" | "dev" | "test", string>>;
  /** The `tsgi` command without a script, for systemd and Docker: the words before its options. */
  readonly command: readonly string[];
}

/** The arguments of the command in the script `start`, and in the script `dev`. */
const START = `-w 2 ${APP_FILE}`;
const DEV = `--reload ${APP_FILE}`;

/** The commands for each runtime. */
export const PROJECTS: Readonly<Record<ProjectRuntime, ProjectCommands>> = {
  node: {
    manifest: "package.json",
    install: "npm install",
    test: "npm test",
    start: "npm start",
    dev: "npm run dev",
    scripts: { start: `tsgi ${START}`, dev: `tsgi ${DEV}`, test: "node --test" },
    command: ["node", "node_modules/tsgi/cli/main.js"],
  },
  deno: {
    manifest: "deno.json",
    install: null,
    test: "deno task test",
    start: "deno task start",
    dev: "deno task dev",
    scripts: { start: `deno run -A tsgi/cli ${START}`, dev: `deno run -A tsgi/cli ${DEV}`, test: "deno test -A" },
    command: ["deno", "run", "-A", "tsgi/cli"],
  },
  bun: {
    manifest: "package.json",
    install: "bun install",
    test: "bun run test",
    start: "bun run start",
    dev: "bun run dev",
    // Bun runs a package's command on Node, unless `--bun` is given.
    scripts: { start: `bun --bun tsgi ${START}`, dev: `bun --bun tsgi ${DEV}`, test: "bun test" },
    command: ["bun", "node_modules/tsgi/cli/main.js"],
  },
};

/** The text of the manifest. With `own`, the project uses that copy of tsgi, else the one of a registry. */
export function manifest(
  runtime: ProjectRuntime,
  name: string,
  { packages, types }: Template,
  own: OwnPackage | null,
): string {
  const content = runtime === "deno" ? denoManifest(packages, types, own) : {
    name,
    private: true,
    type: "module",
    scripts: { ...PROJECTS[runtime].scripts, check: "tsc" },
    dependencies: { ...packages, tsgi: own?.dependency ?? `^${VERSION}` },
    devDependencies: { ...types, "@types/node": "^26.6.6", typescript: "^7.0.2" },
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Makes deno.json. Deno looks for types only in the package itself, unless the compiler options name others. */
function denoManifest(
  packages: Template["packages"],
  types: Template["types"],
  own: OwnPackage | null,
): Record<string, unknown> {
  const fromNpm = (all: Template["packages"]): [string, string][] =>
    Object.entries(all).map(([name, range]) => [name, `npm:${name}@${range}`]);
  const typed = fromNpm(types).map(([, specifier]) => specifier);
  return {
    tasks: PROJECTS.deno.scripts,
    imports: {
      ...Object.fromEntries(fromNpm(packages)),
      ...(own === null ? { tsgi: `jsr:@tsgi/tsgi@^${VERSION}` } : own.imports),
    },
    ...(own === null ? {} : { exclude: [own.folder] }), // no formatter, linter or test runner looks into the copy
    ...(typed.length === 0 ? {} : { compilerOptions: { types: typed } }),
  };
}
