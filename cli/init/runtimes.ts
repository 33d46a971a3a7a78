/**
 * What a project that `tsgi init` makes is, and how it is installed, tested and started on each runtime.
 *
 * On Deno the package comes from JSR, as the sources: the import map has it once, and `deno run tsgi/cli` takes the
 * command from there, so that it and the application are of one version and share one copy.
 *
 * @module
 */

import { VERSION } from "../../core/version.ts";

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
  /** Serves, with the settings of tsgi.config.ts. */
  readonly start: string;
  /** Serves, and reloads when a file changes. */
  readonly dev: string;
  /** What the manifest says of these. */
  readonly scripts: Readonly<Record<"test" | "start" | "dev", string>>;
  /** The `tsgi` command without a script: the words in front of its options, for systemd and Docker. */
  readonly command: readonly string[];
}

/** The three. */
export const PROJECTS: Readonly<Record<ProjectRuntime, ProjectCommands>> = {
  node: {
    manifest: "package.json",
    install: "npm install",
    test: "npm test",
    start: "npm start",
    dev: "npm run dev",
    scripts: { test: "node --test", start: "tsgi", dev: "tsgi --reload" },
    command: ["node", "node_modules/tsgi/cli/main.js"],
  },
  deno: {
    manifest: "deno.json",
    install: null,
    test: "deno task test",
    start: "deno task start",
    dev: "deno task dev",
    scripts: { test: "deno test -A", start: "deno run -A tsgi/cli", dev: "deno run -A tsgi/cli --reload" },
    command: ["deno", "run", "-A", "tsgi/cli"],
  },
  bun: {
    manifest: "package.json",
    install: "bun install",
    test: "bun run test",
    start: "bun run start",
    dev: "bun run dev",
    // A package's command is for Node, unless Bun is told to run it itself.
    scripts: { test: "bun test", start: "bun --bun tsgi", dev: "bun --bun tsgi --reload" },
    command: ["bun", "node_modules/tsgi/cli/main.js"],
  },
};

/** The text of the manifest. */
export function manifest(runtime: ProjectRuntime, name: string): string {
  const { scripts: { test, start, dev } } = PROJECTS[runtime];
  const content = runtime === "deno"
    ? { tasks: { start, dev, test }, imports: { tsgi: `jsr:@tsgi/tsgi@^${VERSION}` } }
    : {
      name,
      private: true,
      type: "module",
      scripts: { start, dev, test, check: "tsc" },
      dependencies: { tsgi: `^${VERSION}` },
      devDependencies: { "@types/node": "^26.6.6", typescript: "^7.0.2" },
    };
  return `${JSON.stringify(content, null, 2)}\n`;
}
