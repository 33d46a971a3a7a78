/**
 * What a project that `tsgi init` makes is, and how it is installed, tested and started on each runtime.
 *
 * On Deno the package comes from JSR, as the sources: the import map has it once, and `deno run tsgi/cli` takes the
 * command from there, so that it and the application are of one version and share one copy.
 *
 * @module
 */

import { VERSION } from "../../core/version.ts";
import { APP_FILE, type Template } from "./templates.ts";

/** A runtime that a project is made for. */
export type ProjectRuntime = "node" | "deno" | "bun";

/** A file of a project. */
export interface ProjectFile {
  /** Where it stands in the project. */
  readonly path: string;
  /** What it is, in a few words. */
  readonly what: string;
  /** What is in it. */
  readonly text: string;
}

/** What to run in the folder of a project, as a shell takes it, and where that leads. */
export interface ProjectCommands {
  /** The manifest. */
  readonly manifest: "package.json" | "deno.json";
  /** Installs what the project needs; null where the runtime does that by itself. */
  readonly install: string | null;
  /** Runs its tests. */
  readonly test: string;
  /** Serves with two workers, and the settings of tsgi.config.ts. */
  readonly start: string;
  /** Serves, and reloads when a file changes. */
  readonly dev: string;
  /** What the manifest says of these. */
  readonly scripts: Readonly<Record<"start" | "dev" | "test", string>>;
  /** The `tsgi` command without a script: the words in front of its options, for systemd and Docker. */
  readonly command: readonly string[];
}

/** What is behind the command in the script that serves, and in the one that reloads. */
const START = `-w 2 ${APP_FILE}`;
const DEV = `--reload ${APP_FILE}`;

/** The three. */
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
    // A package's command is for Node, unless Bun is told to run it itself.
    scripts: { start: `bun --bun tsgi ${START}`, dev: `bun --bun tsgi ${DEV}`, test: "bun test" },
    command: ["bun", "node_modules/tsgi/cli/main.js"],
  },
};

/** The text of the manifest. */
export function manifest(runtime: ProjectRuntime, name: string, { packages, types }: Template): string {
  const content = runtime === "deno" ? denoManifest(packages, types) : {
    name,
    private: true,
    type: "module",
    scripts: { ...PROJECTS[runtime].scripts, check: "tsc" },
    dependencies: { ...packages, tsgi: `^${VERSION}` },
    devDependencies: { ...types, "@types/node": "^26.6.6", typescript: "^7.0.2" },
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Deno looks for types beside a package and nowhere else, unless the options of its compiler name them. */
function denoManifest(packages: Template["packages"], types: Template["types"]): Record<string, unknown> {
  const fromNpm = (all: Template["packages"]): [string, string][] =>
    Object.entries(all).map(([name, range]) => [name, `npm:${name}@${range}`]);
  const typed = fromNpm(types).map(([, specifier]) => specifier);
  return {
    tasks: PROJECTS.deno.scripts,
    imports: { ...Object.fromEntries(fromNpm(packages)), tsgi: `jsr:@tsgi/tsgi@^${VERSION}` },
    ...(typed.length === 0 ? {} : { compilerOptions: { types: typed } }),
  };
}
