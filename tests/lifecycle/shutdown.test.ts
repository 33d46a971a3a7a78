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
import { type Cell, type CellPlan, cells, until, withCell } from "./cell.ts";

const ROUNDS = 20;
const CLIENTS = 8; // of each kind
const GAP = 50; // ms between requests of a keep-alive client, below drainIdle
const DEADLINE = 20_000;
const END = { code: 0, signal: null };

/** What became of the requests of one round. */
interface Tally {
  answered: number;
  /** Of those: told that the connection ends. */
  last: number;
  /** Connections the system made and then reset before a request was sent. */
  unsent: number;
  /** First requests of connections that the system reset without a byte: never accepted by the server. */
  backlog: number;
  failures: string[];
}

/** Sends one request, and checks the response to the last byte. False when the connection ends. */
async function exchange(client: Client, tally: Tally, kind: string): Promise<boolean> {
  const id = `${kind}${tally.answered}`;
  try {
    const ms = tally.answered % 10;
    const path = ms === 0 ? `/ok?${id}` : `/wait?ms=${ms}`;
    await client.request("GET", path, kind === "closing" ? { headers: [["Connection", "close"]] } : {});
    const response = await client.response(DEADLINE);
    const body = textOf(response);
    if (response.status !== 200 || body !== (ms === 0 ? `ok ${id}` : "waited")) throw new Error(`Got ${body}`);
    tally.answered++;
    const last = response.headers.some(([name, value]) => /^connection$/i.test(name) && value === "close");
    if (last && kind !== "closing") tally.last++;
    return !last;
  } catch (error) {
    const reset = (client.failure as NodeJS.ErrnoException | null)?.code;
    if (client.seen === 0 && (reset === "ECONNRESET" || reset === "EPIPE")) tally.backlog++;
    else tally.failures.push(`${kind}: ${(error as Error).message}`);
    return false;
  }
}

/** Connects again and again, until it is refused. */
async function load(port: number, kind: "fresh" | "closing" | "kept", tally: Tally): Promise<void> {
  for (let connections = 0; connections < 100_000; connections++) {
    let client: Client;
    try {
      client = await Client.connect(port);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED") return;
      tally.unsent++;
      continue;
    }
    try {
      if (kind !== "kept") await exchange(client, tally, kind);
      else while (!client.over && await exchange(client, tally, kind)) await pause(GAP);
    } finally {
      client.dispose();
    }
  }
}

async function round(cell: Cell, number: number): Promise<Tally> {
  const tally: Tally = { answered: 0, last: 0, unsent: 0, backlog: 0, failures: [] };
  const clients = Array.from({ length: CLIENTS }, (_, i) => [
    load(cell.port, i % 2 === 0 ? "fresh" : "closing", tally),
    load(cell.port, "kept", tally),
  ]).flat();
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
    const all: Tally = { answered: 0, last: 0, unsent: 0, backlog: 0, failures: [] };
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
