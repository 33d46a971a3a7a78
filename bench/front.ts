/**
 * Measures tsgi behind nginx over FastCGI, HTTP/1.0, HTTP/1.1, SCGI and uwsgi, and compares it with uWSGI (Python).
 *
 *     npm run bench:front -- --runtime node,deno,bun --rounds 5 --duration 2
 *
 * One nginx with one worker has a port for each protocol. It shares a core with the server behind it, so requests per
 * second show what both cost together. The table also has the CPU time of each. wrk has 32 connections, as many as
 * nginx keeps open to a server. For CGI under Apache, see `bench/cgi/`.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { Instance } from "../tests/front/instance.ts";
import { find, nginx, packages } from "../tests/front/programs.ts";
import { projectPath } from "../tests/server_process.ts";
import { commandLine, count, members } from "./command_line.ts";
import { type Cell, type Contestant, ours, runtimes } from "./contestants.ts";
import { Contender } from "./contender.ts";
import { type Lane, lanes, serverBlock } from "./front/lanes.ts";
import { machine, pinned, together } from "./machine.ts";
import { type Round, round } from "./measure.ts";
import { hasPeers, uwsgiCommand } from "./peers.ts";
import { cpu, family } from "./proc.ts";
import { checkSame } from "./same.ts";
import { median, ranged, ratios, short } from "./statistics.ts";
import { type Workload, workloads } from "./workloads.ts";
import { failures } from "./wrk.ts";

const usage = "npm run bench:front -- [--runtime node,deno,bun] [--lane fastcgi keep,...] [--workload browser] " +
  "[--rounds 5] [--duration 2] [--out bench/results]";
const known = lanes.map(({ name }) => name);
const given = commandLine(usage, {
  runtime: "node,deno,bun",
  lane: known.join(","),
  workload: "browser",
  rounds: "5",
  duration: "2",
  out: projectPath("bench/results"),
});
const rounds = count("rounds", given.rounds);
const seconds = count("duration", given.duration);
const asked = members("lane", given.lane, known);
const named = members("workload", given.workload, workloads.map(({ name }) => name))[0];
const workload: Workload = { ...workloads.find(({ name }) => name === named)!, connections: 32 };
const absent: string[] = together === null ? [] : [together];
const SETTLE = 1000; // ms: ports of closed connections become free again

/** One round through nginx. `cpu` is the CPU time of the server behind nginx, `front` that of nginx. */
interface FrontRound extends Round {
  readonly front: number;
}

/** A lane of a runtime with its rounds. */
interface Measured {
  readonly lane: string;
  readonly rounds: FrontRound[];
}

const python: Contestant = {
  name: "uWSGI (Python)",
  absent: () => null,
  command: (job) => uwsgiCommand("uwsgi-socket", job),
};

function startNginx(taking: readonly Lane[], backends: readonly number[]): Promise<Instance> {
  return Instance.start({
    name: "bench-nginx",
    ports: taking.length,
    errorLog: "error.log",
    prepare: (directory, ports) => {
      const blocks = taking.map((lane, i) => serverBlock(lane, i, ports[i]!, backends[i]!));
      return pinned("server", nginx(directory, blocks.join("\n")));
    },
  });
}

async function measure(runtime: Cell, taking: readonly Lane[], directory: string): Promise<Measured[]> {
  const backends: Contender[] = [];
  let front: Instance | undefined;
  try {
    for (const lane of taking) {
      const contestant = lane.python ? python : ours(runtime, lane.protocol);
      backends.push(await Contender.start(contestant, workload.job));
    }
    front = await startNginx(taking, backends.map(({ port }) => port));
    // The file is read on each call, since nginx listens before it writes it.
    const pids = (): number[] => family(Number(readFileSync(join(front!.directory, "nginx.pid"), "latin1")));
    const measured = taking.map((lane): Measured => ({ lane: lane.name, rounds: [] }));
    const one = async (i: number, duration: number): Promise<FrontRound> => {
      const before = cpu(pids());
      const result = await round(backends[i]!, workload, duration, directory, front!.ports[i]!);
      return { ...result, front: (cpu(pids()) - before) / result.requests };
    };
    for (const [i, lane] of taking.entries()) {
      await checkSame(`${runtime}, ${lane.name}`, front.ports[i]!, workload);
      await one(i, 1);
    }
    for (let n = 0; n < rounds; n++) {
      for (const [i, lane] of taking.entries()) {
        if (!lane.keeps) await pause(SETTLE);
        measured[i]!.rounds.push(await one(i, seconds));
      }
    }
    return measured;
  } finally {
    await front?.stop();
    await Promise.all(backends.map((backend) => backend.stop()));
  }
}

/** Makes the table of a runtime: each lane, and the ratio of FastCGI to it. */
function rows(runtime: string, measured: readonly Measured[]): string[] {
  const [first] = measured;
  return measured.map(({ lane, rounds }) => {
    const figure = (of: (round: FrontRound) => number): string => short(median(rounds.map(of)));
    const over = ratios(first!.rounds.map(({ rate }) => rate), rounds.map(({ rate }) => rate));
    const failed = failures(rounds);
    if (failed > 0) process.exitCode = 1;
    return `| ${runtime} | ${lane} | ${median(rounds.map(({ rate }) => rate)).toFixed(0)} | ` +
      `${ranged(over)} | ${figure((r) => r.p99)} | ${figure((r) => r.cpu)} + ${figure((r) => r.front)} | ${failed} |`;
  });
}

if (find("nginx") === null) {
  console.error(`There is no nginx: apt-get install ${packages.nginx}`);
  process.exit(1);
}
const noPython = hasPeers("uwsgi");
if (noPython !== null) absent.push(`uWSGI (Python): ${noPython}`);
const taking = lanes.filter((lane) => asked.includes(lane.name) && !(lane.python && noPython !== null));
const directory = mkdtempSync(join(tmpdir(), "tsgi-bench-front-"));
const all: Record<string, Measured[]> = {};
const lines = [
  `| runtime | nginx to tsgi | requests/s | ${
    taking[0]?.name
  } over it (min-max) | p99 ms | CPU us/request + nginx | failed |`,
  "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
];
try {
  for (const runtime of members<Cell>("runtime", given.runtime, runtimes)) {
    const measured = await measure(runtime, taking, directory);
    all[runtime] = measured;
    const more = rows(runtime, measured);
    console.error(more.join("\n"));
    lines.push(...more);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
const about = machine({ nginx: ["-v"], uwsgi: ["--version"], wrk: ["-v"] });
mkdirSync(given.out, { recursive: true });
const results = {
  when: new Date().toISOString().slice(0, 10),
  machine: about,
  workload: workload.name,
  rounds,
  seconds,
  all,
};
writeFileSync(join(given.out, "front.json"), `${JSON.stringify({ ...results, absent }, null, 1)}\n`);
console.log([...lines, "", ...absent.map((line) => `Left out: ${line}`)].join("\n"));
