/**
 * The `sh` blocks of a page, as its reader types them: one line after the other, in a folder that looks like a checkout
 * with the files of the page in it. A line that serves goes on serving until another one does, and is asked once.
 *
 * The example values of our pages are replaced: ports by free ones, absolute paths by paths below the folder.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import type { Protocol } from "../../mod.ts";
import { until } from "../lifecycle/cell.ts";
import { ownEnvironment, projectPath } from "../server_process.ts";
import { makeFolder, pageBlocks, removeFolder, writeBlocks } from "./blocks.ts";
import { fences, programName } from "./markdown.ts";
import { ask, isAnswer } from "./served.ts";

const root = projectPath("");

/** The line of a server that is ready: of `serve`, `tsgi`, `deno serve`, and Bun with a default export. */
const READY = /Listening on (\S+)|Started development server: (\S+)|All workers are ready/;
/** The commands of the runtimes and of tsgi, and those among them that have to end. */
const SERVES = /^(?:\w+=\S+ )*(?:node|deno|bun|tsgi|npm start)\b/;
const ENDS = /--(?:check-config|print-config|version|help)\b/;
const LISTENING = /Listening at: (\S+?),? /;
const DEADLINE = 30_000; // ms

/** Example values, which are replaced by those of this machine. */
const PORTS = /\b(?:127\.0\.0\.1|0\.0\.0\.0|localhost):(?:8000|9000|4000|3031)\b/g;
const ABSOLUTE = /(^|[\s"'=:])(\/(?:run|srv|var|etc)\/[\w./-]+)/g;

/** The command of the installed package is that of the checkout here; `scripts/pack_check.ts` installs it. */
const PACKAGE_COMMANDS: readonly (readonly [RegExp, string])[] = [
  [/^npx tsgi\b/, "tsgi"],
  [/^deno run -A npm:tsgi\b/, "deno run -A cli/main.ts"],
  [/^bunx --bun tsgi\b/, "bun run cli/main.ts"],
];

/** The lines of a `sh` block: comments are left out, lines that end with a backslash joined. */
export function commandLines(code: string): string[] {
  return code.replace(/\\\n\s*/g, "").split("\n").map((line) => line.replace(/(^|\s+)#.*$/, "").trim())
    .filter((line) => line !== "");
}

/** A line that has been run. */
export interface Ran {
  readonly output: string;
  /** The exit status; null while it serves. */
  readonly status: number | null;
}

interface Address {
  readonly to: { readonly host: string; readonly port: number } | { readonly path: string };
  readonly protocol: Protocol;
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
    const serves = SERVES.test(command) && !ENDS.test(command);
    const child = spawn("sh", ["-c", this.substituted(command, serves ? 0 : undefined)], {
      cwd: this.folder,
      detached: true, // a group of its own, which is ended as one
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...this.#environment(), ...env },
    });
    const heard = { output: "", ended: false, status: 0 };
    child.stdout?.setEncoding("utf8").on("data", (text) => heard.output += text);
    child.stderr?.setEncoding("utf8").on("data", (text) => heard.output += text);
    child.once("close", (code) => {
      heard.ended = true;
      heard.status = code ?? 1;
    });
    try {
      const ready = (): boolean => heard.ended || (serves && READY.test(heard.output));
      await until(`${line} to serve or to end`, ready, DEADLINE, () => `\n${heard.output}`);
    } catch (error) {
      await end(child);
      throw error;
    }
    if (heard.ended && serves) throw new Error(`${line} ended without having served\n${heard.output}`);
    if (heard.ended) return { output: heard.output, status: heard.status };
    await this.#stopServing();
    const address = addressOf(line, heard.output);
    this.#server = { child, address };
    const answer = await ask(address.to, address.protocol);
    if (!isAnswer(answer)) throw new Error(`${line}: expected a 200, got ${answer}`);
    return { output: heard.output, status: null };
  }

  #environment(): Record<string, string | undefined> {
    const { WEB_CONCURRENCY: _workers, ...environment } = ownEnvironment();
    const path = [this.#bin, join(root, "node_modules/.bin"), environment.PATH].join(delimiter);
    const values = { PATH: path, PORT: "0", TSGI_BIND: "127.0.0.1:0", NO_COLOR: "1" };
    // `npm start` would install what the lockfile has and node_modules has not, beneath the tests that run.
    return { ...environment, ...values, npm_config_ignore_scripts: "true" };
  }

  async #stopServing(): Promise<void> {
    if (this.#server !== undefined) await end(this.#server.child);
    this.#server = undefined;
  }

  /** Ends the running processes, and removes the folder. */
  async end(): Promise<void> {
    await this.#stopServing();
    removeFolder(this.#base);
    rmSync(this.#machine, { recursive: true, force: true });
  }
}

/** Finds the address of a server in its output. */
function addressOf(line: string, output: string): Address {
  const ready = READY.exec(output);
  const url = (ready?.[1] ?? ready?.[2] ?? LISTENING.exec(output)?.[1]) as string;
  const protocol = (/--protocol[ =](\w+)/.exec(line)?.[1] ?? "http") as Protocol;
  if (url.startsWith("unix:")) return { to: { path: url.slice("unix:".length) }, protocol };
  return { to: { host: "127.0.0.1", port: Number(new URL(url.replace(/^\w+:/, "http:")).port) }, protocol };
}

/** Kills a process and those that it has started, and waits until it is gone. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  process.kill(-(child.pid as number), "SIGKILL");
  await gone;
}
