/**
 * What a program finds in the process of its worker, and how it ends: as where a user has started it.
 */

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ended, projectPath, runtimes, until, withCommand } from "./command.ts";
import { nothingLost, underLoad } from "./load.ts";

const program = (name: string): string => projectPath(`tests/cli/programs/${name}`);

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tsgi-program-"));
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.concurrent.each(runtimes)("%s", (runtime) => {
  it("16.7 a program hears of SIGTERM when no new request can come: one that refuses them loses none at a reload", async () => {
    await withCommand(runtime, { args: ["-w", "2", program("ends.mjs"), "--", "exit"] }, async (command) => {
      const tally = await underLoad(command, async () => {
        command.kill("SIGHUP");
        await command.logged(/program: cleaned up SIGTERM 15 0/, 2, 30_000);
      });
      nothingLost(tally);
    });
  });

  it.each(["exit", "kill", "nothing"])(
    "16.8 what a program does behind server.close() is done before its worker exits; it ends by: %s",
    async (how) => {
      await withCommand(runtime, { args: [program("ends.mjs"), "--", how] }, async (command) => {
        expect(await command.get("/ok?1")).toBe("ok 1");
        command.kill("SIGTERM");
        expect(await command.exit(10_000)).toEqual({ code: 0, signal: null });
        expect(command.log).toMatch(/program: cleaned up SIGTERM 15 0/);
      });
    },
  );

  it("16.9 a command without an extension, a link to one, is the main module, and gets the arguments behind --", async () => {
    await withFolder(async (folder) => {
      mkdirSync(join(folder, "bin"));
      cpSync(program("process.cjs"), join(folder, "bin/www"));
      symlinkSync(join(folder, "bin/www"), join(folder, "link"));
      await withCommand(runtime, { args: [join(folder, "link"), "--", "-p", "8080", "a,b"] }, async (command) => {
        const seen = JSON.parse(await command.get("/"));
        expect(seen).toMatchObject({ args: ["-p", "8080", "a,b"], main: true, send: "undefined" });
      });
    });
  });

  it("16.9 a .js file of CommonJS runs where package.json does not say what it is", async () => {
    await withFolder(async (folder) => {
      cpSync(program("process.cjs"), join(folder, "server.js"));
      writeFileSync(join(folder, "package.json"), "{}");
      await withCommand(runtime, { args: [join(folder, "server.js")] }, async (command) => {
        expect(JSON.parse(await command.get("/"))).toMatchObject({ main: true, args: [] });
      });
    });
  });

  it("16.10 a program that listens for uncaught exceptions decides itself what becomes of them", async () => {
    await withCommand(runtime, { args: [program("process.cjs")] }, async (command) => {
      const { pid } = JSON.parse(await command.get("/throw"));
      await command.logged(/program: goes on behind a late error/);
      expect(JSON.parse(await command.get("/")).pid).toBe(pid);
    });
  });

  it("16.11 a program that changes its working directory leaves the access log where it is, also at USR1", async () => {
    await withCommand(
      runtime,
      { args: ["--access-logfile", "access.log", program("process.cjs")] },
      async (command) => {
        const log = command.path("access.log");
        await command.get("/1");
        await until("a line", () => existsSync(log) && readFileSync(log, "utf8").includes("GET /1"));
        renameSync(log, `${log}.1`);
        command.kill("SIGUSR1");
        await until("the new log", () => existsSync(log));
      },
    );
  });

  it("16.12 node:cluster is refused with the reason", async () => {
    const { code, err } = await ended(runtime, { args: ["-b", "127.0.0.1:0", program("cluster.mjs")] });
    expect(code).toBe(3);
    expect(err).toMatch(/The program starts processes with node:cluster, as the command does with --workers/);
  });
});

it(
  "16.8 Deno.exit() in a listener of Deno.addSignalListener() cuts no request",
  async () => {
    await withCommand("deno", { args: [program("deno_exit.ts")] }, async (command) => {
      const running = command.get("/?ms=700");
      await command.get("/");
      command.kill("SIGTERM");
      expect(await running).toBe("answered");
      expect(await command.exit()).toEqual({ code: 0, signal: null });
      expect(command.log).toContain("program: told");
    });
  },
);
