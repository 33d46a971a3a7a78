/**
 * Keep-alive connections spread over the workers, whichever worker accepted them, and no request is lost by it.
 */

import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { surpluses } from "../../cli/balance.ts";
import { Turns } from "../../cli/turns.ts";
import type { Connection, Host, ListenOptions, Transport } from "../../core/seams.ts";
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

describe("18 a worker gives way behind an accept", () => {
  // Each step: ms that pass, then "late" (a beat, by so many ms) or "accept", and whether it slept for that.
  const cases: Record<string, [passes: number, late: number | "accept", sleeps?: boolean][]> = {
    "never while the loop is not blocked": [[0, 10, false], [100, "accept", false]],
    "once it was": [[0, 900, false], [100, "accept", true]],
    "for the first connection after a pause": [
      [0, 900],
      [50, "accept", true],
      [50, "accept", false],
      [199, "accept", false],
      [200, "accept", true],
    ],
    "for a minute": [[0, 900], [59_000, 0], [100, "accept", true], [1000, 0], [100, "accept", false]],
  };
  it.each(Object.entries(cases))("%s", async (_name, steps) => {
    const wait = vi.spyOn(Atomics, "wait").mockReturnValue("timed-out");
    onTestFinished(() => wait.mockRestore());
    let now = 0;
    let connect = (): void => {};
    const host = {
      listen: (_options: ListenOptions, accept: (transport: Transport) => Connection) => {
        connect = () => void accept({} as Transport);
        return Promise.resolve({});
      },
    } as unknown as Host;
    const turns = new Turns(() => now);
    await turns.host(host).listen({} as ListenOptions, () => ({}) as Connection, () => {});
    for (const [passes, what, sleeps = false] of steps) {
      now += passes;
      wait.mockClear();
      if (what === "accept") connect();
      else turns.late(what);
      expect([now, wait.mock.calls.length]).toEqual([now, sleeps ? 1 : 0]);
    }
  });
});

/** Blocks the event loop until there is a file "go". */
const BLOCKS = `import { existsSync } from "node:fs";
  export const app = (environ, start) => {
    if (environ.PATH_INFO === "/block") {
      environ["wsgi.errors"].write("blocked: " + process.pid + "\\n");
      while (!existsSync("go"));
    }
    start("200 OK", []);
    return [String(process.pid)];
  };`;

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

  it("18 no request waits for a worker that is blocked while another is idle", async () => {
    await withCommand(runtime, { args: ["-w", "2", "app.mjs"], files: { "app.mjs": BLOCKS } }, async (command) => {
      const blocking = command.get("/block");
      await command.logged(/blocked: \d+/);
      const pids = new Set<string>();
      for (let i = 0; i < 10; i++) pids.add(await command.get("/"));
      expect([...pids]).not.toContain(/blocked: (\d+)/.exec(command.log)?.[1]);
      command.write("go", "");
      await blocking;
    });
  });
});
