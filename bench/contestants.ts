/**
 * The compared servers: tsgi in its five cells, the runtimes' own servers, bare sockets, and peers.
 *
 * A cell is a runtime with a socket API: its own, or node:net, which programs use that import `tsgi/node`. The baseline
 * of a cell is always the runtime's own server, even for `deno-net` and `bun-net`, because a user would take that
 * instead.
 *
 * @module
 */

import { projectPath, runCommand, type Runtime } from "../tests/server_process.ts";
import { hasPeers, peerCommand, type PeerName } from "./peers.ts";
import { IDLE, type Job } from "./workloads.ts";

/** A runtime with a socket API. */
export type Cell = "node" | "deno" | "bun" | "deno-net" | "bun-net";

/** All of them. */
export const cells: readonly Cell[] = ["node", "deno", "bun", "deno-net", "bun-net"];

/** The runtimes, each on its own sockets. */
export const runtimes: readonly Runtime[] = ["node", "deno", "bun"];

/** A server that is compared. */
export interface Contestant {
  readonly name: string;
  /** The command for a job. */
  command(job: Job): readonly string[];
  /** The reason why it does not run a workload, or null. */
  absent(workload: string): string | null;
  readonly cwd?: string;
}

const BASELINES: Readonly<Record<Runtime, string>> = { node: "node:http", deno: "Deno.serve", bun: "Bun.serve" };
const FLAGS = ["--allow-net", "--allow-env", "--allow-read"];

/** The runtime of a cell. */
export function runtimeOf(cell: Cell): Runtime {
  return cell.replace("-net", "") as Runtime;
}

/** A program of `bench/servers/`, which gets the job as its argument. */
export function program(name: string, runtime: Runtime, file: string, more: readonly string[] = []): Contestant {
  return {
    name,
    absent: () => null,
    command: (job) => {
      const { binary, args } = runCommand(runtime, `bench/servers/${file}`, FLAGS);
      return [binary, ...args, job, ...more];
    },
  };
}

/** tsgi in a cell. Behind a web server, `protocol` names what that speaks. */
export function ours(cell: Cell, protocol?: string): Contestant {
  const how = protocol ?? (cell.endsWith("-net") ? "net" : undefined);
  return program("tsgi", runtimeOf(cell), "tsgi.ts", how === undefined ? [] : [how]);
}

/** The runtime's own server. */
export function baseline(cell: Cell): Contestant {
  const runtime = runtimeOf(cell);
  return program(BASELINES[runtime], runtime, `${runtime}.ts`);
}

/** Bare sockets of a runtime, which answer with prepared octets. */
export function bare(cell: Cell, workload: string): Contestant {
  const one = program("bare sockets", runtimeOf(cell), "bare.ts", workload === "close" ? ["close"] : []);
  const answersReads = workload !== "pipe16" && workload !== IDLE;
  return { ...one, absent: () => answersReads ? null : `${workload}: each read is one request to them` };
}

/** Peers, which run beside the cell `node`. */
export function peer(name: PeerName): Contestant {
  return {
    name,
    cwd: projectPath("bench/peers"),
    command: (job) => peerCommand(name, job),
    absent: (workload) => {
      const missing = hasPeers(name);
      if (missing !== null) return missing;
      if (workload === IDLE) return "no server for idle connections in one process";
      const oneAtATime = name === "gunicorn" || name === "uwsgi";
      return oneAtATime && workload === "pipe16" ? `${workload}: closes the connection behind a response` : null;
    },
  };
}
