/**
 * Workers that hang or fail while they load the application, and signals that come meanwhile: what serves goes on.
 */

import { describe, expect, it } from "vitest";
import { Command, ended, runtimes, SITE, until, withCommand } from "./command.ts";

const SERVES = (word: string, before = ""): string =>
  `import { closeSync, existsSync, openSync } from "node:fs"; ${before}
  export const app = (_: unknown, start: (status: string, headers: []) => void) => {
    start("200 OK", []); return [${JSON.stringify(word)}]; };`;
const HANGS = "await new Promise((resolve) => setTimeout(resolve, 1e6));";

function count(command: Command, pattern: RegExp): number {
  return [...command.log.matchAll(pattern)].length;
}

describe.concurrent.each(runtimes)("%s", (runtime) => {
  it("14.10 HUP to an application that hangs: what dies is replaced, the reload is given up, and it is said", async () => {
    const args = ["-b", "127.0.0.1:0", "-w", "2", "app.ts"];
    const files = { "app.ts": SERVES("one"), "tsgi.config.mjs": "export default {};" };
    await withCommand(runtime, { args, files }, async (command) => {
      const [victim, other] = command.workers as [number, number];
      command.write("app.ts", SERVES("two", HANGS));
      command.write("tsgi.config.mjs", "export default { bootTimeout: 2 };");
      command.kill("SIGHUP");
      await command.logged(/Booting worker/, 4);
      process.kill(victim, "SIGKILL");
      await command.logged(/was ended by SIGKILL: 1 of 2 workers serve, and the files on disk are newer/);
      await command.logged(/Booting worker/, 5);
      await command.logged(/has not loaded the application within 2 s \(--boot-timeout\)/, 2);
      await command.logged(/The new workers did not start: the old ones serve on; 1 of 2 workers serve, and the files/);
      expect(await command.get("/")).toBe("one");
      command.write("app.ts", SERVES("three")); // the next try loads that, also without HUP
      await command.pool(2);
      for (const hanging of command.workers.filter((pid) => pid !== other)) process.kill(hanging, "SIGKILL");
      await until("the pool to be whole", async () => await command.get("/") === "three");
      expect(command.workers).toContain(other);
    });
  });

  it("14.10 an application that hangs at the first start ends the command with status 3, and it is said", async () => {
    const args = ["-b", "127.0.0.1:0", "-w", "2", "--boot-timeout", "1", "app.ts"];
    const { code, err } = await ended(runtime, { args, files: { "app.ts": SERVES("one", HANGS) } });
    expect(err).toMatch(/Worker \(pid:\d+\) has not loaded the application within 1 s \(--boot-timeout\)/);
    expect(code).toBe(3);
  });

  it("14.10 a configuration file that hangs holds up no later reload", async () => {
    const config = (text: string): string => `${text} export default { bootTimeout: 8 };`; // enough for a good one
    const files = { "app.ts": SERVES("one"), "tsgi.config.mjs": config("") };
    await withCommand(runtime, { args: ["-b", "127.0.0.1:0", "app.ts"], files }, async (command) => {
      command.write("tsgi.config.mjs", config(HANGS));
      command.kill("SIGHUP");
      await command.logged(/The configuration stays as it was: it was not read within 8 s \(--boot-timeout\)/);
      command.write("tsgi.config.mjs", config(""));
      command.write("app.ts", SERVES("two"));
      command.kill("SIGHUP");
      await until("the new application", async () => await command.get("/") === "two");
    });
  });

  it("14.11 one worker that does not load at the first start is tried again when another is ready", async () => {
    // The first process that makes the file fails, and at once.
    const fails = `let first = true; try { closeSync(openSync("made", "wx")); } catch { first = false; }
      if (first) throw new Error("not this one");`;
    const args = ["-b", "127.0.0.1:0", "-w", "2", "app.ts"];
    await withCommand(runtime, { args, files: { "app.ts": SERVES("one", fails) } }, async (command) => {
      expect(command.log).toMatch(/Cannot load the application app\.ts: not this one/);
      expect(count(command, /Booting worker/g)).toBe(3);
      expect(await command.get("/")).toBe("one");
    });
  });

  it("14.11 when none of them loads the command ends with status 3, after one try each", async () => {
    const files = { "app.ts": 'throw new Error("none");' };
    const args = ["-b", "127.0.0.1:0", "-w", "2", "--log-level", "debug", "app.ts"];
    const { code, err } = await ended(runtime, { args, files });
    expect(code).toBe(3);
    expect([...err.matchAll(/Booting worker/g)]).toHaveLength(2);
  });

  it("14.12 TTIN and TTOU with one worker, while the second one boots: the first one serves on", async () => {
    const slow = `if (existsSync("slow")) ${HANGS}`;
    const args = ["-b", "127.0.0.1:0", "app.ts"];
    await withCommand(runtime, { args, files: { "app.ts": SERVES("one", slow) } }, async (command) => {
      const before = command.workers;
      command.write("slow", "");
      command.kill("SIGTTIN");
      await command.logged(/Booting worker/, 2);
      command.kill("SIGTTOU");
      await command.logged(/Worker exited/);
      expect(command.workers).toEqual(before);
      expect(await command.get("/")).toBe("one");
    });
  });

  it("14.12 TTOU after WINCH starts no worker, TTIN does; wsgi.multiprocess is true, for TTIN may come", async () => {
    await withCommand(runtime, { args: [SITE] }, async (command) => {
      expect(JSON.parse(await command.get("/about")).multiprocess).toBe(true);
      command.kill("SIGWINCH");
      await command.pool(0);
      command.kill("SIGTTOU");
      await command.logged(/Handling signal: ttou/);
      command.kill("SIGTTIN");
      await until("an answer", async () => await command.get("/?on") === "ok on");
      expect(count(command, /Booting worker/g)).toBe(2);
    });
  });

  it("14.12 a worker that serves before the arbiter knows it finishes what runs when it is to go", async () => {
    const command = new Command(runtime, { args: ["-b", "127.0.0.1:0", "--log-level", "debug", SITE] });
    try {
      await command.logged(/Booting worker/);
      process.kill(command.arbiter, "SIGSTOP");
      await until("an answer", async () => (await command.get("/?x").catch(() => "")) === "ok x");
      const running = command.get("/wait?ms=700");
      const seen = command.get("/?seen"); // behind it in the queue of the socket
      expect(await seen).toBe("ok seen");
      command.kill("SIGHUP");
      process.kill(command.arbiter, "SIGCONT");
      expect(await running).toBe("waited");
      await command.logged(/All workers are ready/);
    } finally {
      await command.stop();
    }
  });
});
