/**
 * The end of a program with a Python application: nothing of the bridge keeps its process alive.
 */

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { runCommand, type Runtime, ServerProcess } from "../../server_process.ts";
import { ask, runs, until } from "./served.ts";

const RUNTIMES: readonly Runtime[] = ["node", "deno", "bun"];
const ENDS = 5000; // ms
const folder = mkdtempSync(join(tmpdir(), "tsgi-ending-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Starts `program.ts` in a process group of its own. */
async function start(runtime: Runtime, what: string): Promise<{ program: ServerProcess; told: Told }> {
  const { binary, args } = runCommand(runtime, "tests/bridges/python/program.ts", ["-A"]);
  const program = await ServerProcess.spawn(
    `${what} on ${runtime}`,
    ["setsid", binary, ...args, what],
    /^\{.*\}$/m,
    { SUITE_FOLDER: folder, TMPDIR: folder, PYTHONDONTWRITEBYTECODE: "1" },
  );
  return { program, told: JSON.parse(program.ready[0]) };
}

interface Told {
  readonly port: number;
  readonly pids: number[];
  readonly status: number;
}

/** Expects that a program ends by itself, and with it its Python processes and their folder. */
async function endsWell(program: ServerProcess, pids: readonly number[]): Promise<void> {
  const late = new Promise((resolve) => setTimeout(resolve, ENDS, "still runs").unref());
  const exit = await Promise.race([program.exited, late]);
  if (exit === "still runs") await program.stop();
  expect([exit, program.stderr]).toEqual([{ code: 0, signal: null }, ""]);
  await until("the end of the Python processes", async () => !(await Promise.all(pids.map(runs))).some((one) => one));
  expect(readdirSync(folder).filter((name) => name.startsWith("tsgi-python"))).toEqual([]);
}

describe.each(RUNTIMES)("a program with fromPython on %s", (runtime) => {
  it.each(
    [
      ["SIGTERM", "the process"],
      ["SIGTERM", "its group"],
      ["SIGINT", "its group"],
    ] as const,
  )("20.6 ends by %s to %s, after the running request", async (signal, whom) => {
    const { program, told } = await start(runtime, "serve");
    expect((await ask(told.port, "/facts")).status).toBe(200);
    const running = ask(told.port, "/nap?0.5");
    await until("the request to run", async () => (await ask(told.port, "/facts")).status === 200);
    process.kill(whom === "its group" ? -program.pid : program.pid, signal);
    expect((await running).status).toBe(200);
    await endsWell(program, told.pids);
  }, 20_000);

  it("20.6 ends by itself after a call and a reload without a server", async () => {
    const { program, told } = await start(runtime, "call");
    expect(told.status).toBe(200);
    expect(told.pids).toHaveLength(2);
    await endsWell(program, told.pids);
  }, 20_000);
});
