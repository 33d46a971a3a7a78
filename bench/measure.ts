/**
 * Runs one round: one server under one workload, with its costs.
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Contender } from "./contender.ts";
import { luaScript, type Workload } from "./workloads.ts";
import { type Load, wrk } from "./wrk.ts";

/** The result of one round. */
export interface Round extends Load {
  /** CPU time of the server per request, in microseconds. */
  readonly cpu: number;
  /** The share of its core that the server used. */
  readonly server: number;
  /** Resident memory of the server after the round, in MiB. */
  readonly rss: number;
}

/** Runs one round. `port` is that of the web server in front, if there is one. */
export async function round(
  contender: Contender,
  workload: Workload,
  seconds: number,
  directory: string,
  port: number = contender.port,
): Promise<Round> {
  const script = join(directory, `${workload.name}-${port}.lua`);
  writeFileSync(script, luaScript(workload, `127.0.0.1:${port}`), "latin1");
  const before = contender.cpu();
  const load = await wrk(port, script, workload.connections, seconds);
  const spent = contender.cpu() - before;
  return {
    ...load,
    cpu: spent / load.requests,
    server: spent / 1e6 / load.seconds,
    rss: contender.resident() / 1024,
  };
}
