/**
 * Signals that come while the processes start: nothing happens but what the signal is for.
 */

import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { nodeCommand } from "../../cli/child.ts";
import { Command, runAndStop, type Runtime, runtimes, SITE, until, withCommand } from "./command.ts";

const EVERY = 5; // ms between two shots
const LAST = 300; // ms after the first one
const GRACE = 600; // ms of a process in which Deno does not open its inspector yet

/** Waits for a condition, or the end of the command, and loses no time. */
async function soon(command: Command, holds: () => boolean): Promise<void> {
  let over = false;
  void command.exited.then(() => over = true);
  while (!holds() && !over) await new Promise((resolve) => setImmediate(resolve));
}

/** Fires a signal again and again until the last time, or the command has ended. */
async function fire(command: Command, signal: NodeJS.Signals, every: number): Promise<void> {
  let over = false;
  void command.exited.then(() => over = true);
  for (const end = performance.now() + LAST; performance.now() < end && !over; await pause(every)) {
    try {
      command.kill(signal);
    } catch {
      return; // it has ended
    }
  }
}

const INSPECTOR = ":240D"; // port 9229 in /proc

/** Whether a process listens where inspectors do; one that is gone does not. */
function inspected(pid: number): boolean {
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").map((line) => line.trim().split(/\s+/));
  const inodes = rows.filter((row) => row[1]?.endsWith(INSPECTOR) && row[3] === "0A").map((row) =>
    `socket:[${row[9]}]`
  );
  try {
    const descriptors = readdirSync(`/proc/${pid}/fd`);
    return descriptors.some((fd) => inodes.includes(readlinkSync(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false; // what was closed since is looked for again
  }
}

/** Expects an answer, no inspector, and an end as it should be. */
async function servesOn(command: Command): Promise<void> {
  const answers = async (): Promise<boolean> => (await command.get("/?on").catch(() => "")) === "ok on";
  await until("an answer", answers, 20_000, () => command.log);
  const all = [command.pid, command.arbiter, ...command.workers];
  if (/Debugger/.test(command.log)) await until("no inspector", () => !all.some(inspected), 2000); // Deno opens it first
  else expect(all.filter(inspected)).toEqual([]);
  command.kill("SIGTERM");
  expect(await command.exit()).toEqual({ code: 0, signal: null });
}

/** Runs with a command that has only just been started. */
async function started(
  runtime: Runtime,
  args: readonly string[],
  run: (command: Command) => Promise<void>,
): Promise<void> {
  await runAndStop(new Command(runtime, { args: ["-b", "127.0.0.1:0", ...args, SITE] }), run);
}

describe.concurrent.each(runtimes)("%s", (runtime) => {
  it.each<[NodeJS.Signals, number]>([
    ["SIGHUP", EVERY],
    ["SIGUSR1", EVERY],
    ["SIGTTIN", 10 * EVERY], // each is a process more
    ["SIGTTOU", EVERY],
  ])("14.9 %s from the first line of output on: the command goes on serving", async (signal, every) => {
    await started(runtime, ["-w", "2"], async (command) => {
      await soon(command, () => command.log !== "");
      await fire(command, signal, every);
      await servesOn(command);
    });
  });

  it.each<NodeJS.Signals>(["SIGTERM", "SIGINT", "SIGQUIT"])(
    "14.9 %s from the first line of output on: the command ends with status 0",
    async (signal) => {
      await started(runtime, ["-w", "2"], async (command) => {
        await soon(command, () => command.log !== "");
        await fire(command, signal, EVERY);
        expect(await command.exit()).toEqual({ code: 0, signal: null });
      });
    },
  );

  it("14.9 WINCH from the first line of output on: no worker is left, and HUP brings them back", async () => {
    await started(runtime, ["-w", "2"], async (command) => {
      await soon(command, () => command.log !== "");
      await fire(command, "SIGWINCH", EVERY);
      await command.pool(0);
      command.kill("SIGHUP");
      await servesOn(command);
    });
  });

  it("14.9 from the moment in which the pidfile is there, HUP, USR1, TTIN and TTOU are safe", async () => {
    await started(runtime, ["-p", "pid"], async (command) => {
      await soon(command, () => existsSync(command.path("pid")));
      for (let shot = 0; shot < 12; shot++) {
        for (const signal of ["SIGHUP", "SIGUSR1", "SIGTTOU"] as const) command.kill(signal);
        if (shot % 4 === 0) command.kill("SIGTTIN");
        await pause(EVERY);
      }
      await servesOn(command);
    });
  });

  it("14.9 TERM in the moment in which the pidfile is there: status 0, and nothing is left", async () => {
    await started(runtime, ["-p", "pid", "-b", "unix:./a.sock"], async (command) => {
      await soon(command, () => existsSync(command.path("pid")));
      command.kill("SIGTERM");
      expect(await command.exit()).toEqual({ code: 0, signal: null });
      expect(["pid", "a.sock"].filter((name) => existsSync(command.path(name)))).toEqual([]);
    });
  });

  it("14.9 TERM ends an arbiter whose configuration file hangs", async () => {
    const hangs = "if (process.connected) await new Promise((resolve) => setTimeout(resolve, 1e6));"; // no launcher is
    const files = { "tsgi.config.mjs": `${hangs} export default {};` };
    const command = new Command(runtime, { args: ["-b", "127.0.0.1:0", "-p", "pid", SITE], files });
    try {
      await soon(command, () => existsSync(command.path("pid")));
      command.kill("SIGTERM");
      expect(await command.exit()).toEqual({ code: 0, signal: null });
      expect(command.log).toBe("");
    } finally {
      await command.stop();
    }
  });

  it("14.9 USR1 leaves no inspector open, wherever it is sent", async () => {
    await withCommand(runtime, { args: [SITE] }, async (command) => {
      const all = [command.pid, command.arbiter, ...command.workers];
      await pause(GRACE);
      for (let shot = 0; shot < 3; shot++) {
        for (const pid of all) process.kill(pid, "SIGUSR1");
        await pause(EVERY);
      }
      await command.logged(/Handling signal: usr1/);
      if (runtime !== "deno") expect(command.log).not.toMatch(/Debugger/);
      await servesOn(command);
    });
  });

  it("14.9 a command that does not serve has the signals' default effects", async () => {
    const files = { "app.ts": "console.log('loading'); await new Promise((r) => setTimeout(r, 1e6));" };
    const command = new Command(runtime, { args: ["--check-config", "app.ts"], files });
    try {
      await soon(command, () => command.out !== "");
      command.kill("SIGHUP");
      expect(await command.exit()).toEqual({ code: null, signal: "SIGHUP" });
    } finally {
      await command.stop();
    }
  });
});

it("14.9 on Node the processes that tsgi starts open no inspector: --disable-sigusr1", async () => {
  await withCommand("node", { args: [SITE] }, async (command) => {
    await command.get("/");
    for (const pid of [command.arbiter, ...command.workers]) {
      expect(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")).toContain("--disable-sigusr1");
    }
  });
  expect(nodeCommand(["--disable-sigusr1", "--inspect"], "a.ts")).toEqual(["--disable-sigusr1", "--inspect", "a.ts"]);
});
