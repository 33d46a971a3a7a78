/**
 * The command under load without pauses, by fresh and kept connections: reloads, workers that are killed, and
 * applications of frameworks.
 *
 * @module
 */

import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { lossOf, underLoad } from "../cli/load.ts";
import { projectPath, type Runtime, SITE, until, withCommand } from "../cli/command.ts";

/** How much is done. */
export interface CommandScale {
  readonly requests: number;
  readonly hups: number;
  readonly kills: number;
  /** Milliseconds after which a killed worker has been replaced. */
  readonly whole: number;
  /** Requests to each application of a framework, and reloads of it. */
  readonly frameworkRequests: number;
  readonly frameworkHups: number;
}

const UNPAUSED = { gap: 0 };

/** Reloads a command by HUP, adds and takes workers, and replaces them after 200 requests each. No request may fail. */
export async function reloads(
  runtime: Runtime,
  { requests, hups }: CommandScale,
  say: (line: string) => void,
): Promise<string[]> {
  const args = ["-w", "2", "--max-requests", "200", "--max-requests-jitter", "50", SITE];
  const what = `${runtime}: ${hups} HUPs, TTIN, TTOU, max-requests 200`;
  let lost: string[] = [];
  await withCommand(runtime, { args }, async (command) => {
    const tally = await underLoad(command, async (sofar) => {
      for (let hup = 0; hup < hups; hup++) {
        const before = command.workers;
        command.kill("SIGHUP");
        await until("new workers", () => !before.some((pid) => command.workers.includes(pid)), 60_000);
        command.kill(hup % 2 === 0 ? "SIGTTIN" : "SIGTTOU");
        await pause(200);
      }
      await until("the requests", () => sofar.answered >= requests, 600_000, () => JSON.stringify(sofar));
    }, UNPAUSED);
    lost = lossOf(tally, what, say);
  });
  return lost;
}

/** Serves a Hono application and an Express program as they are, and reloads them. No request may fail. */
export async function frameworks(
  runtime: Runtime,
  { frameworkRequests, frameworkHups }: CommandScale,
  say: (line: string) => void,
): Promise<string[]> {
  const lost: string[] = [];
  for (const file of ["load_hono.ts", "load.mjs"]) {
    const args = ["-w", "2", projectPath(`tests/cli/programs/${file}`)];
    await withCommand(runtime, { args }, async (command) => {
      const tally = await underLoad(command, async (sofar) => {
        for (let hup = 1; hup <= frameworkHups; hup++) {
          const before = command.workers;
          command.kill("SIGHUP");
          await until("new workers", () => !before.some((pid) => command.workers.includes(pid)), 60_000);
          await until("requests", () => sofar.answered >= hup * frameworkRequests / frameworkHups, 300_000);
        }
      }, UNPAUSED);
      lost.push(...lossOf(tally, `${runtime}: ${file}, ${frameworkHups} HUPs`, say));
    });
  }
  return lost;
}

/** Kills a worker every second. Two have to be ready again in time; the requests of the killed one are lost. */
export async function kills(runtime: Runtime, scale: CommandScale, say: (line: string) => void): Promise<string[]> {
  await withCommand(runtime, { args: ["-w", "2", "--log-level", "debug", SITE] }, async (command) => {
    let longest = 0;
    const tally = await underLoad(command, async () => {
      for (let round = 0; round < scale.kills; round++) {
        const began = performance.now();
        const ready = [...command.log.matchAll(/Worker is ready/g)].length;
        process.kill(command.workers[round % 2] as number, "SIGKILL");
        await command.logged(/Worker is ready/, ready + 1, scale.whole);
        await command.pool(2, scale.whole);
        longest = Math.max(longest, performance.now() - began);
        await pause(Math.max(0, 1000 - (performance.now() - began)));
      }
    }, UNPAUSED);
    const whole = `whole again after at most ${longest.toFixed(0)} ms`;
    lossOf(tally, `${runtime}: ${scale.kills} workers killed, ${whole}`, say);
  });
  return [];
}
