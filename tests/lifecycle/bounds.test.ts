/**
 * Bounds: connections, requests on one connection, descriptors, and pipelined requests. Above each the server refuses or
 * waits; it never falls over, and serves again as soon as there is room.
 */

import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { Client } from "../behaviour/client.ts";
import { field, textOf } from "../behaviour/response.ts";
import { type Cell, cells, mib, until, withCell } from "./cell.ts";

const DEADLINE = 20_000;
const FLOOD = 20_000;
const GROWTH = 32 * 1048576; // bytes that 20 MB of held requests may cost; the held bytes themselves are 64 KiB

async function ask(client: Client): Promise<number> {
  await client.request("GET", "/ok");
  return (await client.response(DEADLINE)).status;
}

/** Whether a new connection is served now. */
async function serves(cell: Cell): Promise<boolean> {
  const client = await Client.connect(cell.port).catch(() => undefined);
  try {
    if (client === undefined) return false;
    await client.request("GET", "/ok");
    return (await client.response(2000)).status === 200;
  } catch {
    return false;
  } finally {
    client?.dispose();
  }
}

describe.each(cells)("$name", (plan) => {
  it("maxConnections: one more is told 503 and closed; when one leaves, the next is served", async () => {
    await withCell(plan, { serve: { maxConnections: 4 } }, async (cell) => {
      const clients = await Promise.all(Array.from({ length: 4 }, () => Client.connect(cell.port)));
      for (const client of clients) {
        expect(await ask(client)).toBe(200);
        await client.send("GET /ok HTTP/1.1\r\n"); // it is not idle: its next request has begun
      }
      const finish = async (client: Client): Promise<number> => {
        client.reader.expect("GET");
        await client.send("Host: h\r\n\r\n");
        return (await client.response(DEADLINE)).status;
      };
      for (let i = 0; i < 5; i++) {
        const extra = await Client.connect(cell.port);
        if (i % 2 === 0) await extra.request("GET", "/ok"); // one that asks, and one that waits for what comes
        else extra.reader.expect("GET");
        const response = await extra.response(DEADLINE);
        expect(response.status).toBe(503);
        expect(field(response, "Retry-After")).toMatch(/^\d+$/);
        expect(field(response, "Connection")).toBe("close");
        await extra.until("the end of the connection", () => extra.over, DEADLINE);
        expect(extra.fin).toBe(true);
        extra.dispose();
      }
      clients.pop()?.dispose();
      await until("room for one more", () => serves(cell));
      for (const client of clients) {
        expect(await finish(client)).toBe(200);
        client.dispose();
      }
    });
  }, 60_000);

  it("14.30 at maxConnections the connection that has been idle longest makes room for a new one", async () => {
    await withCell(plan, { serve: { maxConnections: 4 } }, async (cell) => {
      const clients = await Promise.all(Array.from({ length: 4 }, () => Client.connect(cell.port)));
      await clients[0]!.request("GET", "/hold"); // it is older than all, and not idle
      for (const i of [1, 2, 3, 1]) expect(await ask(clients[i]!)).toBe(200); // 2 is idle for longest, then 3
      for (const oldest of [2, 3, 1]) {
        const fresh = await Client.connect(cell.port);
        expect(await ask(fresh)).toBe(200);
        await clients[oldest]!.until("the end of the idle connection", () => clients[oldest]!.over, DEADLINE);
        expect(clients.map(({ over }) => over).filter((over) => over)).toHaveLength([2, 3, 1].indexOf(oldest) + 1);
        clients.push(fresh);
      }
      await clients.at(-1)!.request("GET", "/release");
      expect((await clients.at(-1)!.response(DEADLINE)).status).toBe(200);
      expect(textOf(await clients[0]!.response(DEADLINE))).toBe("held");
      for (const client of clients) client.dispose();
    });
  }, 60_000);

  it("14.6 connections that say nothing fill the house for headerTimeout, not for keepAliveTimeout", async () => {
    await withCell(plan, { serve: { maxConnections: 4, headerTimeout: 1, keepAliveTimeout: 600 } }, async (cell) => {
      const clients = await Promise.all(Array.from({ length: 4 }, () => Client.connect(cell.port)));
      expect(await serves(cell)).toBe(false);
      await until("room", () => serves(cell), 5000);
      for (const client of clients) {
        await client.until("the end of the connection", () => client.over, DEADLINE);
        expect([client.fin, client.reader.finals]).toEqual([true, []]);
        client.dispose();
      }
    });
  }, 60_000);

  it("maxRequestsPerConnection: the last response says so, and the connection ends", async () => {
    await withCell(plan, { serve: { maxRequestsPerConnection: 3 } }, async (cell) => {
      const client = await Client.connect(cell.port);
      for (const connection of [undefined, undefined, "close"]) {
        await client.request("GET", "/ok");
        expect(field(await client.response(DEADLINE), "Connection")).toBe(connection);
      }
      await client.until("the end of the connection", () => client.over, DEADLINE);
      expect(client.fin).toBe(true);
      client.dispose();
      const pipelined = await Client.connect(cell.port);
      await Promise.all(Array.from({ length: 3 }, () => pipelined.request("GET", "/ok")));
      await pipelined.send("GET /ok HTTP/1.1\r\nHost: h\r\n\r\n"); // never answered
      for (let i = 0; i < 3; i++) expect((await pipelined.response(DEADLINE)).status).toBe(200);
      await pipelined.until("the end of the connection", () => pipelined.over, DEADLINE);
      expect([pipelined.fin, pipelined.reader.finals.length]).toEqual([true, 3]);
      pipelined.dispose();
    });
  }, 60_000);

  it("EMFILE: 200 connections with 64 descriptors; it serves again once they are gone", async () => {
    await withCell(plan, { descriptors: 64 }, async (cell) => {
      const first = cell.sockets();
      expect(await serves(cell)).toBe(true);
      for (let round = 0; round < 2; round++) {
        const crowd: Socket[] = [];
        for (let i = 0; i < 200; i++) {
          const socket = connect({ host: "127.0.0.1", port: cell.port }).on("error", () => {});
          crowd.push(socket);
        }
        let most = 0;
        await until(
          "no descriptors to be left",
          () => {
            most = Math.max(most, cell.sockets());
            return most >= first + 20 || (round > 0 && plan.name === "deno-node"); // what is left of 64 differs
          },
          20_000,
          () => `${first} sockets at first, ${most} at most\n${cell.output}`,
        );
        expect(cell.alive).toBe(true);
        for (const socket of crowd) socket.resetAndDestroy();
        // Deno 2.9.6: its node:net accepts nothing any more after EMFILE, and emits no error by which to tell.
        if (plan.name !== "deno-node") await until("it to serve again", () => serves(cell), 40_000, () => cell.output);
        await until("the sockets to be gone", () => cell.sockets() <= first);
      }
      expect(cell.output).not.toMatch(/Error:|panicked/);
      cell.kill("SIGTERM");
      expect(await cell.exit(DEADLINE)).toEqual({ code: 0, signal: null });
    });
  }, 120_000);

  it(
    `${FLOOD} pipelined requests behind a response that is held: bounded memory, and all answered in order`,
    async () => {
      await withCell(plan, {}, async (cell) => {
        for (let i = 0; i < 20; i++) expect(await serves(cell)).toBe(true);
        const before = cell.memory("VmRSS");
        const client = await Client.connect(cell.port);
        await client.request("GET", "/hold");
        const filler = "f".repeat(950);
        let sent = 0;
        for (let i = 0; i < FLOOD; i++) {
          client.request("GET", `/ok?${i}`, { headers: [["X-Filler", filler]] }).then(() => sent++);
        }
        let last = -1;
        let still = 0;
        await until("the client to be stopped", () => {
          still = sent === last ? still + 1 : 0;
          last = sent;
          return still === 100;
        });
        expect(client.unsent).toBeGreaterThan(1048576); // the server has stopped reading
        const held = cell.memory("VmRSS") - before;
        console.log(
          `${plan.name}: ${mib(held)} MiB more while ${FLOOD} requests wait, ${mib(client.unsent)} MiB unsent`,
        );
        expect(held).toBeLessThan(GROWTH);
        const other = await Client.connect(cell.port);
        await other.request("GET", "/release");
        await other.response(DEADLINE);
        other.dispose();
        expect(textOf(await client.response(DEADLINE))).toBe("held");
        for (let i = 0; i < FLOOD; i++) expect(textOf(await client.response(DEADLINE))).toBe(`ok ${i}`);
        client.dispose();
      });
    },
    120_000,
  );
});
