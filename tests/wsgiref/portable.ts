/**
 * Runs a program of checks on the three runtimes, and makes each check a test.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { projectPath, runCommand, type Runtime } from "../server_process.ts";
import { type Check, MARK, type Result } from "./check.ts";

const DEADLINE = 60_000; // ms for all checks on one runtime

/** Registers the checks as tests; `program` is the file that runs them. `flags` are permissions for Deno. */
export function portable(program: string, checks: readonly Check[], flags: readonly string[] = []): void {
  test("names are unique", () => {
    const names = checks.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  describe.each<Runtime>(["node", "deno", "bun"])("on %s", (runtime) => {
    let results: ReadonlyMap<string, string | null> = new Map();
    let output = "";
    let code = -1;

    beforeAll(async () => {
      const { binary, args } = runCommand(runtime, program, flags);
      const env = { ...process.env, NO_COLOR: "1" };
      const options = { cwd: projectPath(""), timeout: DEADLINE, killSignal: "SIGKILL", env } as const;
      await new Promise<void>((resolve) => {
        execFile(binary, args, { ...options, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
          output = `${stdout}${stderr}`;
          code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
          const lines = stdout.split("\n").filter((line) => line.startsWith(MARK));
          results = new Map(
            lines.map((line) => JSON.parse(line.slice(MARK.length)) as Result).map(({ name, error }) => [name, error]),
          );
          resolve();
        });
      });
    }, DEADLINE);

    test.each(checks.map(({ name }) => name))("%s", (name) => {
      if (!results.has(name)) expect.fail(`It did not come to an end\n${output}`);
      expect(results.get(name)).toBe(null);
    });

    test("nothing is left running, and nothing was left unhandled", () => {
      expect(code, output).toBe(0);
    });
  });
}
