/**
 * slowhttptest against a server with the default options, on a runtime: slow heads, slow bodies, slow reading, and ranges,
 * 500 connections each. `npm run soak -- slowhttptest` prints a table. slowhttptest is a package of Debian.
 *
 * The program asks for a page beside its attack, and says of each second whether it came within its time. A client of our
 * own does too, and measures how long the answers took. How many connections there are is what the server has: a slow
 * reader does not notice that its connection has been reset.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { cells, mib, withCell } from "../lifecycle/cell.ts";
import { noService, probe } from "../overload/probe.ts";
import { waits } from "../overload/siege.ts";
import type { Runtime } from "../server_process.ts";

/** An attack: its arguments, and what it asks for. */
interface Slowness {
  readonly name: string;
  readonly args: readonly string[];
  readonly path: string;
}

const SLOWNESSES: readonly Slowness[] = [
  { name: "headers", args: ["-H", "-i", "10", "-x", "24"], path: "/ok" },
  { name: "body", args: ["-B", "-i", "10", "-x", "10", "-s", "8192"], path: "/upload" },
  {
    name: "read",
    args: ["-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32"],
    path: "/download?bytes=100000000",
  },
  { name: "range", args: ["-R", "-a", "10", "-b", "3000", "-t", "HEAD"], path: "/ok" },
];

const RATE = 200; // connections a second
const PATIENCE = 3; // seconds in which slowhttptest wants its page
const SAMPLE = 100; // ms
const OURS = 4; // connections of the well-behaved client and of the page that slowhttptest asks for
// deno-lint-ignore no-control-regex
const COLOURS = /\x1b\[[\d;]*[A-Za-z]/g;

/** How much is done. */
export interface SlownessScale {
  readonly connections: number;
  /** Most seconds of an attack. */
  readonly seconds: number;
}

/** What slowhttptest counts in a second. */
interface Second {
  readonly closed: number;
  readonly pending: number;
  readonly connected: number;
  readonly available: boolean;
}

/** The seconds in the table that slowhttptest writes: `Seconds,Closed,Pending,Connected,Service Available`. */
function secondsOf(csv: string): Second[] {
  return csv.trim().split("\n").slice(1).map((line) => {
    const [, closed = NaN, pending = NaN, connected = NaN, available = NaN] = line.split(",").map(Number);
    return { closed, pending, connected, available: available > 0 };
  });
}

function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("slowhttptest", args, { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part) => text += part);
    child.once(
      "error",
      (cause) => reject(new Error("There is no slowhttptest: apt-get install slowhttptest", { cause })),
    );
    child.once("close", () => resolve(text.replace(COLOURS, "")));
  });
}

/** The heading of the table. */
export const HEADING: readonly string[] = [
  "| runtime | attack | ended | closed | pending, at most | server: connections | held for | service available | answer, p50 | longest | RSS before | at most |",
  "| --- | --- | --- | --: | --: | --: | --: | --- | --: | --: | --: | --: |",
];

/** Makes the attacks on a server of a runtime, and tells `say` a row for each. Returns what was wrong. */
export async function slowhttptest(
  runtime: Runtime,
  { connections, seconds }: SlownessScale,
  say: (row: string) => void,
): Promise<string[]> {
  const plan = cells.find(({ name }) => name === runtime) ?? cells[0]!;
  const faults: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), "tsgi-slow-"));
  try {
    for (const { name, args, path } of SLOWNESSES) {
      await withCell(plan, {}, async (cell) => {
        let left = 50; // requests that warm the server up
        await probe(cell.port, () => left-- === 0);
        const before = cell.memory("VmRSS");
        const idle = cell.sockets();
        const began = performance.now();
        const server = { most: before, connections: 0, held: 0 };
        const sampling = setInterval(() => {
          const connections = cell.sockets() - idle;
          server.most = Math.max(server.most, cell.memory("VmRSS"));
          server.connections = Math.max(server.connections, connections);
          if (connections > OURS) server.held = (performance.now() - began) / 1000;
        }, SAMPLE);
        let over = false;
        const service = noService();
        const probing = probe(cell.port, () => over, undefined, service);
        const file = join(folder, name);
        const counts = ["-c", connections, "-r", RATE, "-l", seconds, "-p", PATIENCE].map(String);
        const url = `http://127.0.0.1:${cell.port}${path}`;
        const text = await run([...args, ...counts, "-g", "-o", file, "-u", url]);
        await pause(SAMPLE);
        over = true;
        clearInterval(sampling);
        await probing;
        const rows = secondsOf(readFileSync(`${file}.csv`, "utf8"));
        const exit = /Exit status: *(.*\S)/.exec(text)?.[1] ?? "?";
        const end = /ended on (\d+)/.exec(text)?.[1] ?? "?";
        const isOver = /^No open connections/.test(exit);
        const available = rows.every((row) => row.available);
        const { median, longest } = waits(service);
        const columns = [
          runtime,
          name,
          `${exit}, ${end} s`,
          isOver ? connections : rows.at(-1)?.closed ?? 0, // the last row is of the second before
          Math.max(...rows.map((row) => row.pending)),
          server.connections,
          `${server.held.toFixed(0)} s`,
          available ? "YES" : "NO",
          `${median.toFixed(1)} ms`,
          `${longest.toFixed(0)} ms`,
          `${mib(before)} MiB`,
          `${mib(server.most)} MiB`,
        ];
        say(`| ${columns.join(" | ")} |`);
        if (!available) faults.push(`${runtime}, ${name}: the service was not available throughout`);
        if (service.failures.length > 0) faults.push(`${runtime}, ${name}: ${service.failures[0]}`);
      });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return faults;
}
