/**
 * Runs wrk and parses its report.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { endedChildren } from "./proc.ts";
import { needed, pinned, type Side } from "./machine.ts";

/** The report of one run. */
export interface Load {
  readonly requests: number;
  readonly seconds: number;
  /** Requests a second. */
  readonly rate: number;
  /** The 99th percentile of the latency in milliseconds. 0 with pipelined requests, where wrk does not measure it. */
  readonly p99: number;
  /** Responses with a status of 400 or more. */
  readonly refused: number;
  /** Failed connects and writes, and timeouts. */
  readonly socketErrors: number;
  /** Failed reads. They include connections that a server closed without announcing it. */
  readonly readErrors: number;
  /** The share of a core that wrk used. Near 1, wrk is the bottleneck, not the server. */
  readonly client: number;
}

const UNITS: Readonly<Record<string, number>> = { us: 1e-3, ms: 1, s: 1e3, m: 6e4 };

/** Parses wrk's report. */
export function parseReport(text: string): Omit<Load, "client"> {
  const [, requests, seconds, unit] = /^\s*([0-9]+) requests in ([0-9.]+)(ms|s|m)/m.exec(text) ?? [];
  const [, p99, p99Unit] = /^\s*99%\s+([0-9.]+)(us|ms|s|m)/m.exec(text) ?? [];
  const rate = /^Requests\/sec:\s*([0-9.]+)/m.exec(text)?.[1];
  if (requests === undefined || p99 === undefined || rate === undefined) throw new Error(`wrk reported:\n${text}`);
  const errors = /Socket errors: connect ([0-9]+), read ([0-9]+), write ([0-9]+), timeout ([0-9]+)/.exec(text);
  const [connects, reads, writes, timeouts] = (errors ?? []).slice(1).map(Number);
  return {
    requests: Number(requests),
    seconds: Number(seconds) * UNITS[unit!]! / 1e3,
    rate: Number(rate),
    p99: Number(p99) * UNITS[p99Unit!]!,
    refused: Number(/Non-2xx or 3xx responses: ([0-9]+)/.exec(text)?.[1] ?? 0),
    socketErrors: (connects ?? 0) + (writes ?? 0) + (timeouts ?? 0),
    readErrors: reads ?? 0,
  };
}

/** Counts responses with a status of 400 or more, and socket errors. */
export function failures(loads: readonly Omit<Load, "client">[]): number {
  return loads.reduce((sum, load) => sum + load.refused + load.socketErrors + load.readErrors, 0);
}

/** Runs wrk against a port of this machine. Without a script it sends the request of `tiny`, with less CPU time. */
export async function wrk(
  port: number,
  script: string | undefined,
  connections: number,
  seconds: number,
  side: Side = "client",
): Promise<Load> {
  const [command, ...args] = pinned(side, [
    needed("wrk"),
    ...["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "--timeout", "5s"],
    ...(script === undefined ? [] : ["-s", script]),
    `http://127.0.0.1:${port}/`,
  ]);
  const before = endedChildren();
  const report = await new Promise<string>((resolve, reject) => {
    execFile(command, args, { timeout: (seconds + 30) * 1000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`wrk: ${error.message}\n${stdout}${stderr}`));
    });
  });
  const load = parseReport(report);
  return { ...load, client: (endedChildren() - before) / 1e6 / load.seconds };
}
