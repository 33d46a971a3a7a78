/**
 * Idle and slow clients, 500 each, cost others nothing: a normal client is answered at once, a slow head gets its 408
 * on time, and a connection that says nothing is closed without a word.
 */

import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { median, probe } from "../overload/probe.ts";
import { Visitor } from "../overload/visitor.ts";
import { cells, mib, until, withCell } from "./cell.ts";
import type { Counts } from "./programs/app.ts";

const MANY = 500;
const HEADER_TIMEOUT = 3; // s
const KEEP_ALIVE = 60; // s
const LATE = 1200; // ms: a time-out fires within 1 s of its nominal value, and this process is not alone
const HEAD = "GET /ok HTTP/1.1\r\nHost: test.example\r\n\r\n";

/** One byte a second until the server has had enough. */
async function trickle(slow: readonly Visitor[]): Promise<void> {
  for (let at = 1; at <= HEADER_TIMEOUT + 2; at++) {
    await pause(1000);
    for (const { socket, answered } of slow) if (answered === 0 && socket.writable) socket.write(HEAD.charAt(at));
  }
}

function spread(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(0)}..${Math.max(...values).toFixed(0)}`;
}

describe.each(cells)("$name", (plan) => {
  it(`${MANY} idle and ${MANY} slow connections`, async () => {
    await withCell(plan, { serve: { headerTimeout: HEADER_TIMEOUT, keepAliveTimeout: KEEP_ALIVE } }, async (cell) => {
      const base = cell.sockets();
      await probe(cell.port, ((left) => () => left-- === 0)(20)); // what a first request needs is there
      await until("the first clients to be gone", () => cell.sockets() <= base);
      const before = cell.memory("VmRSS");
      const idle = await Visitor.crowd(cell.port, MANY);
      await until("all to be accepted", () => cell.sockets() >= base + MANY);
      const each = (cell.memory("VmRSS") - before) / MANY;
      const slow = await Visitor.crowd(cell.port, MANY, HEAD.charAt(0));
      const over = (): boolean => [...idle, ...slow].every((visitor) => visitor.ended > 0);
      const [times] = await Promise.all([probe(cell.port, over), trickle(slow)]);

      const refusedAfter = slow.map((visitor) => visitor.answered - visitor.since);
      const closedAfter = idle.map((visitor) => visitor.ended - visitor.since);
      console.log(
        `${plan.name}: ${(each / 1024).toFixed(1)} KiB for an idle connection (${mib(before)} MiB before), ` +
          `median ${median(times.fresh).toFixed(1)} ms new, ${median(times.kept).toFixed(1)} ms kept, ` +
          `408 after ${spread(refusedAfter)} ms, closed after ${spread(closedAfter)} ms`,
      );
      expect(times.failures).toEqual([]);
      expect(times.kept.length).toBeGreaterThan(20); // so that a median says something
      expect(median(times.fresh)).toBeLessThan(100);
      expect(median(times.kept)).toBeLessThan(100);
      for (const { text } of slow) expect(text).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
      for (const { text } of idle) expect(text).toBe("");
      for (const [after, seconds] of [[refusedAfter, HEADER_TIMEOUT], [closedAfter, HEADER_TIMEOUT]] as const) {
        expect(Math.min(...after)).toBeGreaterThanOrEqual(seconds * 1000 - 5); // the two clocks are not one
        expect(Math.max(...after)).toBeLessThanOrEqual(seconds * 1000 + LATE);
      }
      for (const { socket } of [...idle, ...slow]) socket.destroy();
      await until("the sockets to be gone", () => cell.sockets() <= base);
    });
  }, 60_000);

  it("14.5 a body that trickles, read or not, holds a connection for no longer than it may", async () => {
    const serve = { minBodyRate: 100, minBodyRateGrace: 1, bodyTimeout: 1, keepAliveTimeout: 600 };
    await withCell(plan, { serve }, async (cell) => {
      const post = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n`;
      const [read, unread] = await Promise.all([
        Visitor.visit(cell.port, post("/upload")),
        Visitor.visit(cell.port, post("/ok")),
      ]);
      const over = (): boolean => read.ended > 0 && unread.ended > 0;
      const trickling = setInterval(() => {
        for (const { socket } of [read, unread]) if (socket.writable) socket.write("x");
      }, 100);
      await until("both to be over", over, 10_000, () => JSON.stringify([read.text, unread.text]));
      clearInterval(trickling);
      expect(read.text).toMatch(/^HTTP\/1\.1 408 /);
      expect(unread.text).toMatch(/^HTTP\/1\.1 200 /);
      expect(unread.text).not.toMatch(/Connection: close/);
      for (const { socket } of [read, unread]) socket.destroy();
    });
  }, 60_000);

  it(
    "2j a peer that reads nothing after an Upgrade is reset after writeTimeout; one that reads slowly is not",
    async () => {
      await withCell(plan, { serve: { writeTimeout: 2 } }, async (cell) => {
        const head = "GET /upgraded HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
        const [deaf, slow] = await Promise.all([Visitor.visit(cell.port, head), Visitor.visit(cell.port, head)]);
        for (const { socket } of [deaf, slow]) socket.pause();
        const reading = setInterval(() => slow.socket.read(), 10);
        const counts = async (): Promise<Counts> =>
          await (await fetch(`http://127.0.0.1:${cell.port}/counts`)).json() as Counts;
        await until("the Upgrades", async () => (await counts()).begun === 2);
        await until("one of them to be cut", async () => (await counts()).finals === 1, 10_000);
        await pause(1000); // two ticks: the other one has existed for as long
        clearInterval(reading);
        expect((await counts()).finals).toBe(1);
        deaf.socket.resume();
        await until("the end of the first", () => deaf.socket.closed);
        expect(slow.socket.closed).toBe(false);
        slow.socket.destroy();
      });
    },
    60_000,
  );
});
