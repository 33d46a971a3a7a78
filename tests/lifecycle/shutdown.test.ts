/**
 * Shutdown of a process: under load no request is lost, what runs is finished or cut in time, and nothing is left that
 * keeps the process alive. Clients send nothing new once they are refused.
 *
 * What the system has connected and the server never accepted is reset by the system when the listener closes. No
 * server can prevent that altogether, so it is counted apart: the first request of a connection, reset without a byte.
 */

import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Client } from "../behaviour/client.ts";
import { textOf } from "../behaviour/response.ts";
import type { Counts } from "./programs/app.ts";
import { type Cell, type CellPlan, cells, until, withCell } from "./cell.ts";
import { CLIENTS, clientsOf, noTally, type Tally } from "./load.ts";

const ROUNDS = 20;
const DEADLINE = 20_000;
const END = { code: 0, signal: null };

async function round(cell: Cell, number: number): Promise<Tally> {
  const tally = noTally();
  const clients = clientsOf(cell.port, tally);
  await until("the load", () => tally.answered > 4 * CLIENTS);
  await pause(60 + 7 * number);
  cell.kill("SIGTERM");
  await Promise.all(clients);
  expect(await cell.exit(DEADLINE)).toEqual(END);
  return tally;
}

/** A request that runs. */
async function running(cell: Cell, path: string): Promise<Client> {
  const client = await Client.connect(cell.port);
  await client.request("GET", path);
  const fence = await Client.connect(cell.port);
  await fence.request("GET", "/ok", { headers: [["Connection", "close"]] });
  await fence.response(DEADLINE);
  fence.dispose();
  return client;
}

async function refused(cell: Cell): Promise<void> {
  await until("the port to be free", async () => {
    try {
      (await Client.connect(cell.port)).dispose();
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
    }
  });
}

async function answeredLast(client: Client): Promise<void> {
  const response = await client.response(DEADLINE);
  expect([response.status, textOf(response)]).toEqual([200, "waited"]);
  expect(response.headers).toContainEqual(["Connection", "close"]);
  client.dispose();
}

/** Milliseconds until the connection is cut without an answer. */
async function cut(client: Client): Promise<number> {
  const since = performance.now();
  await client.until("the end of the connection", () => client.over, DEADLINE);
  expect(client.reader.finals).toEqual([]);
  client.dispose();
  return performance.now() - since;
}

const STOPS: readonly (readonly [name: string, stop: (cell: Cell) => Promise<void>])[] = [
  ["SIGTERM", (cell) => Promise.resolve(cell.kill("SIGTERM"))],
  ["SIGINT", (cell) => Promise.resolve(cell.kill("SIGINT"))],
  ["AbortSignal", async (cell) => {
    const client = await Client.connect(cell.port);
    await client.request("GET", "/abort");
    await client.response(DEADLINE);
    client.dispose();
  }],
];

describe.each(cells)("$name: under load", (plan: CellPlan) => {
  it(`no request is lost in ${ROUNDS} rounds`, async () => {
    const all = noTally();
    for (let number = 0; number < ROUNDS; number++) {
      await withCell(plan, {}, async (cell) => {
        const tally = await round(cell, number);
        all.answered += tally.answered;
        all.last += tally.last;
        all.unsent += tally.unsent;
        all.backlog += tally.backlog;
        all.failures.push(...tally.failures);
      });
    }
    console.log(`${plan.name}: ${JSON.stringify({ ...all, failures: all.failures.length })}`);
    expect(all.failures).toEqual([]);
    expect(all.last).toBeGreaterThanOrEqual(ROUNDS); // shutdown did come while clients were kept alive
  }, 200_000);
});

describe.concurrent.each(cells)("$name", (plan: CellPlan) => {
  describe.each(STOPS)("%s", (name, stop) => {
    const handleSignals = name !== "AbortSignal";

    it("a response that takes 5 s is finished, also for a client that has sent FIN", async () => {
      await withCell(plan, { serve: { handleSignals } }, async (cell) => {
        const [client, half] = [await running(cell, "/wait?ms=5000"), await running(cell, "/wait?ms=5000")];
        half.finish();
        await stop(cell);
        await refused(cell);
        await Promise.all([answeredLast(client), answeredLast(half)]);
        expect(await cell.exit(DEADLINE)).toEqual(END);
      });
    }, 60_000);

    it("a response that takes longer than gracefulTimeout is cut", async () => {
      await withCell(plan, { serve: { handleSignals, gracefulTimeout: 1 } }, async (cell) => {
        const client = await running(cell, "/wait?ms=25000");
        await stop(cell);
        const ms = await cut(client);
        expect(ms).toBeGreaterThan(800); // the fence of /abort takes a moment
        expect(ms).toBeLessThan(2200);
        expect(await cell.exit(5000)).toEqual(END);
      });
    }, 60_000);
  });

  it(
    "14.7 an iterator that gives nothing but empty blocks ends when its client has gone, and holds up nothing",
    async () => {
      await withCell(plan, { serve: { gracefulTimeout: 60 } }, async (cell) => {
        const watch = await Client.connect(cell.port);
        const counts = async (): Promise<Counts> => {
          await watch.request("GET", "/counts");
          return JSON.parse(textOf(await watch.response(DEADLINE)));
        };
        for (const [i, path] of ["/nothing", "/nothing-slowly"].entries()) {
          const client = await Client.connect(cell.port);
          await client.request("GET", path);
          await until("the body to be asked for", async () => (await counts()).begun === i + 1);
          client.dispose();
          await until("it to end", async () => (await counts()).finals === i + 1);
        }
        watch.dispose();
        cell.kill("SIGTERM");
        expect(await cell.exit(DEADLINE)).toEqual(END);
      });
    },
    60_000,
  );

  it("a second signal cuts at once", async () => {
    await withCell(plan, {}, async (cell) => {
      const client = await running(cell, "/wait?ms=25000");
      cell.kill("SIGTERM");
      await refused(cell);
      expect(client.over).toBe(false);
      cell.kill("SIGTERM");
      expect(await cut(client)).toBeLessThan(1000);
      expect(await cell.exit(5000)).toEqual(END);
    });
  }, 60_000);

  it("idle clients, also those that never close, do not keep the process alive", async () => {
    await withCell(plan, {}, async (cell) => {
      const clients = [await Client.connect(cell.port), await running(cell, "/ok"), await running(cell, "/ok")];
      await clients[1]?.response();
      await clients[2]?.response();
      cell.kill("SIGTERM");
      await refused(cell);
      await clients[2]?.request("GET", "/wait?ms=1"); // one more, within drainIdle
      await answeredLast(clients[2] as Client);
      await Promise.all(clients.slice(0, 2).map(cutQuietly));
      expect(await cell.exit(6000)).toEqual(END);
      clients.forEach((client) => client.dispose());
    });
  }, 60_000);
});

/** FIN after drainIdle, 1 s, and not a byte more. */
async function cutQuietly(client: Client): Promise<void> {
  const [since, seen] = [performance.now(), client.seen];
  await client.until("FIN", () => client.over, DEADLINE);
  expect([client.fin, client.seen]).toEqual([true, seen]);
  expect(performance.now() - since).toBeLessThan(2200);
}
