/**
 * Compares frameworks that run on tsgi's bridges with the servers that people usually run them on.
 *
 *     npm run bench:bridges -- --framework hono --runtime node,bun --workload hello,json --rounds 5 --duration 2
 *
 * They take turns (A B A B), each with one core to itself while wrk has the other. The measure is CPU time per request.
 * The ratio is the other server's time divided by ours, so above 1 tsgi takes less.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { runCommand, type Runtime } from "../tests/server_process.ts";
import { commandLine, count, members } from "./command_line.ts";
import { type Contestant, runtimes } from "./contestants.ts";
import { Contender } from "./contender.ts";
import { needed } from "./machine.ts";
import { type Round, round } from "./measure.ts";
import { median, ranged, ratios, short } from "./statistics.ts";
import { type Workload, workloads } from "./workloads.ts";
import { failures } from "./wrk.ts";

const WARM_UP = 1; // s
const AGENT = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";

/** The requests. Each has Host and the fields that every client sends. */
const asked: readonly Workload[] = [
  of("hello", "GET, a text", "tiny", []),
  of("json", "GET, JSON of a parameter, a query and a header; the URL is new each time", "tiny", [
    ["GET / ", "GET /items/{n}?page=2 "],
    ["\r\n\r\n", `\r\nAccept: application/json\r\n${AGENT}\r\n\r\n`],
  ]),
  of("post1k", "POST of 1 KiB, read and sent back", "post1k", []),
];

function of(name: string, what: string, like: string, changes: readonly (readonly [string, string])[]): Workload {
  const model = workloads.find((one) => one.name === like) as Workload;
  const requests = model.requests.map((text) => changes.reduce((all, [from, to]) => all.replace(from, to), text));
  return { ...model, name, what, requests };
}

const names = asked.map(({ name }) => name);
const given = commandLine(
  `npm run bench:bridges -- [--framework hono,express] [--runtime ${runtimes.join(",")}] [--workload ${
    names.join(",")
  }] [--rounds 5] [--duration 2]`,
  {
    framework: "hono,express",
    runtime: runtimes.join(","),
    workload: names.join(","),
    rounds: "5",
    duration: "2",
  },
);
const rounds = count("rounds", given.rounds);
const seconds = count("duration", given.duration);
const directory = mkdtempSync(join(tmpdir(), "tsgi-bench-bridges-"));

type How = "tsgi" | "lazy" | "native";

/** A framework on a runtime: the server that people usually run it on, and how it runs over tsgi. */
interface Comparison {
  readonly framework: "hono" | "express";
  readonly runtime: Runtime;
  readonly native: string;
  readonly ours: readonly How[];
}

/** On runtimes where `lazy` makes a difference, it is measured too: by default they get real Request objects. */
const comparisons: readonly Comparison[] = [
  { framework: "hono", runtime: "node", native: "@hono/node-server", ours: ["tsgi", "lazy"] },
  { framework: "hono", runtime: "deno", native: "Deno.serve", ours: ["tsgi"] },
  { framework: "hono", runtime: "bun", native: "Bun.serve", ours: ["tsgi", "lazy"] },
  { framework: "express", runtime: "node", native: "node:http", ours: ["tsgi"] },
  { framework: "express", runtime: "deno", native: "node:http", ours: ["tsgi"] },
  { framework: "express", runtime: "bun", native: "node:http", ours: ["tsgi"] },
];

function contestant({ framework, runtime, native }: Comparison, how: How): Contestant {
  const { binary, args } = runCommand(runtime, `bench/servers/${framework}.ts`, ["-A"]);
  const name = how === "native" ? native : how === "lazy" ? "tsgi, lazy" : "tsgi";
  return { name, absent: () => null, command: () => [binary, ...args, how] };
}

async function compare(comparison: Comparison, workload: Workload): Promise<void> {
  const running: Contender[] = [];
  try {
    for (const how of ["native", ...comparison.ours] as const) {
      running.push(await Contender.start(contestant(comparison, how), workload.job));
    }
    for (const contender of running) await round(contender, workload, WARM_UP, directory);
    const measured = running.map((): Round[] => []);
    for (let i = 0; i < rounds; i++) {
      for (const [at, contender] of running.entries()) {
        measured[at]?.push(await round(contender, workload, seconds, directory));
      }
    }
    const failed = failures(measured.flat());
    const [theirs = [], ...ours] = measured.map((all) => all.map(({ cpu }) => cpu));
    for (const [at, own] of ours.entries()) {
      const name = running[at + 1]?.name as string;
      const figures = [
        comparison.framework,
        comparison.runtime,
        workload.name,
        name,
        short(median(own)),
        short(median(theirs)),
      ];
      console.log(
        `| ${figures.join(" | ")} | ${ranged(ratios(theirs, own))} |${failed === 0 ? "" : ` ${failed} failed`}`,
      );
    }
    if (failed > 0) process.exitCode = 1;
  } finally {
    await Promise.all(running.map((contender) => contender.stop()));
  }
}

needed("wrk");
try {
  console.log("| framework | runtime | workload | server | CPU us | of the other server | ratio |");
  console.log("| --------- | ------- | -------- | ------ | -----: | ------------------: | ----: |");
  const frameworks = members("framework", given.framework, ["hono", "express"]);
  const chosen = members("runtime", given.runtime, runtimes);
  for (const comparison of comparisons) {
    if (!frameworks.includes(comparison.framework) || !chosen.includes(comparison.runtime)) continue;
    for (const name of members("workload", given.workload, names)) {
      await compare(comparison, asked.find((one) => one.name === name) as Workload);
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
