/**
 * Two workers of the `tsgi` command, against gunicorn and uWSGI with two, and against two programs without it.
 *
 *     npm run bench:workers -- --runtime node,deno,bun --rounds 3 --duration 4
 *
 * `hello` answers at once and has peers beside it; `compute` takes a core for a third of a millisecond first, so that
 * what worker processes cost is all that can be lost against programs that each have a port. They take turns (A B A B).
 *
 * Nothing is pinned to a core here: two workers need both of two, and wrk shares these with them. So requests a second
 * say what a machine gives together with its clients; requests for each second that the servers had a core, all
 * processes of theirs counted, say what the servers take.
 *
 * @module
 */

import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { projectPath, runCommand, type Runtime } from "../tests/server_process.ts";
import { commandLine, count, members } from "./command_line.ts";
import { type Contestant, program, runtimes } from "./contestants.ts";
import { Contender } from "./contender.ts";
import { machine, needed } from "./machine.ts";
import { gunicornCommand, hasPeers, type PeerName, uwsgiCommand } from "./peers.ts";
import { cpu, endedChildren } from "./proc.ts";
import { writeByRuntime } from "./results_file.ts";
import { checkSame } from "./same.ts";
import { median, ranged, ratios, short } from "./statistics.ts";
import { type Job, type Workload, workloads } from "./workloads.ts";
import { failures, type Load, wrk } from "./wrk.ts";

const WORKERS = 2;
const START_DEADLINE = 10_000; // ms
const WARM_UP = 1; // s
const SETTLE = 1000; // ms: ports of closed connections become free again

/** Servers that are measured as one. */
interface Team {
  readonly name: string;
  readonly servers: readonly Contestant[];
  /** Processes of all of them. */
  readonly processes: number;
}

/** What teams are measured by: so many wrk at once, each with the connections of the workload. */
interface Trial {
  readonly name: string;
  readonly workload: Workload;
  readonly clients: number;
  /** Ours, then the others. */
  teams(runtime: Runtime): readonly Team[];
}

/** A round of a team: all of its clients together. */
interface TeamRound {
  readonly loads: readonly Omit<Load, "client">[];
  /** Requests a second. */
  readonly rate: number;
  /** Requests for each second that the servers had a core. */
  readonly perCpu: number;
  /** Cores that the servers had, and those that wrk had: of 2, what is missing had other programs, or nobody. */
  readonly server: number;
  readonly client: number;
}

/** A team with its rounds. */
interface Measured {
  readonly name: string;
  readonly rounds: TeamRound[];
}

function team(name: string, processes: number, command: (job: Job) => readonly string[], absent?: PeerName): Team {
  const reason = (): string | null => absent === undefined ? null : hasPeers(absent);
  return { name, processes, servers: [{ name, command, absent: reason }] };
}

/** The command: launcher, arbiter, workers. */
function tsgi(runtime: Runtime, application: string): Team {
  return team(`tsgi -w ${WORKERS}`, WORKERS + 2, () => {
    const { binary, args } = runCommand(runtime, "cli/main.ts", ["-A"]);
    return [binary, ...args, "-w", String(WORKERS), "-b", "127.0.0.1:0", projectPath(`bench/servers/${application}`)];
  });
}

const THREADS = ["--worker-class", "gthread", "--threads", "4", "--keep-alive", "5"];
const peers: readonly Team[] = [
  team(`gunicorn -w ${WORKERS}`, WORKERS + 1, (job) => gunicornCommand(job, WORKERS), "gunicorn"),
  team("gunicorn, 4 threads each", WORKERS + 1, (job) => gunicornCommand(job, WORKERS, THREADS), "gunicorn"),
  team(`uWSGI, ${WORKERS} processes`, WORKERS + 1, (job) => uwsgiCommand("http-socket", job, WORKERS), "uwsgi"),
];

const tiny = workloads.find(({ name }) => name === "tiny")!;
const trials: readonly Trial[] = [
  {
    name: "hello",
    workload: { ...tiny, connections: 32 },
    clients: 1,
    teams: (runtime) => [tsgi(runtime, "jobs.ts:hello"), ...peers],
  },
  {
    name: "compute",
    workload: { ...tiny, connections: 16 },
    clients: 2,
    teams: (runtime) => {
      const alone = program("a program alone", runtime, "compute.ts");
      return [
        tsgi(runtime, "compute.ts:compute"),
        { name: `${WORKERS} programs`, processes: WORKERS, servers: Array.from({ length: WORKERS }, () => alone) },
      ];
    },
  },
];

const usage = `npm run bench:workers -- [--runtime ${runtimes.join(",")}] [--trial hello,compute]
  [--rounds 3] [--duration 4] [--out bench/results]`;
const given = commandLine(usage, {
  runtime: runtimes.join(","),
  trial: trials.map(({ name }) => name).join(","),
  rounds: "3",
  duration: "4",
  out: projectPath("bench/results"),
});
const rounds = count("rounds", given.rounds);
const seconds = count("duration", given.duration);
const asked = members("runtime", given.runtime, runtimes);
const taking = members("trial", given.trial, trials.map(({ name }) => name));
const absent = new Set<string>();

/** A team that runs. */
class Running {
  readonly #team: Team;
  readonly #servers: Contender[] = [];

  constructor(team: Team) {
    this.#team = team;
  }

  /** Starts its servers, checks that they answer as they should, and waits until all of their processes are there. */
  async start({ workload }: Trial): Promise<void> {
    for (const server of this.#team.servers) {
      const contender = await Contender.start(server, workload.job, "anywhere");
      this.#servers.push(contender);
      await checkSame(contender.name, contender.port, workload);
    }
    const end = performance.now() + START_DEADLINE;
    while (this.#pids().length !== this.#team.processes) {
      if (performance.now() > end) this.#whole(); // says how many are there
      await pause(20);
    }
  }

  #pids(): number[] {
    return this.#servers.flatMap((server) => server.pids);
  }

  /** The processes. Were one not found, or replaced, its CPU time would be missing. */
  #whole(): number[] {
    const pids = this.#pids();
    const { name, processes } = this.#team;
    if (pids.length !== processes) throw new Error(`${name}: ${pids.length} processes, not ${processes}`);
    return pids;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  /** A round: the clients at once, each at a port of its own where there are as many. */
  async round({ workload, clients }: Trial, seconds: number): Promise<TeamRound> {
    const pids = this.#whole();
    const before = { server: cpu(pids), client: endedChildren() };
    const loads = await Promise.all(Array.from({ length: clients }, async (_, i) => {
      const { port } = this.#servers[i % this.#servers.length]!;
      // It shares the cores: a script would cost more than the requests. It sends `tiny` without.
      const { client: _client, ...load } = await wrk(port, undefined, workload.connections, seconds, "anywhere");
      return load; // which of the clients had a core, nobody knows when they run at once
    }));
    if (this.#whole().join() !== pids.join()) throw new Error(`${this.#team.name}: a process was replaced`);
    const spent = (cpu(pids) - before.server) / 1e6;
    const took = Math.max(...loads.map((load) => load.seconds));
    const sum = (of: (load: Omit<Load, "client">) => number): number => loads.reduce((all, load) => all + of(load), 0);
    return {
      loads,
      rate: sum((load) => load.rate),
      perCpu: sum((load) => load.requests) / spent,
      server: spent / took,
      client: (endedChildren() - before.client) / 1e6 / took,
    };
  }
}

async function measure(runtime: Runtime, trial: Trial): Promise<Measured[]> {
  const teams = trial.teams(runtime).filter(({ name, servers }) => {
    const reason = servers.map((server) => server.absent(trial.workload.name)).find((one) => one !== null);
    if (reason !== undefined) absent.add(`${name}: ${reason}`);
    return reason === undefined;
  });
  const running = teams.map((one) => new Running(one));
  try {
    for (const one of running) {
      await one.start(trial);
      await one.round(trial, WARM_UP);
    }
    const measured = teams.map(({ name }): Measured => ({ name, rounds: [] }));
    for (let i = 0; i < rounds; i++) {
      for (const [at, one] of running.entries()) {
        await pause(SETTLE);
        measured[at]!.rounds.push(await one.round(trial, seconds));
      }
    }
    return measured;
  } finally {
    await Promise.all(running.map((one) => one.stop()));
  }
}

/** Failed responses of a team. */
function failed({ rounds }: Measured): number {
  return failures(rounds.flatMap(({ loads }) => loads));
}

/** A line of the table for each team but ours, which is the left of each pair. */
function rows(runtime: string, trial: string, [ours, ...others]: readonly Measured[]): string[] {
  return others.map((other) => {
    const pair = (show: (value: number) => string, of: (round: TeamRound) => number): string => {
      const [left, right] = [ours!, other].map(({ rounds }) => rounds.map(of)) as [number[], number[]];
      return `${show(median(left))} / ${show(median(right))} | ${ranged(ratios(left, right))}`;
    };
    const cores = [ours!, other].map(({ rounds }) =>
      `${short(median(rounds.map(({ server }) => server)))} + ${short(median(rounds.map(({ client }) => client)))}`
    );
    const cells = [
      ...[runtime, trial, other.name],
      pair((value) => value.toFixed(0), ({ rate }) => rate),
      pair((value) => value.toFixed(0), ({ perCpu }) => perCpu),
      ...[cores.join(" / "), `${failed(ours!)} / ${failed(other)}`],
    ];
    return `| ${cells.join(" | ")} |`;
  });
}

needed("wrk");
const about = machine({ gunicorn: ["--version"], uwsgi: ["--version"], python3: ["--version"], wrk: ["-v"] }, false);
const lines = [
  `| runtime | trial | against | requests/s, tsgi -w ${WORKERS} / other | ratio (min-max) ` +
  "| requests/CPU s | ratio (min-max) | cores, servers + wrk | failed |",
  "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
];
for (const runtime of asked) {
  const results: Record<string, Measured[]> = {};
  for (const trial of trials.filter(({ name }) => taking.includes(name))) {
    const measured = await measure(runtime, trial);
    results[trial.name] = measured;
    const more = rows(runtime, trial.name, measured);
    console.error(more.join("\n"));
    lines.push(...more);
    if (measured.some((one) => failed(one) > 0)) process.exitCode = 1;
  }
  const part = { machine: about, rounds, seconds, trials: results, absent: [...absent] };
  writeByRuntime(given.out, "workers.json", [[runtime, part]]);
}
console.log([...lines, "", ...[...absent].map((line) => `Left out: ${line}`)].join("\n"));
