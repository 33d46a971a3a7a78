/**
 * Shutdown of one of two processes that share a listening socket by `fd`: then the accept queue outlives the process
 * that leaves, and not one request is lost, from the first SYN on.
 */

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Cell, type CellPlan, cells, until } from "./cell.ts";
import { CLIENTS, clientsOf, noTally } from "./load.ts";

const ROUNDS = 20;
const DEADLINE = 20_000;

/** Two processes on one socket that nobody else holds. */
async function pair(plan: CellPlan): Promise<readonly [Cell, Cell]> {
  const holder = createServer();
  let starting: Promise<Cell>[] = [];
  holder.listen(0, "127.0.0.1", () => {
    const { fd } = (holder as unknown as { _handle: { fd: number } })._handle;
    const { port } = holder.address() as AddressInfo;
    starting = [1, 2].map(() => Cell.start(plan, { serve: { fd: 3 }, socket: { fd, port } }));
    holder.close(); // in the same turn: nothing is accepted here
  });
  await once(holder, "close");
  return await Promise.all(starting) as [Cell, Cell];
}

// Deno.listen takes no descriptor (tests/host/sockets.test.ts: it is refused); node:net under Deno does.
const sharing = cells.filter((plan) => plan.name !== "deno");

describe.each(sharing)("$name: one of two processes on a socket leaves under load", (plan: CellPlan) => {
  it(`no request is lost in ${ROUNDS} rounds`, async () => {
    let answered = 0;
    for (let number = 0; number < ROUNDS; number++) {
      const [first, second] = await pair(plan);
      try {
        const tally = noTally();
        let over = false;
        const clients = clientsOf(first.port, tally, { over: () => over });
        await until("the load", () => tally.answered > 4 * CLIENTS);
        await pause(60 + 7 * number);
        first.kill("SIGTERM");
        expect(await first.exit(DEADLINE)).toEqual({ code: 0, signal: null });
        const then = tally.answered;
        await until("the load on the other", () => tally.answered > then + 4 * CLIENTS);
        over = true;
        await Promise.all(clients);
        const { unsent, backlog, failures } = tally;
        expect({ unsent, backlog, failures }).toEqual({ unsent: 0, backlog: 0, failures: [] });
        answered += tally.answered;
      } finally {
        await Promise.all([first.stop(), second.stop()]);
      }
    }
    console.log(`${plan.name}: ${answered} requests answered`);
  }, 200_000);
});
