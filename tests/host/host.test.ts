/**
 * What a program sees of `serve` itself on each runtime: clear errors and exit statuses, IPv6, and an orderly end.
 */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { connect } from "node:net";
import type { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { until } from "../lifecycle/cell.ts";
import { makePipe } from "../pipe.ts";
import { projectPath, runCommand, type Runtime } from "../server_process.ts";

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(runtime: Runtime, what: string): Promise<Ended> {
  const { binary, args } = runCommand(runtime, "tests/host/program.ts", ["--allow-net", "--allow-env"]);
  return new Promise((resolve) => {
    execFile(binary, [...args, what], { timeout: 20_000, cwd: projectPath("") }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? NaN), stdout, stderr });
    });
  });
}

/** A program that logs a lot to `stderr`. */
function start(runtime: Runtime, stderr: "pipe" | number): ChildProcess {
  const { binary, args } = runCommand(runtime, "tests/host/program.ts", ["--allow-net", "--allow-env"]);
  return spawn(binary, [...args, "a log that nobody reads"], { stdio: ["ignore", "pipe", stderr] });
}

describe.each<Runtime>(["node", "deno", "bun"])("%s", (runtime) => {
  it.each([
    ["port in use", /ListenError: Cannot listen on 127\.0\.0\.1:\d+: the address is already in use/],
    ["unknown host", /ListenError: Cannot listen on no\.such\.host\.invalid:0: the host name cannot be resolved/],
    ["foreign address", /ListenError: Cannot listen on 192\.0\.2\.1:0: the address does not belong to this machine/],
    ["bad option", /OptionError: Option port: expected a whole number from 0 to 65535, got number 99999/],
    ["unknown option", /OptionError: Option prot: there is no such option; did you mean port\?/],
    ["no application", /ApplicationError: Expected an application: .*, got number 42/],
  ])("%s: one named error, exit status 1", async (what, message) => {
    const { code, stderr } = await run(runtime, what);
    expect(stderr).toMatch(message);
    expect(code).toBe(1);
  });

  it("listens on IPv6", async () => {
    expect(await run(runtime, "IPv6")).toMatchObject({ code: 0, stdout: "served\n" });
  });

  it("makeServer answers a request at a time, changes its application, and serves for ever until shutdown", async () => {
    expect(await run(runtime, "makeServer")).toMatchObject({
      code: 0,
      stdout: "served close | served close | false\nchanged null | changed null\ncut\n",
    });
  });

  it("an onListen that throws rejects serve and leaves nothing listening", async () => {
    expect(await run(runtime, "onListen throws")).toMatchObject({ code: 0, stdout: "not now closed\n" });
  });

  it("X02 survives that nobody reads its standard error", async () => {
    const { binary, args } = runCommand(runtime, "tests/host/program.ts", ["--allow-net", "--allow-env"]);
    const child = spawn(binary, [...args, "nobody reads stderr"], { stdio: ["pipe", "pipe", "pipe"] });
    let out = "";
    child.stdout.on("data", (text) => out += text);
    await once(child.stdout, "data");
    child.stderr.destroy();
    child.stdin.write("go\n");
    const [code] = await once(child, "close");
    expect([code, out.split("\n")[1]]).toEqual([0, "500,500,500,500,500"]);
  });

  it.each(["pipe", "socket"])("14.19 a %s that nobody reads for the log holds up no request", async (kind) => {
    const pipe = makePipe();
    const child = start(runtime, kind === "pipe" ? pipe.writer : "pipe");
    closeSync(pipe.writer);
    try {
      const port = Number(await once(child.stdout as Readable, "data"));
      const get = async (): Promise<string> => {
        const signal = AbortSignal.timeout(10_000);
        return await (await fetch(`http://127.0.0.1:${port}/`, { signal })).text();
      };
      for (let i = 0; i < 8; i++) expect(await get()).toBe("served"); // 2.4 MB, more than is kept
      let log = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => log += text);
      const all = async (what: string, done: () => boolean): Promise<void> => {
        await until(what, () => {
          if (child.stderr === null) log += pipe.read();
          return done();
        });
      };
      await all("what was kept", () => log.length > 1_000_000 && log.endsWith("\n"));
      expect(await get()).toBe("served");
      await all("each line, or its number", () => {
        const numbers = [...log.matchAll(/^tsgi: (\d+) lines? of this log were lost here$/gm)];
        const lost = numbers.reduce((sum, [, number]) => sum + Number(number), 0);
        return lost > 1000 && lost + [...log.matchAll(/^x{999}$/gm)].length === 9 * 300;
      });
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
      closeSync(pipe.reader);
    }
  });

  it("14.25 serve() does not fail because nobody reads standard error", async () => {
    const pipe = makePipe();
    closeSync(pipe.reader);
    const child = start(runtime, pipe.writer);
    closeSync(pipe.writer);
    try {
      const port = Number(await once(child.stdout as Readable, "data"));
      const headers = { connection: "close" };
      for (let i = 0; i < 3; i++) {
        expect(await (await fetch(`http://127.0.0.1:${port}/`, { headers })).text()).toBe("served");
      }
    } finally {
      child.kill("SIGTERM");
      expect(await once(child, "exit")).toEqual([0, null]);
    }
  });

  it("L05 clients that leave before they are accepted hold nobody up", async () => {
    const { binary, args } = runCommand(runtime, "tests/host/program.ts", ["--allow-net", "--allow-env"]);
    const child = spawn(binary, [...args, "nobody reads stderr"], { stdio: ["pipe", "pipe", "inherit"] });
    const [port] = await once(child.stdout, "data");
    const storm = Array.from({ length: 300 }, () =>
      new Promise<void>((resolve) => {
        const socket = connect(Number(port), "127.0.0.1", () => socket.resetAndDestroy());
        socket.on("error", () => {}).once("close", () => resolve());
      }));
    await Promise.all(storm);
    // With a wait for each of them this would be half a minute.
    const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(10_000) });
    expect(await answer.text()).toBe("served");
    child.kill("SIGKILL");
    await once(child, "close");
  });

  it("shutdown without a time-out ends idle connections", async () => {
    expect(await run(runtime, "shutdown at once")).toMatchObject({ code: 0, stdout: "done\n" });
  });

  it("14.29 a signal is let go of by servers that have stopped", async () => {
    expect(await run(runtime, "signal")).toMatchObject({ code: 0, stdout: "1 0\n" });
  });

  it("14.29 shutdown rejects for a bad time-out, and stops nothing", async () => {
    expect(await run(runtime, "bad time-out")).toMatchObject({ code: 0, stdout: "6 true 200\n" });
  });

  it("shutdown finishes what runs, cuts what does not end, frees the port, and leaves nothing behind", async () => {
    expect(await run(runtime, "shutdown")).toMatchObject({ code: 0, stdout: "finished cut closed\n" });
  });
});
