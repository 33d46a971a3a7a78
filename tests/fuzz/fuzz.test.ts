/**
 * The short form of `npm run fuzz`: each target some thousand times, and a proof that faults are found and stated.
 */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { expect, it } from "vitest";
import { projectPath } from "../server_process.ts";
import { mutants } from "./mutants.ts";
import { targets } from "./targets/mod.ts";

const FIXED = 20261126;
const fresh = Math.floor(Math.random() * 2 ** 31);
const RUNS = "3000";

/** Runs the fuzzer; its exit status and what it prints. */
function fuzz(...args: string[]): Promise<{ status: number; text: string }> {
  const program = ["--disable-warning=ExperimentalWarning", projectPath("tests/fuzz/main.ts"), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, program, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), text: stdout + stderr });
    });
  });
}

it("18.4 each target holds its invariants: a fixed seed", async () => {
  const { status, text } = await fuzz("--runs", RUNS, "--seed", `${FIXED}`);
  expect(text).not.toContain("FAULT");
  expect(status).toBe(0);
  const lines = text.trimEnd().split("\n");
  expect(lines.map((line) => line.split(":")[0])).toEqual(Object.keys(targets));
  for (const line of lines) {
    expect(line).toMatch(
      /: 3000 executions in [0-9.]+ s, seed 20261126, branches [0-9]+\/[0-9]+ \([0-9.]+ %\), functions /,
    );
    expect(Number(/branches .*?\(([0-9.]+) %\)/.exec(line)?.[1]), line).toBeGreaterThan(85);
  }
});

it(`18.4 each target holds its invariants: the fresh seed ${fresh}`, async () => {
  const { status, text } = await fuzz("--runs", RUNS, "--seed", `${fresh}`);
  expect(text).not.toContain("FAULT");
  expect(status).toBe(0);
});

it.each(mutants)("18.4 the code that a fault replaces is there once: $file, $from", ({ file, from }) => {
  expect(readFileSync(projectPath(file), "utf8").split(from)).toHaveLength(2);
});

it("18.4 faults that are put into parsers are found", async () => {
  const names = ["proxy", "forwarded", "x-forwarded", "addresses", "names", "tls-options", "fastcgi"].flatMap((
    name,
  ) => ["--target", name]);
  const { status, text } = await fuzz("--mutants", "--seed", `${FIXED}`, "--runs", "50000", ...names);
  expect(text).not.toContain("NOT FOUND");
  expect(text.match(/found: /g)?.length).toBeGreaterThan(6);
  expect(status).toBe(0);
});

it("18.4 a malformed option is an error that names the targets", async () => {
  const { status, text } = await fuzz("--target", "http9");
  expect(status).toBe(2);
  expect(text).toContain("No target http9");
  expect(text).toContain("one of http1, chunked");
});

it("18.4 one input runs by itself", async () => {
  const { status, text } = await fuzz("--target", "proxy", "--input", "0d61");
  expect([status, text]).toEqual([0, "proxy: the input passes\n"]);
});
