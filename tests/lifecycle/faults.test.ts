/**
 * Faults at the transport: a reset after each byte of a request, and after each byte of a response. The server lives,
 * `close()` ran once for each call, `finally` for each body that was begun, and no connection is left.
 */

import { describe, expect, it } from "vitest";
import { Client, requestBytes } from "../behaviour/client.ts";
import { textOf } from "../behaviour/response.ts";
import { type Cell, cells, until, withCell } from "./cell.ts";
import type { Counts } from "./programs/app.ts";

const AT_ONCE = 16;
const REQUEST = requestBytes("POST", "/post", {
  headers: [["Content-Type", "text/plain"], ["X-Filler", "f".repeat(127)]],
  body: "b".repeat(80),
});
const BODY_AT = REQUEST.indexOf("\r\n\r\n") + 4;
const GET_BLOCKS = requestBytes("GET", "/blocks", { headers: [] });

/** Runs a task for each number from 1, a few at a time. */
async function each(count: number, task: (number: number) => Promise<void>): Promise<void> {
  let next = 1;
  const run = async (): Promise<void> => {
    while (next <= count) await task(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
}

/** A connection behind one that is there: once it is answered again and again, what was sent before has been read. */
async function passed(port: number): Promise<void> {
  const fence = await Client.connect(port);
  for (let i = 0; i < 3; i++) {
    await fence.request("GET", "/ok");
    expect((await fence.response(20_000)).status).toBe(200);
  }
  fence.dispose();
}

async function counts(cell: Cell): Promise<Counts> {
  const client = await Client.connect(cell.port);
  await client.request("GET", "/counts");
  const told = JSON.parse(textOf(await client.response(20_000))) as Counts;
  client.dispose();
  return told;
}

/** Waits until every call has been closed and every connection is gone, and checks that none was closed twice. */
async function settled(cell: Cell, base: number): Promise<Counts> {
  let now = await counts(cell);
  const done = async (): Promise<boolean> => {
    now = await counts(cell);
    return now.closes.every((times) => times > 0) && now.finals === now.begun;
  };
  await until("every call to be closed", done, 20_000, () => JSON.stringify(now));
  await until("every connection to be gone", () => cell.sockets() <= base, 20_000, () => `${cell.sockets()} > ${base}`);
  now = await counts(cell);
  expect(now.closes.filter((times) => times !== 1)).toEqual([]);
  expect(now.finals).toBe(now.begun);
  expect(cell.alive).toBe(true);
  return now;
}

async function base(cell: Cell): Promise<number> {
  const before = cell.sockets();
  await counts(cell);
  await until("the first connection to be gone", () => cell.sockets() <= before);
  return before;
}

describe.each(cells)("$name", (plan) => {
  it.each(["once it was read", "at once"])(
    `reset after each byte of a request, ${REQUEST.length}, %s`,
    async (when) => {
      await withCell(plan, {}, async (cell) => {
        const before = await base(cell);
        await each(REQUEST.length, async (count) => {
          const client = await Client.connect(cell.port);
          await client.send(REQUEST.subarray(0, count));
          if (when !== "at once") await passed(cell.port);
          client.reset();
        });
        const { calls } = await settled(cell, before);
        const complete = REQUEST.length - BODY_AT + 1; // heads that arrived whole
        if (when === "at once") expect(calls).toBeLessThanOrEqual(complete);
        else expect(calls).toBe(complete);
        expect(cell.output).toMatch(/^port \d+\n$/);
      });
    },
    120_000,
  );

  it("reset after each byte of a response", async () => {
    await withCell(plan, {}, async (cell) => {
      const before = await base(cell);
      const whole = await Client.connect(cell.port);
      await whole.request("GET", "/blocks");
      expect(textOf(await whole.response(20_000))).toBe("abcd".repeat(50));
      const length = whole.seen;
      expect(length).toBeGreaterThan(500);
      whole.dispose();
      await each(length, async (count) => {
        const client = await Client.connect(cell.port);
        client.reader.expect("GET");
        await client.send(GET_BLOCKS);
        await client.until(`${count} bytes`, () => client.seen >= count || client.over, 20_000);
        expect(client.over).toBe(false);
        client.reset();
      });
      const { calls, begun } = await settled(cell, before);
      expect([calls, begun]).toEqual([length + 1, length + 1]);
      expect(cell.output).toMatch(/^port \d+\n$/);
    });
  }, 120_000);
});
