/**
 * Finds which modules a program loads. The runtime reports them; imports are not parsed.
 *
 * Node has hooks that see each module load, Bun keeps all modules in `require.cache`, and Deno writes a report of
 * coverage with a file for each module that was evaluated. The program has to end by itself.
 */

import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { projectPath, runCommand, type Runtime } from "./server_process.ts";

const PRELOAD = projectPath("tests/loaded_modules_preload.ts");
const DEADLINE = 30_000; // ms

/** A program, by its path. */
export interface Program {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a program and returns the modules below `root` that it has loaded: their relative paths, sorted by name.
 */
export async function loadedModules(runtime: Runtime, root: string, program: Program): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "tsgi-loaded-"));
  const report = join(folder, "report.json");
  const { binary } = runCommand(runtime, "");
  const command: Readonly<Record<Runtime, readonly string[]>> = {
    node: ["--import", PRELOAD],
    deno: ["run", "-A", "--no-lock", "--no-check", `--coverage=${folder}`],
    bun: ["--no-env-file", "--preload", PRELOAD],
  };
  const args = [...command[runtime], program.path, ...program.args ?? []];
  try {
    await new Promise<void>((resolve, reject) => {
      const env = { ...process.env, ...program.env, TSGI_LOADED: report };
      execFile(binary, args, { env, timeout: DEADLINE }, (error, stdout, stderr) => {
        if (error === null) resolve();
        else reject(new Error(`${program.path} on ${runtime}: ${error.message}\n${stdout}${stderr}`));
      });
    });
    const loaded = runtime === "deno" ? covered(folder) : JSON.parse(readFileSync(report, "utf8")) as string[];
    const real = realpathSync(root);
    return [...new Set(loaded.map((path) => relative(real, path)))].filter((path) => !path.startsWith("..")).toSorted();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The modules that have a file in a coverage report. */
function covered(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".json")).map((name) => {
    const { url } = JSON.parse(readFileSync(join(folder, name), "utf8")) as { url: string };
    return url.startsWith("file:") ? fileURLToPath(url) : url;
  });
}
