/**
 * A long run with TLS, by hand: `npm run test:soak:tls`. For each runtime, under load by fresh and kept connections, the
 * certificate is exchanged again and again, in turn by a change of its files and by HUP, until 20,000 requests are
 * answered: none may fail.
 *
 * @module
 */

import { copyFileSync, readFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "../behaviour/client.ts";
import { textOf } from "../behaviour/response.ts";
import { type Runtime, runtimes, SITE, until, withCommand } from "../cli/command.ts";
import { Certificates, type Pair } from "./certificates.ts";

const REQUESTS = 20_000;
const CLIENTS = 12;
const EACH = 50; // requests of a kept connection

/** What became of the requests. */
interface Tally {
  answered: number;
  connections: number;
  failures: string[];
}

async function client(port: number, ca: string, kept: boolean, tally: Tally, over: () => boolean): Promise<void> {
  while (!over()) {
    try {
      const connection = await Client.connect(port, ca);
      tally.connections++;
      try {
        for (let i = 0, last = false; i < (kept ? EACH : 1) && !last && !over(); i++) {
          const id = String(tally.answered);
          await connection.request("GET", `/?${id}`);
          const response = await connection.response(30_000);
          if (textOf(response) !== `ok ${id}`) throw new Error(`${response.status} ${textOf(response)}`);
          tally.answered++;
          last = response.headers.some(([name, value]) => name === "Connection" && value === "close");
        }
      } finally {
        connection.dispose();
      }
    } catch (error) {
      tally.failures.push((error as Error).message);
    }
  }
}

async function exchanges(runtime: Runtime, made: Certificates): Promise<void> {
  const names = { names: ["DNS:localhost"] };
  const pairs: readonly Pair[] = [made.signed("one", names), made.signed("two", names)];
  const [cert, key] = [made.path("live.pem"), made.path("live.key")];
  const use = (round: number): void => {
    const pair = pairs[round % 2] as Pair;
    copyFileSync(pair.cert, cert);
    copyFileSync(pair.key, key);
  };
  use(0);
  await withCommand(runtime, { args: ["-w", "2", "--certfile", cert, "--keyfile", key, SITE] }, async (command) => {
    const tally: Tally = { answered: 0, connections: 0, failures: [] };
    const ca = readFileSync(made.ca, "utf8");
    let over = false;
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => client(command.port, ca, i % 2 === 0, tally, () => over),
    );
    let rounds = 0;
    let reloads = 0;
    while (tally.answered < REQUESTS) {
      use(++rounds);
      if (rounds % 2 === 0) {
        command.kill("SIGHUP");
        await command.logged(/All workers are ready/, ++reloads + 1, 60_000);
      } else {
        const used = [...command.log.matchAll(/are in use/g)].length;
        await until("the change to be seen", () => [...command.log.matchAll(/are in use/g)].length >= used + 2, 60_000);
      }
      await pause(200);
    }
    over = true;
    await Promise.all(clients);
    const { answered, connections, failures } = tally;
    console.log(
      `${runtime}: ${answered} answered on ${connections} TLS connections, ${rounds - reloads} changes of the files, ` +
        `${reloads} HUPs, ${failures.length} failed ${[...new Set(failures)].slice(0, 3).join("; ")}`,
    );
    if (failures.length > 0) process.exitCode = 1;
  });
}

const chosen = process.argv.slice(2);
const made = new Certificates();
try {
  for (const runtime of runtimes.filter((one) => chosen.length === 0 || chosen.includes(one))) {
    await exchanges(runtime, made);
  }
} finally {
  made.remove();
}
