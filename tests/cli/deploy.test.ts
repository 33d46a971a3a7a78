/**
 * Deploys by a symbolic link: releases r1 and r2, and `current`, which leads to one of them.
 */

import { cpSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CommandOptions, projectPath, type Runtime, runtimes, until, withCommand } from "./command.ts";

/** Makes a release that answers with its name; tsgi is in it, as an installation of packages would put it there. */
function release(root: string, name: string, workers: number): string {
  const folder = join(root, name);
  for (const path of ["bin", "site"]) mkdirSync(join(folder, path), { recursive: true });
  const answer = `(_, start) => { start("200 OK", []); return ["${name} " + process.pid]; }`;
  for (const path of ["app.mjs", "site/app.mjs"]) writeFileSync(join(folder, path), `export const app = ${answer};`);
  writeFileSync(join(folder, "tsgi.config.mjs"), `export default { wsgiApp: "app.mjs:app", workers: ${workers} };`);
  for (const part of ["cli", "core", "adapters"]) {
    cpSync(projectPath(part), join(folder, "tsgi", part), { recursive: true });
  }
  writeFileSync(join(folder, "tsgi/package.json"), '{"type":"module"}');
  symlinkSync("../tsgi/cli/main.ts", join(folder, "bin/tsgi"));
  return folder;
}

/** Leads the link to another release, in one step. */
function lead(root: string, name: string): void {
  symlinkSync(name, join(root, "next"));
  renameSync(join(root, "next"), join(root, "current"));
}

/** Deno takes a link to a module for another module: there the command is `npm:tsgi` or the file itself. */
function command(runtime: Runtime): string {
  return runtime === "deno" ? "tsgi/cli/main.ts" : "bin/tsgi";
}

const ways: readonly [string, (runtime: Runtime, root: string) => CommandOptions][] = [
  ["started in the link, with the command in the release", (runtime, root) => ({
    shell: `cd ${root}/current && exec "$@"`,
    main: command(runtime),
  })],
  ["--chdir below the link, with the command in the release", (runtime, root) => ({
    args: ["--chdir", `${root}/current/site/../site/`, "--config", `${root}/current/tsgi.config.mjs`],
    main: `${root}/current/${command(runtime)}`,
  })],
  ["started in the release and --chdir to the link, as systemd does it, with the command elsewhere", (_, root) => ({
    shell: `unset PWD; exec "$@"`,
    args: ["--chdir", `${root}/current`],
    cwd: `${root}/current`,
  })],
];

describe.each(runtimes)("%s", (runtime) => {
  it.each(ways)("14 a link that leads to a new release, and the old one removed: %s", async (_name, options) => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "tsgi-deploy-")));
    try {
      const old = release(root, "r1", 1);
      lead(root, "r1");
      await withCommand(runtime, options(runtime, root), async (running) => {
        const [name, pid] = (await running.get("/")).split(" ");
        expect(name).toBe("r1");
        release(root, "r2", 2);
        lead(root, "r2");
        rmSync(old, { recursive: true });

        process.kill(Number(pid), "SIGKILL");
        await until("a worker of the new release", async () => (await running.get("/")).startsWith("r2 "));
        running.kill("SIGHUP");
        await running.logged(/All workers are ready \(2\)/);
        await running.pool(2);
        const victim = running.workers[0] as number;
        process.kill(victim, "SIGKILL");
        await until("another worker", () => running.workers.length === 2 && !running.workers.includes(victim));
        await running.logged(/All workers are ready \(2\)/);
        expect(await running.get("/")).toMatch(/^r2 /);
        running.kill("SIGTERM");
        expect(await running.exit()).toEqual({ code: 0, signal: null });
        expect(running.log).not.toMatch(/Cannot|restart the command/);
      });
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  }, 60_000);

  it("14 while the link is away no worker can start, and it is tried again", async () => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "tsgi-deploy-")));
    try {
      release(root, "r1", 1);
      lead(root, "r1");
      await withCommand(runtime, { args: ["--chdir", `${root}/current`, "app.mjs"] }, async (running) => {
        rmSync(join(root, "current"));
        process.kill(running.workers[0] as number, "SIGKILL");
        await running.logged(/Cannot start a worker: .*chdir/);
        running.kill("SIGHUP");
        await running.logged(/The configuration stays as it was: .*chdir/);
        lead(root, "r1");
        await until("an answer", async () => (await running.get("/")).startsWith("r1 "));
      });
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  }, 60_000);
});
