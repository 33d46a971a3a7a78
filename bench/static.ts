/**
 * Measures `staticFiles` against an application that reads the file with one `readSync` for each request: CPU time of a
 * GET of 64 KiB, the largest file that `staticFiles` reads in one piece.
 *
 *     npm run bench:static -- --runtime node --rounds 7
 *
 * `k64.bin` has a media type that is never compressed; for `k64.txt` `staticFiles` also looks for a compressed form beside
 * the file. The two servers take turns (A B A B), and the ratio is that of one round.
 *
 * @module
 */

import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import type { Runtime } from "../tests/server_process.ts";
import { commandLine, count, members } from "./command_line.ts";
import { program, runtimes as known } from "./contestants.ts";
import { Contender } from "./contender.ts";
import { round } from "./measure.ts";
import { median, ranged, ratios, short } from "./statistics.ts";
import { K64, type Workload } from "./workloads.ts";
import { failures } from "./wrk.ts";

const NAMES = ["k64.bin", "k64.txt"];
const SIDES = ["staticFiles", "readSync"] as const;
const WARM_UP = 1; // s
const LONG_AGO = new Date("2026-01-01T00:00:00Z");

const given = commandLine("npm run bench:static -- [--runtime node,deno,bun] [--rounds 7] [--duration 2]", {
  runtime: known.join(","),
  rounds: "7",
  duration: "2",
});
const rounds = count("rounds", given.rounds);
const seconds = count("duration", given.duration);
const directory = mkdtempSync(join(tmpdir(), "tsgi-static-bench-"));
const content = "x".repeat(K64);

function workload(name: string): Workload {
  const requests = [`GET /${name} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip, br\r\n\r\n`];
  return { name, job: "k64", what: name, connections: 16, requests, answers: 1 };
}

/** A server could seem faster because it answers with less. */
async function check({ name, port }: Contender, file: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/${file}`);
  if (response.status !== 200 || await response.text() !== content) throw new Error(`${name}: another response`);
}

async function compare(runtime: Runtime, file: string): Promise<string> {
  const running: Contender[] = [];
  const costs = SIDES.map((): number[] => []);
  try {
    for (const side of SIDES) {
      const contender = await Contender.start(program(side, runtime, "static.ts", [directory, side]), "k64");
      running.push(contender);
      await check(contender, file);
      await round(contender, workload(file), WARM_UP, directory);
    }
    for (let i = 0; i < rounds; i++) {
      for (const [at, contender] of running.entries()) {
        const result = await round(contender, workload(file), seconds, directory);
        if (failures([result]) > 0) throw new Error(`${contender.name}, ${file}: requests failed`);
        (costs[at] as number[]).push(result.cpu);
      }
    }
  } finally {
    await Promise.all(running.map((contender) => contender.stop()));
  }
  const [ours, theirs] = costs as [number[], number[]];
  return `| ${runtime} | ${file} | ${short(median(ours))} | ${short(median(theirs))} | ${
    ranged(ratios(ours, theirs))
  } |`;
}

try {
  for (const name of NAMES) {
    writeFileSync(join(directory, name), content);
    utimesSync(join(directory, name), LONG_AGO, LONG_AGO);
  }
  console.log(`Load average at the start: ${loadavg().map((load) => load.toFixed(1)).join(", ")}\n`);
  console.log("| runtime | file | us a GET, staticFiles | readSync | ratio |");
  console.log("| ------- | ---- | --------------------: | -------: | ----: |");
  for (const runtime of members("runtime", given.runtime, known)) {
    for (const name of NAMES) console.log(await compare(runtime, name));
  }
} finally {
  rmSync(directory, { recursive: true });
}
