/**
 * Under load nothing is lost when workers come and go: HUP, TTIN, TTOU, max-requests.
 */

import { describe, expect, it } from "vitest";
import { Command, runtimes, SITE, until, withCommand } from "./command.ts";
import { nothingLost, underLoad } from "./load.ts";

const SERVES = (word: string): string =>
  `export const app = (_: unknown, start: (status: string, headers: []) => void) => {
    start("200 OK", []); return [${JSON.stringify(word)}]; };`;

describe.each(runtimes)("%s", (runtime) => {
  it("HUP twice, TTIN and TTOU under load: no request is lost", async () => {
    await withCommand(runtime, { args: ["-w", "2", SITE] }, async (command) => {
      const tally = await underLoad(command, async () => {
        for (const round of [2, 3]) {
          const before = command.workers;
          command.kill("SIGHUP");
          await command.logged(/All workers are ready/, round);
          await until("the old workers to be gone", () => !before.some((pid) => command.workers.includes(pid)));
          await command.pool(2);
        }
        command.kill("SIGTTIN");
        await command.pool(3);
        command.kill("SIGTTOU");
        await command.pool(2);
      });
      nothingLost(tally);
      command.kill("SIGTERM");
      expect(await command.exit()).toEqual({ code: 0, signal: null });
      console.log(`${runtime}: ${tally.answered} requests answered`);
    });
  }, 60_000);

  it("max-requests replaces workers under load: no request is lost", async () => {
    const args = ["-w", "2", "--max-requests", "200", "--max-requests-jitter", "50", SITE];
    await withCommand(runtime, { args }, async (command) => {
      const before = command.workers;
      const tally = await underLoad(command, async () => {
        await command.logged(/Autorestarting worker after current request/, 4, 30_000);
        await until("new workers", () => !before.some((pid) => command.workers.includes(pid)));
      });
      nothingLost(tally);
    });
  }, 60_000);

  it("HUP reads configuration and application anew; one that does not load changes nothing", async () => {
    const files = {
      "app.ts": SERVES("one"),
      "tsgi.config.mjs":
        "export default { workers: 1, bind: '127.0.0.1:0', onReload: (s) => s.log('on reload'), whenReady: (s) => s.log('when ready') };",
    };
    await withCommand(runtime, { args: ["--bind", "127.0.0.1:0", "app.ts"], files }, async (command) => {
      expect(await command.get("/")).toBe("one");
      command.write("app.ts", SERVES("two"));
      command.write("tsgi.config.mjs", "export default { workers: 2, onReload: (s) => s.log('on reload') };");
      command.kill("SIGHUP");
      await command.logged(/All workers are ready \(2\)/);
      await until("the new application", async () => await command.get("/") === "two");
      await command.pool(2);
      const before = command.workers.toSorted();

      command.write("app.ts", 'throw new Error("broken");');
      command.kill("SIGHUP");
      await command.logged(/The new workers did not start: the old ones serve on/);
      await command.logged(/Cannot load the application app\.ts: broken/);
      expect(await command.get("/")).toBe("two");
      await until("only the old workers", () => command.workers.length === 2);
      expect(command.workers.toSorted()).toEqual(before);

      command.write("app.ts", SERVES("three"));
      command.write("tsgi.config.mjs", "export default { workers: 'many' };");
      command.kill("SIGHUP");
      await command.logged(/The configuration stays as it was: .*workers: expected a whole number .*got string "many"/);
      expect(command.workers.toSorted()).toEqual(before);

      command.write("tsgi.config.mjs", "export default { workers: 1, pid: 'new.pid' };");
      command.kill("SIGHUP");
      await command.logged(/All workers are ready \(1\)/, 2);
      await until("the newest application", async () => await command.get("/") === "three");
      await command.pool(1);
      expect([...command.log.matchAll(/when ready/g)]).toHaveLength(1);
      expect(command.log).toMatch(/--pid has changed: that takes effect at the next start/);
      expect(command.log).toMatch(/on reload/);
    });
  }, 40_000);

  it("WINCH without a terminal stops the workers and keeps the arbiter; HUP brings them back", async () => {
    await withCommand(runtime, { args: [SITE] }, async (command) => {
      command.kill("SIGWINCH");
      await command.pool(0);
      const waiting = command.get("/pid"); // in the queue of the socket, which nobody has closed
      command.kill("SIGHUP");
      await command.pool(1);
      expect(Number(await waiting)).toBe(command.workers[0]);
    });
  });
});

it("a reload of a command that is stopping is ignored", async () => {
  const command = await Command.serving("node", { args: ["--graceful-timeout", "5", SITE] });
  try {
    const slow = command.get("/wait?ms=600");
    await until("the request", () => command.workers.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    command.kill("SIGTERM");
    await command.logged(/Shutting down/);
    command.kill("SIGHUP");
    expect(await slow).toBe("waited");
    expect(await command.exit()).toEqual({ code: 0, signal: null });
    expect([...command.log.matchAll(/Booting/g)]).toHaveLength(1);
  } finally {
    await command.stop();
  }
});
