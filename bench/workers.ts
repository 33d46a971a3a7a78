/**
 * Compares two workers of the `tsgi` command with two workers of gunicorn and uWSGI, and with two separate programs.
 *
 *     npm run bench:workers -- --runtime node,deno,bun --rounds 3 --duration 4
 *
 * `hello` answers at once, and peers run it too. `compute` first uses a core for a third of a millisecond. There the
 * separate programs, each with its own port, show what the worker processes cost. All take turns (A B A B).
 *
 * Nothing is pinned to a core, because two workers need two cores, and wrk shares these. So requests per second measure
 * the machine together with its clients. Requests per second of CPU time, summed over all processes of the servers,
 * measure the servers.
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

/** Servers that are measured together. */
interface Team {
  readonly name: string;
  readonly servers: readonly Contestant[];
  /** Total number of processes. */
  readonly processes: number;
}

/** A load for teams: several wrk processes at once, each with the connections of the workload. */
interface Trial {
  readonly name: string;
  readonly workload: Workload;
  readonly clients: number;
  /** Returns our team, then the others. */
  teams(runtime: Runtime): readonly Team[];
}

/** The result of one round of a team, over all of its clients. */
interface TeamRound {
  readonly loads: readonly Omit<Load, "client">[];
  /** Requests a second. */
  readonly rate: number;
  /** Requests per second of CPU time of the servers. */
  readonly perCpu: number;
  /** Cores used by the servers, and by wrk. The rest of the 2 cores went to other programs or was idle. */
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

/** A running team. */
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
      if (performance.now() > end) this.#whole(); // throws with the number of processes
      await pause(20);
    }
  }

  #pids(): number[] {
    return this.#servers.flatMap((server) => server.pids);
  }

  /** Returns the process ids. Throws unless all are there, since the CPU time of a missing one would be lost. */
  #whole(): number[] {
    const pids = this.#pids();
    const { name, processes } = this.#team;
    if (pids.length !== processes) throw new Error(`${name}: ${pids.length} processes, not ${processes}`);
    return pids;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  /** Runs one round: all clients at once, each with its own port if there are enough ports. */
  async round({ workload, clients }: Trial, seconds: number): Promise<TeamRound> {
    const pids = this.#whole();
    const before = { server: cpu(pids), client: endedChildren() };
    const loads = await Promise.all(Array.from({ length: clients }, async (_, i) => {
      const { port } = this.#servers[i % this.#servers.length]!;
      // wrk shares the cores, and a script would cost more than the requests. Without one it sends `tiny`.
      const { client: _client, ...load } = await wrk(port, undefined, workload.connections, seconds, "anywhere");
      return load; // `client` is dropped: clients that run at once cannot be told apart
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

/** Makes a table row for each other team; ours is the left value of each pair. */
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
