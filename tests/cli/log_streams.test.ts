/**
 * Logs on pipes, full disks and sockets: nothing waits for a reader, lines stay whole, and what is lost is counted.
 */

import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { LogFile, type LogFileOptions } from "../../cli/log_file.ts";
import { makePipe, type Pipe } from "../pipe.ts";
import { Command, projectPath, runtimes, SITE, until, withCommand } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "tsgi-streams-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A request on a kept connection, with a User-Agent. */
function ask(agent: Agent, port: number, path: string, userAgent = "test"): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { "user-agent": userAgent };
    const sent = request({ agent, host: "127.0.0.1", port, path, headers, timeout: 15_000 }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode ?? 0));
    });
    sent.on("error", reject).on("timeout", () => sent.destroy(new Error("no answer in 15 s"))).end();
  });
}

describe("a log in this process", () => {
  let names = 0;
  /** A named pipe that this process reads when it wants to. */
  function fifo(): { path: string; read: () => string; open: () => void; close: () => void } {
    const path = join(folder, `fifo${names++}`);
    execFileSync("mkfifo", [path]);
    let reader = -1;
    const memory = Buffer.alloc(1024 * 1024);
    return {
      path,
      open: () => void (reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)),
      close: () => closeSync(reader),
      read: () => {
        try {
          return memory.toString("utf8", 0, readSync(reader, memory));
        } catch {
          return "";
        }
      },
    };
  }

  function log(path: string, more: Partial<LogFileOptions> = {}): { log: LogFile; lost: [number, string][] } {
    const lost: [number, string][] = [];
    const failed = (why: string): void => void lost.push([-1, why]);
    const opened = new LogFile({
      path,
      standard: 1,
      delay: 0,
      lost: (lines, why) => void lost.push([lines, why]),
      failed,
      ...more,
    });
    return { log: opened, lost };
  }

  it("14.19 keeps up to a bound what nobody reads; 14.21 the number of lines beyond it is told once they are read", async () => {
    const pipe = fifo();
    pipe.open();
    const { log: file, lost } = log(pipe.path);
    const line = `${"x".repeat(999)}\n`;
    const total = 12_000;
    for (let i = 0; i < total; i++) file.write(line);
    let text = "";
    await until("all that was kept", () => {
      for (let part = pipe.read(); part !== ""; part = pipe.read()) text += part;
      return lost.length > 0 && text.length / 1000 + (lost[0]?.[0] ?? 0) === total;
    });
    expect(lost).toEqual([[expect.any(Number), "nobody has read it"]]);
    expect(lost[0]?.[0]).toBeGreaterThan(3000);
    await file.close();
    pipe.close();
    expect(lost).toHaveLength(1);
  });

  it("14.21 a pipe without a reader: the lines until there is one are told as lost, once", async () => {
    const pipe = fifo();
    pipe.open();
    const { log: file, lost } = log(pipe.path, { reportsItself: true });
    pipe.close();
    for (let i = 0; i < 7; i++) file.write(`line ${i}\n`);
    expect(lost).toEqual([]); // it says so in this very log, so not yet
    pipe.open();
    file.write("line 7\n");
    expect(lost).toEqual([[7, expect.stringMatching(/EPIPE/)]]);
    expect(pipe.read()).toBe("line 7\n");
    await file.close();
    pipe.close();
    expect(lost).toHaveLength(1);
  });

  it("14.19 a named pipe that nobody reads yet does not hold up who opens it", async () => {
    const pipe = fifo();
    const { log: file } = log(pipe.path);
    file.write("before\n");
    pipe.open();
    expect(pipe.read()).toBe("before\n");
    await file.close();
    pipe.close();
  });

  it("14.21 /dev/full: what is lost is told after a moment, and the rest at the end", async () => {
    const { log: file, lost } = log("/dev/full", { delay: 10 });
    for (let i = 0; i < 5; i++) file.write(`line ${i}\n`);
    await until("the report", () => lost.length === 1);
    file.write("line 5\nline 6\n");
    await file.close();
    expect(lost).toEqual([[5, expect.stringMatching(/ENOSPC/)], [2, expect.stringMatching(/ENOSPC/)]]);
  });

  it("2g a line of which a part was written gets its end, though no line follows", () => {
    const path = join(folder, "torn");
    const script = `
      import { truncateSync } from "node:fs";
      const { LogFile } = await import(${JSON.stringify(pathToFileURL(projectPath("cli/log_file.ts")).href)});
      const lost = (lines) => console.log("lost", lines);
      const log = new LogFile({ path: ${JSON.stringify(path)}, standard: 1, delay: 0, lost, failed: console.log });
      for (let i = 0; i < 3; i++) log.write("x".repeat(299) + "\\n");
      truncateSync(${JSON.stringify(path)}, 400); // there is room again
      await log.close();`;
    const limited = ["-c", 'ulimit -f 1; exec "$@"', "sh", process.execPath, "--input-type=module", "-e", script];
    const output = execFileSync("sh", limited, { encoding: "utf8" }); // 512 bytes
    expect(output).toBe("lost 2\n"); // the one that is torn, and the one behind it
    expect(readFileSync(path, "utf8")).toBe(`${"x".repeat(299)}\n${"x".repeat(100)}\n`);
  });

  it.each([
    ["short lines", "a\nb\n", "a\nb\n"],
    ["a line that just fits", `${"x".repeat(4095)}\n`, `${"x".repeat(4095)}\n`],
    ["a line that does not", `a\n${"x".repeat(4096)}\nb\n`, `a\n${"x".repeat(4089)} [cut]\nb\n`],
    ["not within a character", `${"é".repeat(3000)}\nb\n`, `${"é".repeat(2044)} [cut]\nb\n`],
    ["part of a line", "no end yet", "no end yet"],
  ])("14.20 a line of more than 4096 bytes is cut for a pipe: %s", async (_what, text, written) => {
    const pipe = fifo();
    pipe.open();
    const { log: file } = log(pipe.path);
    file.write(text);
    await file.close();
    expect(pipe.read()).toBe(written);
    pipe.close();
  });
});

const APP = {
  "app.ts": `export const app = (environ: any, start: any) => {
    if (environ.PATH_INFO === "/errors") for (let i = 0; i < 300; i++) environ["wsgi.errors"].write("e".repeat(999) + "\\n");
    start("200 OK", []);
    return ["ok"];
  };`,
};

describe.each(runtimes)("%s", (runtime) => {
  /** Runs with pipes for standard output and error that are read only when the test does. */
  async function withPipes(
    args: readonly string[],
    run: (command: Command, out: Pipe, err: Pipe, port: number, log: () => string) => Promise<void>,
  ): Promise<void> {
    const [out, err] = [makePipe(), makePipe()];
    const all = ["-b", "127.0.0.1:0", "--graceful-timeout", "2", ...args, "app.ts:app"];
    const shell = 'chmod 755 . && exec "$@"'; // so that another user can read the application
    const command = new Command(runtime, { args: all, files: APP, out: out.writer, err: err.writer, shell });
    closeSync(out.writer);
    closeSync(err.writer);
    let text = "";
    const log = (): string => text += err.read();
    try {
      await until("it to serve", () => /All workers are ready/.test(log()), 20_000, () => text);
      await run(command, out, err, Number(/127\.0\.0\.1:(\d+)/.exec(text)?.[1]), log);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${log()}`, { cause: error });
    } finally {
      await command.stop();
      closeSync(out.reader);
      closeSync(err.reader);
    }
  }

  // A pipe of another user cannot be opened anew.
  const users: [whose: string, user: string[]][] = [["of one's own", []], ["of another user", ["-u", "nobody"]]];
  const possible = process.getuid?.() === 0 ? users : users.slice(0, 1);
  it.each(possible)("14.19 logs on pipes %s that nobody reads hold up nothing", async (_whose, user) => {
    const agent = new Agent({ keepAlive: true });
    const format = ["--access-logformat", "%(U)s %(a)s"];
    await withPipes([...user, "--access-logfile", "-", ...format], async (command, out, _err, port, log) => {
      for (let i = 0; i < 60; i++) expect(await ask(agent, port, `/${i}`, "a".repeat(3000))).toBe(200);
      for (let i = 0; i < 3; i++) expect(await ask(agent, port, "/errors")).toBe(200); // 900 KB
      const lines = new Set<string>();
      let text = "";
      await until("the access log", () => {
        text += out.read();
        for (const [, path] of text.matchAll(/^\/(\d+) a{3000}$/gm)) lines.add(path as string);
        return lines.size === 60;
      });
      await until("the error log", () => log().split(/^e{999}$/m).length - 1 === 900);
      for (let i = 0; i < 60; i++) await ask(agent, port, "/", "a".repeat(3000));
      await ask(agent, port, "/errors");
      agent.destroy();
      command.kill("SIGTERM");
      expect(await command.exit(10_000)).toEqual({ code: 0, signal: null }); // though nobody reads on
    });
  });

  it("14.20 the lines of two workers on one pipe stay whole; a longer one is cut with a mark", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    const args = ["-w", "2", "--access-logfile", "-", "--access-logformat", "[%(U)s %(a)s %(s)s]"];
    await withPipes(args, async (_command, out, _err, port) => {
      let text = "";
      const lengths = [10, 800, 3000, 6000];
      const all = Array.from(
        { length: 1200 },
        (_, i) => ask(agent, port, `/${i}`, "a".repeat(lengths[i % 4] as number)),
      );
      await until("the lines", () => (text += out.read()).split("\n").length > 1200, 30_000);
      await Promise.all(all);
      agent.destroy();
      const lines = text.trimEnd().split("\n");
      const whole = /^\[\/(\d+) (a+|a+\[cut\]) 200\]$/;
      expect(lines.filter((line) => !whole.test(line))).toEqual([]);
      expect(new Set(lines.map((line) => whole.exec(line)?.[1])).size).toBe(1200);
      expect(lines.filter((line) => line.includes("[cut]"))).toHaveLength(300);
    });
  });

  it("14.21 a full disk: the error log has the number of lines of the access log that were lost", async () => {
    const agent = new Agent({ keepAlive: true });
    await withCommand(runtime, { args: ["--access-logfile", "/dev/full", SITE] }, async (command) => {
      for (let i = 0; i < 9; i++) await ask(agent, command.port, "/");
      agent.destroy();
      const lost = (): number =>
        [...command.log.matchAll(/\[ERROR\] Lines of the access log were lost: (\d+) \(ENOSPC/g)].reduce(
          (sum, [, lines]) => sum + Number(lines),
          0,
        );
      await until("the report", () => lost() > 0);
      command.kill("SIGTERM");
      expect((await command.exit()).code).toBe(0);
      await command.closed;
      expect(lost()).toBe(9);
    });
  });

  it("14.21 an error log on a full disk goes to standard error instead", async () => {
    await withCommand(runtime, { args: ["--error-logfile", "/dev/full", SITE] }, async (command) => {
      await command.get("/errors");
      await command.logged(/\na word to wsgi\.errors\n/);
    });
  });

  it("/dev/stdout and /dev/stderr are the streams themselves", async () => {
    const args = ["--access-logfile", "/dev/stdout", "--error-logfile", "/dev/stderr", SITE];
    await withCommand(runtime, { args }, async (command) => {
      await command.get("/there");
      await until("the line", () => /GET \/there/.test(command.out));
    });
  });
});
