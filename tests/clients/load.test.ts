/**
 * wrk and h2load against examples/serve.ts, one runtime after another.
 *
 * Not a benchmark: no number of requests per second is asked for beyond what a working server gives anywhere. What is
 * asked for is that not one of many requests fails, that pipelined answers come in full, and that the server is silent
 * about clients that cut their connections, as wrk does at its end.
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Example, runtimes } from "./example.ts";
import { run, testWith } from "./tool.ts";

const TRIVIAL = 1000; // requests in 10 s

describe.each(runtimes)("load, %s", (runtime) => {
  let server: Example;

  beforeAll(async () => {
    server = await Example.start("serve", runtime);
  });

  afterAll(() => server.stop());

  testWith("wrk", "wrk: 32 connections for 10 s", async () => {
    const { code, stdout, stderr } = await run("wrk", ["-t1", "-c32", "-d10s", "--latency", server.url()]);
    expect(code, stderr).toBe(0);
    expect(stdout, stdout).not.toMatch(/Socket errors|Non-2xx/);
    expect(Number(/^\s*([0-9]+) requests in /m.exec(stdout)?.[1])).toBeGreaterThan(TRIVIAL);
    const [rate, p99] = [/^Requests\/sec:\s*(\S+)/m, /^\s*99%\s*(\S+)/m].map((part) => part.exec(stdout)?.[1]);
    console.info(`wrk, ${runtime}: ${rate} requests/s, 99 % within ${p99}`);
  }, 30_000);

  testWith("h2load", "h2load, HTTP/1.1: 20000 requests over 20 connections", () => h2load(server, []));

  testWith("h2load", "h2load, HTTP/1.1: the same with 8 pipelined requests", () => h2load(server, ["-m", "8"]));

  test("the server still runs and has reported nothing", () => {
    expect({ alive: server.alive, stderr: server.stderr }).toEqual({ alive: true, stderr: "" });
  });
});

async function h2load(server: Example, args: readonly string[]): Promise<void> {
  const ran = await run("h2load", ["--h1", "-n", "20000", "-c", "20", "-t", "1", ...args, server.url()]);
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  const { stdout } = ran;
  expect(stdout).toMatch(/^Application protocol: http\/1\.1$/m);
  expect(stdout, stdout).toMatch(
    /^requests: 20000 total, 20000 started, 20000 done, 20000 succeeded, 0 failed, 0 errored, 0 timeout$/m,
  );
  expect(stdout, stdout).toMatch(/^status codes: 20000 2xx, 0 3xx, 0 4xx, 0 5xx$/m);
  const rate = /^finished in .*?, (\S+) req\/s/m.exec(stdout)?.[1];
  console.info(`${["h2load", ...args].join(" ")}, ${server.runtime}: ${rate} requests/s`);
}
