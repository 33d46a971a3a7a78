/**
 * Compares Flask on tsgi with Flask on gunicorn: requests a second, waiting beside slow clients, and what is lost when
 * a process is killed or the application is loaded anew.
 *
 *     npm run bench:python -- --runtime node,deno,bun --rounds 5 --duration 4
 *
 * All take turns (A B A B), and a ratio is that of one round. Nothing is pinned to a core: the processes of a server
 * need two, and wrk shares them. Figures go to `bench/results/python.json`.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { loadavg } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { freePorts } from "../tests/front/instance.ts";
import { projectPath, runCommand, type Runtime } from "../tests/server_process.ts";
import { commandLine, count, members } from "./command_line.ts";
import { runtimes } from "./contestants.ts";
import { machine, needed } from "./machine.ts";
import { family, resident } from "./proc.ts";
import { median, ratios } from "./statistics.ts";
import { failures, wrk } from "./wrk.ts";

const CONNECTIONS = 8;
const APPLICATION = "flask_hello:app";
const SYSTEM = "/usr/bin/python3"; // Debian's, which has Debian's Flask
const START_DEADLINE = 20_000; // ms
const SLOW: readonly (readonly [name: string, request: string])[] = [
  ["slow 400 kB upload", "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n"],
  ["slow 16 MB download", "GET /big/16000000 HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["slow 100 MB download", "GET /big/100000000 HTTP/1.1\r\nHost: a\r\n\r\n"],
];
const MOST_P99 = 10; // ms
const MOST_MEMORY = 200; // MB of one process and tsgi's
const SLOW_TIME = 5000; // ms that a slow client takes

const given = commandLine(
  `npm run bench:python -- [--runtime ${runtimes.join(",")}] [--rounds 5] [--duration 4] [--out bench/results]`,
  { runtime: runtimes.join(","), rounds: "5", duration: "4", out: projectPath("bench/results") },
);
const rounds = count("rounds", given.rounds);
const seconds = count("duration", given.duration);
const asked = members("runtime", given.runtime, runtimes);

/** A running server. */
class Server {
  readonly name: string;
  readonly port: number;
  readonly child: ChildProcess;

  private constructor(name: string, port: number, child: ChildProcess) {
    this.name = name;
    this.port = port;
    this.child = child;
  }

  static async start(name: string, command: (port: number) => readonly string[]): Promise<Server> {
    const [port = 0] = await freePorts(1);
    const [program = "", ...args] = command(port);
    const child = spawn(program, args, { cwd: projectPath("bench/python"), stdio: ["ignore", "ignore", "ignore"] });
    const server = new Server(name, port, child);
    const end = performance.now() + START_DEADLINE;
    while (!(await server.get("/").catch(() => ({ ok: false }))).ok) {
      if (performance.now() > end || child.exitCode !== null) throw new Error(`${name} did not start`);
      await pause(50);
    }
    return server;
  }

  get(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, { headers: { connection: "close" } });
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await gone;
  }
}

function tsgi(runtime: Runtime, workers: number, threads: number): Promise<Server> {
  const { binary, args } = runCommand(runtime, "cli/main.ts", ["-A"]);
  const python = [
    "--python",
    APPLICATION,
    "--python-path",
    SYSTEM,
    "-w",
    String(workers),
    "--threads",
    String(threads),
  ];
  return Server.start(`tsgi on ${runtime}`, (port) => [binary, ...args, ...python, "-b", `127.0.0.1:${port}`]);
}

function gunicorn(workers: number, ...more: string[]): Promise<Server> {
  const program = needed("gunicorn");
  return Server.start("gunicorn", (port) => [
    SYSTEM,
    program,
    "-w",
    String(workers),
    "-b",
    `127.0.0.1:${port}`,
    ...more,
    APPLICATION,
  ]);
}

/** A comparison: servers of tsgi with the one of gunicorn. */
interface Trial {
  readonly name: string;
  readonly workers: number;
  readonly threads: number;
  readonly goal: number;
  readonly gunicorn: () => Promise<Server>;
}

const trials: readonly Trial[] = [
  { name: "one process (sync)", workers: 1, threads: 1, goal: 1.2, gunicorn: () => gunicorn(1) },
  { name: "one process, 4 threads", workers: 1, threads: 4, goal: 1.2, gunicorn: () => gunicorn(1, "--threads", "4") },
  { name: "two processes (sync)", workers: 2, threads: 1, goal: 0.85, gunicorn: () => gunicorn(2) },
];

const results: Record<string, unknown>[] = [];
const load = (): string => loadavg()[0]?.toFixed(1) ?? "?";
let failed = false;

function report(line: string, figures: Record<string, unknown>, good = true): void {
  console.log(`${good ? " " : "!"} ${line}`);
  results.push({ line, good, ...figures });
  failed ||= !good;
}

for (const trial of trials) {
  const servers = [await trial.gunicorn()];
  for (const runtime of asked) servers.push(await tsgi(runtime, trial.workers, trial.threads));
  const rates: number[][] = servers.map(() => []);
  const p99: number[][] = servers.map(() => []);
  let wrong = 0;
  for (const { port } of servers) await wrk(port, undefined, CONNECTIONS, 1, "anywhere");
  for (let round = 0; round < rounds; round++) {
    for (const [i, { port }] of servers.entries()) {
      const one = await wrk(port, undefined, CONNECTIONS, seconds, "anywhere");
      rates[i]?.push(one.rate);
      p99[i]?.push(one.p99);
      if (i > 0) wrong += failures([one]);
    }
  }
  console.log(`${trial.name}: requests a second with ${CONNECTIONS} connections (load ${load()})`);
  for (const [i, server] of servers.entries()) {
    const own = rates[i] as number[];
    // Of tsgi, the process that serves and its children: without launcher and arbiter, which serve nothing.
    const pids = family(server.child.pid as number).slice(i === 0 ? 0 : 2);
    const { median: ratio, min, max } = ratios(own, rates[0] as number[]);
    const memory = Math.round(resident(pids) / 1024);
    const figures = { trial: trial.name, server: server.name, rates: own, p99: p99[i], ratio, memory };
    const text = `${server.name.padEnd(14)} ${median(own).toFixed(0).padStart(6)}/s, p99 ${
      median(p99[i] as number[]).toFixed(1)
    } ms, ${memory} MB in ${pids.length} processes`;
    if (i === 0) report(text, figures);
    else {report(
        `${text}: ${ratio.toFixed(2)} times gunicorn (${min.toFixed(2)} to ${max.toFixed(2)}, goal ${trial.goal})`,
        figures,
        ratio >= trial.goal && wrong === 0 && median(p99[i] as number[]) < MOST_P99 &&
          (trial.workers > 1 || memory < MOST_MEMORY),
      );}
    await server.stop();
  }
}

/** A client that sends or takes a little at a time. */
function slowClient(port: number, request: string): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  const upload = request.startsWith("POST");
  socket.write(upload ? request + "u".repeat(4000) : request);
  if (!upload) socket.once("readable", () => socket.read(1));
  return socket;
}

console.log(`one process beside a slow client: the longest wait for GET / (load ${load()})`);
for (const start of [() => gunicorn(1), ...asked.map((runtime) => () => tsgi(runtime, 1, 1))]) {
  const server = await start();
  for (const [name, request] of SLOW) {
    const socket = slowClient(server.port, request);
    await pause(500);
    const end = setTimeout(() => socket.destroy(), SLOW_TIME);
    let longest = 0;
    for (let i = 0; i < 20; i++) {
      const from = performance.now();
      await (await server.get("/")).text();
      longest = Math.max(longest, performance.now() - from);
    }
    clearTimeout(end);
    socket.destroy();
    const ours = server.name !== "gunicorn";
    report(
      `${server.name.padEnd(14)} ${name}: ${longest.toFixed(0)} ms`,
      { server: server.name, name, longest },
      !ours || longest < 100,
    );
    await pause(200);
  }
  await server.stop();
}

/** Sends requests until `done`, at least `least`; counts the answers by status. */
async function requests(server: Server, least: number, done: () => boolean): Promise<Map<number | string, number>> {
  const statuses = new Map<number | string, number>();
  let sent = 0;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    while (sent < least || !done()) {
      sent++;
      const status = await server.get("/").then(
        async (response) => (await response.text(), response.status),
        () => "cut",
      );
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  }));
  return statuses;
}

const list = (statuses: Map<number | string, number>): string =>
  [...statuses].map(([status, n]) => `${n} x ${status}`).join(", ");

for (const runtime of asked) {
  const server = await tsgi(runtime, 2, 1);
  let over = false;
  let running = requests(server, 2000, () => over);
  await pause(300);
  const before = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const pid = await (await server.get("/pid")).text();
    before.add(pid);
    process.kill(Number(pid), "SIGKILL");
    await pause(700);
  }
  over = true;
  const killed = await running;
  const lost = [...killed].filter(([status]) => status !== 200).reduce((sum, [, n]) => sum + n, 0);
  report(`${server.name}: SIGKILL of three processes under load: ${list(killed)}`, { killed: [...killed] }, lost <= 3);
  over = false;
  running = requests(server, 10_000, () => over);
  for (let i = 0; i < 3; i++) {
    await pause(700);
    server.child.kill("SIGHUP");
    await pause(1500);
  }
  over = true;
  const reloaded = await running;
  report(
    `${server.name}: HUP three times under load: ${list(reloaded)}`,
    { reloaded: [...reloaded] },
    reloaded.size === 1 && reloaded.has(200),
  );
  await server.stop();
}

mkdirSync(given.out, { recursive: true });
writeFileSync(
  join(given.out, "python.json"),
  `${JSON.stringify({ machine: machine({ wrk: ["-v"], gunicorn: ["--version"] }, false), results }, null, 1)}\n`,
);
process.exitCode = failed ? 1 : 0;
