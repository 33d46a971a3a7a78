/**
 * Measures what TLS costs: CPU time of a keep-alive GET, and memory of an idle connection, against a server on bare
 * `node:tls` that answers each read with octets made beforehand, on the same runtime.
 *
 *     npm run bench:tls -- --runtime node --rounds 7
 *
 * The two servers take turns (A B A B). CPU time is that of the server's process, for each request that wrk has counted.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import { type Runtime, ServerProcess } from "../tests/server_process.ts";
import { Certificates } from "../tests/tls/certificates.ts";
import { commandLine, count, members } from "./command_line.ts";
import { runtimes as known } from "./contestants.ts";
import { IDLE_CONNECTIONS, tooFewDescriptors } from "./idle.ts";
import { cpu, family, resident } from "./proc.ts";
import { median } from "./statistics.ts";
import { parseReport } from "./wrk.ts";

const AT_A_TIME = 50;
const SETTLE = 1500; // ms
const FLAGS = ["--allow-net", "--allow-env", "--allow-read"];
const SIDES = ["tsgi", "bare"] as const;
type Which = (typeof SIDES)[number];

const given = commandLine("npm run bench:tls -- [--runtime node,deno,bun] [--rounds 7] [--duration 2]", {
  runtime: known.join(","),
  rounds: "7",
  duration: "2",
});
const rounds = count("rounds", given.rounds);
const duration = count("duration", given.duration);

function load(port: number, seconds: number): number {
  const args = ["-t", "1", "-c", "16", "-d", String(seconds), "--latency", `https://127.0.0.1:${port}/`];
  const report = parseReport(execFileSync("wrk", args, { encoding: "utf8" }));
  if (report.refused + report.socketErrors > 0) throw new Error(`wrk had errors: ${JSON.stringify(report)}`);
  return report.requests;
}

/** Microseconds of a core for each request. */
function requestCost({ pid }: ServerProcess, port: number): number {
  const before = cpu(family(pid));
  const requests = load(port, duration);
  return (cpu(family(pid)) - before) / requests;
}

function opened(port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    });
    socket.once("data", () => resolve(socket)).once("error", reject);
  });
}

async function openAll(port: number, number: number): Promise<TLSSocket[]> {
  const sockets: TLSSocket[] = [];
  while (sockets.length < number) {
    sockets.push(...await Promise.all(Array.from({ length: AT_A_TIME }, () => opened(port))));
  }
  return sockets;
}

/** KiB of resident memory for each idle connection that has had a request. */
async function idleMemory({ pid }: ServerProcess, port: number): Promise<number> {
  for (const socket of await openAll(port, 4 * AT_A_TIME)) socket.destroy();
  await pause(SETTLE);
  const before = resident(family(pid));
  const sockets = await openAll(port, IDLE_CONNECTIONS);
  await pause(SETTLE);
  const after = resident(family(pid));
  for (const socket of sockets) socket.destroy();
  return (after - before) / IDLE_CONNECTIONS;
}

async function measure(runtime: Runtime, pair: string): Promise<string> {
  const start = (which: Which): Promise<ServerProcess> =>
    ServerProcess.start(runtime, "bench/servers/tls.ts", /^port (\d+)$/m, { flags: FLAGS, args: [which, pair] });
  const costs: Record<Which, number[]> = { tsgi: [], bare: [] };
  const memory: Record<Which, number> = { tsgi: 0, bare: 0 };
  const servers = { tsgi: await start("tsgi"), bare: await start("bare") };
  const portOf = (which: Which): number => Number(servers[which].ready[1]);
  for (const which of SIDES) load(portOf(which), duration); // compilers warm up
  for (let round = 0; round < rounds; round++) {
    for (const which of SIDES) costs[which].push(requestCost(servers[which], portOf(which)));
  }
  for (const which of SIDES) await servers[which].stop();
  for (const which of SIDES) {
    const server = await start(which);
    memory[which] = await idleMemory(server, Number(server.ready[1]));
    await server.stop();
  }
  const ratios = costs.tsgi.map((cost, i) => cost / (costs.bare[i] as number)).toSorted((a, b) => a - b);
  const [tsgi, bare] = [median(costs.tsgi), median(costs.bare)].map((value) => value.toFixed(1));
  const [least, greatest] = [ratios[0], ratios.at(-1)].map((value) => (value as number).toFixed(2));
  return `| ${runtime} | ${tsgi} | ${bare} | ${median(ratios).toFixed(2)} (${least} to ${greatest}) | ` +
    `${memory.tsgi.toFixed(0)} | ${memory.bare.toFixed(0)} |`;
}

const problem = tooFewDescriptors();
if (problem !== null) throw new Error(problem);
const made = new Certificates();
try {
  const pair = JSON.stringify(made.signed("site", { names: ["IP:127.0.0.1"] }));
  console.log("| runtime | us a GET, tsgi | bare `node:tls` | ratio | KiB an idle connection, tsgi | bare |");
  console.log("| --- | --- | --- | --- | --- | --- |");
  for (const runtime of members("runtime", given.runtime, known)) console.log(await measure(runtime, pair));
} finally {
  made.remove();
}
