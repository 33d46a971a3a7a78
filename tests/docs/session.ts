/**
 * The `sh` blocks of a page, as its reader types them: one line after the other, in a folder that looks like a checkout
 * with the files of the page in it. A line that serves goes on serving until another one does, and is asked once.
 *
 * The example values of our pages are replaced: ports by free ones, absolute paths by paths below the folder.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { ownEnvironment, projectPath } from "../server_process.ts";
import { makeFolder, pageBlocks, removeFolder, writeBlocks } from "./blocks.ts";
import { type Address, addressOf, endLine, runLine, serves } from "./line.ts";
import { fences, programName } from "./markdown.ts";
import { ask, isAnswer } from "./served.ts";

const root = projectPath("");

/** Example values, which are replaced by those of this machine. */
const PORTS = /\b(?:127\.0\.0\.1|0\.0\.0\.0|localhost):(?:8000|9000|4000|3031)\b/g;
const ABSOLUTE = /(^|[\s"'=:])(\/(?:run|srv|var|etc)\/[\w./-]+)/g;

/** The command of the installed package is that of the checkout here; `scripts/pack_check.ts` installs it. */
const PACKAGE_COMMANDS: readonly (readonly [RegExp, string])[] = [
  [/^npx tsgi\b/, "tsgi"],
  [/^deno run -A npm:tsgi\b/, "deno run -A cli/main.ts"],
  [/^bunx --bun tsgi\b/, "bun run cli/main.ts"],
];

/** A line that has been run. */
export interface Ran {
  readonly output: string;
  /** The exit status; null while it serves. */
  readonly status: number | null;
}

/** Runs the commands of a page in order, as a reader does. */
export class Session {
  /** The working directory. */
  readonly folder: string;
  readonly #base: string;
  readonly #bin: string;
  readonly #machine: string; // stands for /; short, for Unix sockets are below it
  #server: { readonly child: ChildProcess; readonly address: Address } | undefined;

  /** Makes the folder. */
  constructor(page: string) {
    const base = makeFolder("session");
    const blocks = [...pageBlocks(page), ...pageBlocks("README.md").filter(({ file }) => file === "README/app.ts")];
    writeBlocks(blocks, base, new Map()); // "tsgi" is the checkout's own name
    this.folder = join(base, page.replace(/\.md$/, ""));
    mkdirSync(this.folder, { recursive: true });
    for (const block of fences(page).filter(({ info }) => info === "js")) {
      writeFileSync(join(this.folder, programName(block)), block.code);
    }
    const own = new Set([".git", "dist", ...readdirSync(this.folder)]);
    for (const name of readdirSync(root).filter((name) => !own.has(name))) {
      symlinkSync(join(root, name), join(this.folder, name));
    }
    if (!own.has("app.ts")) symlinkSync(join(base, "README/app.ts"), join(this.folder, "app.ts"));
    this.#bin = join(base, "bin");
    mkdirSync(this.#bin);
    writeFileSync(join(this.#bin, "tsgi"), `#!/bin/sh\nexec node ${join(root, "cli/main.ts")} "$@"\n`);
    chmodSync(join(this.#bin, "tsgi"), 0o755);
    this.#base = base;
    this.#machine = mkdtempSync(join(tmpdir(), "docs-"));
    chmodSync(this.#machine, 0o755);
  }

  /** A command, or a config, with example values replaced. */
  substituted(text: string, port: number = this.#port ?? 0): string {
    return text.replace(PORTS, `127.0.0.1:${port}`).replace(/\bPORT=\d+/g, "PORT=0")
      .replace(/(--port[ =])\d+/g, "$10").replace(ABSOLUTE, (_, before: string, path: string) => {
        const moved = join(this.#machine, path);
        mkdirSync(dirname(moved), { recursive: true });
        return `${before}${moved}`;
      });
  }

  get #port(): number | undefined {
    const to = this.#server?.address.to;
    return to !== undefined && "port" in to ? to.port : undefined;
  }

  /**
   * Runs a line until it ends or serves.
   *
   * @throws {Error} (as a rejection) when it does neither, or serves and does not answer 200.
   */
  async run(line: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const command = PACKAGE_COMMANDS.reduce((text, [form, here]) => text.replace(form, here), line);
    const long = serves(command);
    const ran = await runLine(line, this.substituted(command, long ? 0 : undefined), {
      cwd: this.folder,
      env: { ...this.#environment(), ...env },
      serves: long,
    });
    const output = ran.output();
    if (ran.status !== null) return { output, status: ran.status };
    await this.#stopServing();
    const address = addressOf(line, output);
    this.#server = { child: ran.child, address };
    const answer = await ask(address.to, address.protocol);
    if (!isAnswer(answer)) throw new Error(`${line}: expected a 200, got ${answer}`);
    return { output, status: null };
  }

  #environment(): Record<string, string | undefined> {
    const { WEB_CONCURRENCY: _workers, ...environment } = ownEnvironment();
    const path = [this.#bin, join(root, "node_modules/.bin"), environment.PATH].join(delimiter);
    const values = { PATH: path, PORT: "0", TSGI_BIND: "127.0.0.1:0", NO_COLOR: "1" };
    // `npm start` would install what the lockfile has and node_modules has not, beneath the tests that run.
    return { ...environment, ...values, npm_config_ignore_scripts: "true" };
  }

  async #stopServing(): Promise<void> {
    if (this.#server !== undefined) await endLine(this.#server.child, "SIGKILL");
    this.#server = undefined;
  }

  /** Ends the running processes, and removes the folder. */
  async end(): Promise<void> {
    await this.#stopServing();
    removeFolder(this.#base);
    rmSync(this.#machine, { recursive: true, force: true });
  }
}
