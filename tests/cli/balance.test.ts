/**
 * Keep-alive connections spread over the workers, whichever worker accepted them, and no request is lost by it.
 */

import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { surpluses } from "../../cli/balance.ts";
import { Client } from "../behaviour/client.ts";
import { textOf } from "../behaviour/response.ts";
import { runtimes, SITE, until, withCommand } from "./command.ts";

const CLIENTS = 64;
const GAP = 40; // ms

describe("surpluses", () => {
  it.each([
    [[32, 32], [0, 0]],
    [[35, 29], [0, 0]],
    [[57, 7], [25, 0]],
    [[64, 0], [32, 0]],
    [[3, 0], [0, 0]],
    [[40, 10, 10], [20, 0, 0]],
    [[0, 0], [0, 0]],
  ])("%j lets %j go", (counts, expected) => expect(surpluses(counts)).toEqual(expected));
});

/** A client that keeps its connection until it is told to close, and tells which worker it was last answered by. */
async function keep(port: number, seen: (pid: string) => void, over: () => boolean): Promise<void> {
  while (!over()) {
    const client = await Client.connect(port);
    try {
      for (let last = false; !last && !over(); await pause(GAP)) {
        await client.request("GET", "/pid");
        const response = await client.response(20_000);
        seen(textOf(response));
        last = response.headers.some(([name, value]) => name === "Connection" && value === "close");
      }
    } finally {
      client.dispose();
    }
  }
}

describe.each(runtimes)("%s", (runtime) => {
  it(
    `${CLIENTS} connections on two workers come to 60/40 or better; a worker that is replaced gets its share`,
    async () => {
      await withCommand(runtime, { args: ["-w", "2", SITE] }, async (command) => {
        const at = new Map<number, string>();
        let over = false;
        const clients = Array.from(
          { length: CLIENTS },
          (_, i) => keep(command.port, (pid) => at.set(i, pid), () => over),
        );
        const failed = Promise.all(clients).then(() => new Promise<never>(() => {}));
        const spread = (): string => {
          const counts = command.workers.map((pid) => [...at.values()].filter((one) => one === String(pid)).length);
          return counts.toSorted((a, b) => a - b).join("/");
        };
        const even = (): boolean => at.size === CLIENTS && Number(spread().split("/")[0]) >= 0.4 * CLIENTS;
        try {
          await Promise.race([failed, until("an even spread", even, 20_000, spread)]);
          const before = command.workers;
          command.kill("SIGHUP"); // all reconnect within drainIdle
          await command.logged(/All workers are ready/, 2);
          await until("new workers", () => !before.some((pid) => command.workers.includes(pid)));
          await Promise.race([failed, until("an even spread again", even, 20_000, spread)]);
        } finally {
          over = true;
          await Promise.all(clients);
        }
      });
    },
    60_000,
  );
});
