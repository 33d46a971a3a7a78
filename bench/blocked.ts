/**
 * Tests which worker gets a new connection while another blocks its event loop: `tsgi -w 3` compared with node:cluster
 * with three workers.
 *
 *     npm run bench:blocked -- --runtime node,deno,bun --rounds 20 --ms 1000
 *
 * `at once` sends three blocking requests at the same time. It counts the rounds in which one worker got two of them
 * while another was idle. `one blocked` blocks one worker and then sends six non-blocking requests one after the other,
 * each on its own connection. It counts the requests that had to wait for the blocked worker.
 *
 * @module
 */

import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { projectPath, runCommand, type Runtime, ServerProcess } from "../tests/server_process.ts";
import { commandLine, count, members } from "./command_line.ts";

const PROCESSES = 3;
const SHORT = 6; // requests that do not block
const SETTLE = 100; // ms between two rounds
const HEAD_START = 50; // ms in which the request that blocks has begun

const options = commandLine("Usage: npm run bench:blocked -- [--runtime LIST] [--rounds N] [--ms N]", {
  runtime: "node,deno,bun",
  rounds: "20",
  ms: "1000",
});
const runtimes = members("runtime", options.runtime, ["node", "deno", "bun"]);
const rounds = count("rounds", options.rounds);
const ms = count("ms", options.ms);

const contestants: Readonly<Record<string, (runtime: Runtime) => Promise<ServerProcess>>> = {
  tsgi: (runtime) => {
    const { binary, args } = runCommand(runtime, "cli/main.ts", ["-A"]);
    const rest = ["-w", String(PROCESSES), "-b", "127.0.0.1:0", projectPath("bench/servers/blocking.ts:app")];
    return ServerProcess.spawn("tsgi", [binary, ...args, ...rest], /:(\d+) \([^]*All workers are ready/);
  },
  "node:cluster": (runtime) => {
    const args = [String(PROCESSES)];
    return ServerProcess.start(runtime, "bench/servers/cluster.ts", /:(\d+)\//, { flags: ["-A"], args });
  },
};

/** Sends a request on a new connection; returns the id of the process that answered. */
function ask(port: number, block: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(port, "127.0.0.1").setEncoding("latin1").once("error", reject);
    socket.on("data", (part) => text += part).once("end", () => resolve(/pid=(\d+)/.exec(text)?.[1] ?? ""));
    socket.write(`GET /${block} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  });
}

/** Counts the rounds in which one worker got two of the requests. */
async function atOnce(port: number): Promise<number> {
  let uneven = 0;
  for (let round = 0; round < rounds; round++) {
    const pids = await Promise.all(Array.from({ length: PROCESSES }, () => ask(port, ms)));
    if (new Set(pids).size < PROCESSES) uneven++;
    await pause(SETTLE);
  }
  return uneven;
}

/** Counts the requests that waited for a blocking one. */
async function oneBlocked(port: number): Promise<number> {
  let waited = 0;
  for (let round = 0; round < rounds; round++) {
    const blocking = ask(port, ms);
    await pause(HEAD_START);
    const all: Promise<string>[] = [];
    for (let i = 0; i < SHORT; i++) {
      all.push(ask(port, 0));
      await pause(HEAD_START / SHORT);
    }
    const pid = await blocking;
    waited += (await Promise.all(all)).filter((one) => one === pid).length;
    await pause(SETTLE);
  }
  return waited;
}

console.log(`| runtime | server | two at one worker, of ${rounds} rounds | waited, of ${rounds * SHORT} requests |`);
console.log("| --- | --- | ---: | ---: |");
for (const runtime of runtimes) {
  for (const [name, start] of Object.entries(contestants)) {
    const server = await start(runtime);
    try {
      const port = Number(server.ready[1]);
      console.log(`| ${runtime} | ${name} | ${await atOnce(port)} | ${await oneBlocked(port)} |`);
    } finally {
      server.kill("SIGTERM");
      await server.exited;
    }
  }
}
