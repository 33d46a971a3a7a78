/**
 * The long runs, by hand: `npm run test:soak`. For each runtime, under load without pauses by fresh and kept connections:
 *
 * - 20 HUPs, TTIN, TTOU and `--max-requests 200`, until 100,000 requests are answered: none may fail;
 * - SIGKILL of a worker every second for 30 s: the pool is whole again within 2 s each time;
 * - a Hono application and an Express program as they are: 5 HUPs each, until 20,000 requests are answered, and none may
 *   fail.
 *
 * First come event streams whose clients leave. No memory of them may stay in use (tests/lifecycle/soak.ts).
 *
 * @module
 */

import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "../behaviour/client.ts";
import { textOf } from "../behaviour/response.ts";
import { abandonedStreams } from "../lifecycle/soak.ts";
import { type Command, projectPath, type Runtime, runtimes, SITE, until, withCommand } from "./command.ts";

const REQUESTS = 100_000;
const HUPS = 20;
const KILLS = 30;
const FRAMEWORK_REQUESTS = 20_000;
const FRAMEWORK_HUPS = 5;
const CLIENTS = 16;

/** The counts of the requests. */
interface Tally {
  answered: number;
  connections: number;
  failures: string[];
}

async function load(port: number, kept: boolean, tally: Tally, over: () => boolean): Promise<void> {
  while (!over()) {
    try {
      const client = await Client.connect(port);
      tally.connections++;
      try {
        for (let last = false; !last && !over();) {
          const id = String(tally.answered);
          await client.request("GET", `/?${id}`, kept ? {} : { headers: [["Connection", "close"]] });
          const response = await client.response(30_000);
          if (textOf(response) !== `ok ${id}`) throw new Error(`${response.status} ${textOf(response)}`);
          tally.answered++;
          last = response.headers.some(([name, value]) => name === "Connection" && value === "close");
        }
      } finally {
        client.dispose();
      }
    } catch (error) {
      tally.failures.push((error as Error).message);
    }
  }
}

async function underLoad(command: Command, run: (tally: Tally) => Promise<void>): Promise<Tally> {
  const tally: Tally = { answered: 0, connections: 0, failures: [] };
  let over = false;
  const clients = Array.from({ length: CLIENTS }, (_, i) => load(command.port, i % 2 === 0, tally, () => over));
  try {
    await run(tally);
  } finally {
    over = true;
    await Promise.all(clients);
  }
  return tally;
}

async function reloads(runtime: Runtime): Promise<void> {
  const args = ["-w", "2", "--max-requests", "200", "--max-requests-jitter", "50", SITE];
  await withCommand(runtime, { args }, async (command) => {
    const tally = await underLoad(command, async (sofar) => {
      for (let hup = 0; hup < HUPS; hup++) {
        const before = command.workers;
        command.kill("SIGHUP");
        await until("new workers", () => !before.some((pid) => command.workers.includes(pid)), 60_000);
        command.kill(hup % 2 === 0 ? "SIGTTIN" : "SIGTTOU");
        await pause(200);
      }
      await until("the requests", () => sofar.answered >= REQUESTS, 600_000, () => JSON.stringify(sofar));
    });
    report(runtime, `${HUPS} HUPs, TTIN, TTOU, max-requests 200`, tally);
    if (tally.failures.length > 0) process.exitCode = 1;
  });
}

async function frameworks(runtime: Runtime): Promise<void> {
  for (const file of ["load_hono.ts", "load.mjs"]) {
    const args = ["-w", "2", projectPath(`tests/cli/programs/${file}`)];
    await withCommand(runtime, { args }, async (command) => {
      const tally = await underLoad(command, async (sofar) => {
        for (let hup = 1; hup <= FRAMEWORK_HUPS; hup++) {
          const before = command.workers;
          command.kill("SIGHUP");
          await until("new workers", () => !before.some((pid) => command.workers.includes(pid)), 60_000);
          await until("requests", () => sofar.answered >= hup * FRAMEWORK_REQUESTS / FRAMEWORK_HUPS, 300_000);
        }
      });
      report(runtime, `${file}, ${FRAMEWORK_HUPS} HUPs`, tally);
      if (tally.failures.length > 0) process.exitCode = 1;
    });
  }
}

async function kills(runtime: Runtime): Promise<void> {
  await withCommand(runtime, { args: ["-w", "2", "--log-level", "debug", SITE] }, async (command) => {
    let longest = 0;
    const tally = await underLoad(command, async () => {
      for (let round = 0; round < KILLS; round++) {
        const began = performance.now();
        const ready = [...command.log.matchAll(/Worker is ready/g)].length;
        process.kill(command.workers[round % 2] as number, "SIGKILL");
        await command.logged(/Worker is ready/, ready + 1, 2000);
        await command.pool(2, 2000);
        longest = Math.max(longest, performance.now() - began);
        await pause(Math.max(0, 1000 - (performance.now() - began)));
      }
    });
    report(runtime, `${KILLS} workers killed, whole again after at most ${longest.toFixed(0)} ms`, tally);
  });
}

function report(runtime: Runtime, what: string, { answered, connections, failures }: Tally): void {
  const causes = [...new Set(failures.map((failure) => failure.replace(/: .*, /s, ": ").slice(0, 80)))].slice(0, 3)
    .join("; ");
  console.log(
    `${runtime}: ${what}: ${answered} answered on ${connections} connections, ${failures.length} failed ${causes}`,
  );
}

const chosen = process.argv.slice(2);
for (const runtime of runtimes.filter((one) => chosen.length === 0 || chosen.includes(one))) {
  await abandonedStreams(runtime);
  await reloads(runtime);
  await kills(runtime);
  await frameworks(runtime);
}
