/**
 * The wire corpus against the echo example in each of the five socket cells: the same verdict everywhere.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Runtime, ServerProcess } from "../server_process.ts";
import { loadCases, runAll, type Verdict } from "./driver.ts";

const cases = await loadCases([new URL("http1.jsonl", import.meta.url), new URL("extended.jsonl", import.meta.url)]);
const JOBS = 16;

const cells: [name: string, runtime: Runtime, file: string][] = [
  ["node", "node", "examples/echo.ts"],
  ["deno", "deno", "examples/echo.ts"],
  ["bun", "bun", "examples/echo.ts"],
  ["node:net under deno", "deno", "tests/wire/runners/node_net.ts"],
  ["node:net under bun", "bun", "tests/wire/runners/node_net.ts"],
];

it("the corpus is the whole corpus", () => expect(cases.length).toBeGreaterThanOrEqual(458 + 150));

describe.each(cells)("%s", (_name, runtime, file) => {
  let server: ServerProcess;
  let verdicts: Verdict[];

  beforeAll(async () => {
    server = await ServerProcess.start(runtime, file, /http:\/\/127\.0\.0\.1:(\d+)\//, {
      flags: ["--allow-net", "--allow-env"],
      env: { PORT: "0" },
    });
    verdicts = await runAll(cases, { host: "127.0.0.1", port: Number(server.ready[1]), timeout: 3 }, JOBS);
  }, 120_000);

  afterAll(() => server?.stop());

  it.each(cases.map((wire, index) => [wire.id, wire.why, index] as const))("%s: %s", (_id, _why, index) => {
    expect(verdicts[index]?.reason).toBeNull();
  });

  it("the server has survived", () => expect(server.alive).toBe(true));
});
