/**
 * Workers that hang, stop, crash or are killed, and processes that lose their parent.
 */

import { describe, expect, it } from "vitest";
import { Command, runs, runtimes, SITE, until, withCommand } from "./command.ts";

const WITHIN = 5000; // ms in which nothing is left of an arbiter that was killed

/** A request that is not answered. */
function unanswered(command: Command, path: string): void {
  command.get(path).catch(() => {});
}

/** The processes of a command. */
function allOf(command: Command): number[] {
  return [command.pid, command.arbiter, ...command.workers];
}

describe.concurrent.each(runtimes)("%s", (runtime) => {
  it("a worker in an endless loop, and one that is stopped, are killed and replaced after timeout", async () => {
    await withCommand(
      runtime,
      { args: ["-w", "2", "--timeout", "1", "--access-logfile", "-", SITE] },
      async (command) => {
        const before = command.workers;
        unanswered(command, "/block");
        await command.logged(/WORKER TIMEOUT \(pid:\d+\): it has not answered for 1 s/);
        await command.logged(/Worker \(pid:\d+\) was ended by SIGKILL/);
        await until(
          "a new worker",
          () => command.workers.length === 2 && command.workers.some((p) => !before.includes(p)),
        );
        await until("a line of the access log", () => /"- worker-timeout:\d+ -" 504 -/.test(command.out));
        const stopped = command.workers[0] as number;
        process.kill(stopped, "SIGSTOP");
        await command.logged(new RegExp(`WORKER TIMEOUT \\(pid:${stopped}\\)`));
        await until("a new worker", () => command.workers.length === 2 && !command.workers.includes(stopped));
        await until("an answer", async () => (await command.get("/?again")) === "ok again");
      },
    );
  });

  it("the hook workerAbort is called when the loop comes free before SIGKILL; booting does not count", async () => {
    const files = {
      "tsgi.config.ts": `export default { timeout: 1,
        workerAbort: (worker: { log(m: string): void }) => worker.log("aborting"),
        workerInt: (worker: { log(m: string): void }) => worker.log("interrupted"),
        postFork: () => new Promise((resolve) => setTimeout(resolve, 1500)) };`,
    };
    await withCommand(runtime, { args: [SITE], files }, async (command) => {
      expect(command.log).not.toMatch(/TIMEOUT/); // it took longer to boot than the time-out
      unanswered(command, "/block?ms=1700");
      await command.logged(/WORKER TIMEOUT/);
      await command.logged(/aborting/);
      await command.logged(/was ended by SIGKILL/);
      await command.logged(/Booting worker/, 2);
      await command.logged(/All workers are ready/, 1);
      await until("an answer", async () => (await command.get("/?again").catch(() => "")) === "ok again");
      command.kill("SIGINT");
      expect(await command.exit()).toEqual({ code: 0, signal: null });
      expect(command.log).toMatch(/interrupted/);
    });
  });

  it("when the arbiter is killed, nothing is left after 5 s, not even a blocked worker", async () => {
    await withCommand(runtime, { args: ["-w", "2", SITE] }, async (command) => {
      const all = allOf(command);
      unanswered(command, "/block");
      process.kill(command.arbiter, "SIGKILL");
      await until("the end of all", () => !all.some(runs), WITHIN);
      expect((await command.exit()).code).toBe(1);
    });
  });

  it("when the launcher is killed, arbiter and workers stop", async () => {
    await withCommand(runtime, { args: ["-w", "2", SITE] }, async (command) => {
      const all = allOf(command);
      command.kill("SIGKILL");
      await until("the end of all", () => !all.some(runs), WITHIN);
    });
  });

  it("a worker that was killed is replaced at once, again and again", async () => {
    await withCommand(runtime, { args: ["-w", "2", SITE] }, async (command) => {
      for (let round = 0; round < 4; round++) {
        const victim = command.workers[0] as number;
        process.kill(victim, "SIGKILL");
        await until("two workers", () => command.workers.length === 2 && !command.workers.includes(victim));
        await command.get("/");
      }
      expect(command.log).not.toMatch(/in a row/);
    });
  });

  it("workers that crash soon after they are ready are started ever more slowly, and it is said", async () => {
    const files = {
      "app.ts": `setTimeout(() => { throw new Error("soon"); }, 100); export const app = () => ["never"];`,
    };
    const command = new Command(runtime, { args: ["-b", "127.0.0.1:0", "app.ts"], files });
    try {
      await command.logged(/Workers have crashed 4 times in a row: the next one starts in 2 s/);
      expect(command.log).toMatch(/Uncaught: Error: soon/);
      expect([...command.log.matchAll(/Booting worker/g)].length).toBe(4);
      command.kill("SIGTERM");
      expect(await command.exit()).toEqual({ code: 0, signal: null });
    } finally {
      await command.stop();
    }
  });

  it("TERM finishes what runs; past graceful-timeout it is cut; both exit with 0", async () => {
    for (const [seconds, whole] of [[5, true], [1, false]] as const) {
      await withCommand(runtime, { args: ["--graceful-timeout", String(seconds), SITE] }, async (command) => {
        const blocks = 20; // two seconds
        const response = await fetch(`http://127.0.0.1:${command.port}/slow?blocks=${blocks}`);
        const body = response.text().then((text) => text.length === 6 * blocks, () => false);
        command.kill("SIGTERM");
        expect(await body).toBe(whole);
        expect(await command.exit()).toEqual({ code: 0, signal: null });
        await expect(fetch(`http://127.0.0.1:${command.port}/`)).rejects.toThrow();
      });
    }
  });
});
