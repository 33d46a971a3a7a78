/**
 * Workers at the limit of open files: connections stay below it, and a worker that has met it is replaced.
 */

import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { limitsOf } from "../../cli/descriptors.ts";
import { type Command, runtimes, SITE, until, withCommand } from "./command.ts";

const LIMIT = 64; // open files
const CLIENTS = 100;
const LIMITED = `ulimit -n ${LIMIT}; exec "$@"`;

describe("15 limits", () => {
  it.each([
    ["no limit", 1000, { limit: Infinity, used: 30, burst: 511 }, { served: 1000, open: Infinity }],
    ["far below the limit", 1000, { limit: 20_000, used: 30, burst: 0 }, { served: 1000, open: 19_906 }],
    ["the usual limit", 1000, { limit: 1024, used: 24, burst: 0 }, { served: 819, open: 936 }],
    ["the usual limit on Deno", 1000, { limit: 1024, used: 24, burst: 511 }, { served: 382, open: 436 }],
    ["fewer are wanted", 100, { limit: 1024, used: 24, burst: 511 }, { served: 100, open: 436 }],
    ["a small limit", 1000, { limit: 64, used: 24, burst: 0 }, { served: 31, open: 35 }],
    ["none left", 1000, { limit: 64, used: 70, burst: 511 }, { served: 1, open: 2 }],
  ])("%s", (_name, wanted, descriptors, expected) => expect(limitsOf(wanted, descriptors)).toEqual(expected));
});

/** Clients that connect and send nothing; settles when the system has connected them. */
function crowd(port: number): Promise<Socket[]> {
  return Promise.all(Array.from({ length: CLIENTS }, () =>
    new Promise<Socket>((resolve) => {
      const socket = connect({ host: "127.0.0.1", port });
      socket.on("error", () => {}).once("connect", () => resolve(socket));
    })));
}

async function answers(command: Command): Promise<void> {
  const answered = (): Promise<boolean> => command.get("/?x").then((text) => text === "ok x", () => false);
  await until("an answer", answered);
}

const HOG = `import { openSync } from "node:fs";
  const hog = () => { try { for (;;) openSync("/dev/null", "r"); } catch {} };
  export const app = (environ, start) => {
    if (environ.PATH_INFO === "/hog") setInterval(hog, 5); // also what the connection gives back
    start("200 OK", []);
    return ["ok " + environ.QUERY_STRING];
  };`;

describe.each(runtimes)("%s", (runtime) => {
  it(`15 serves after ${CLIENTS} connections at a limit of ${LIMIT} open files`, async () => {
    await withCommand(runtime, { args: [SITE], shell: LIMITED }, async (command) => {
      expect(command.log).toMatch(/At most \d\d connections at a time, not 1000: a process may have 64 open files/);
      const clients = await crowd(command.port);
      await command.get("/").catch(() => {}); // it may be turned away, but has been heard behind all of them
      for (const client of clients) client.destroy();
      await answers(command);
      command.kill("SIGTERM");
      expect(await command.exit()).toEqual({ code: 0, signal: null });
    });
  }, 30_000);

  it("15 a worker whose application has taken all descriptors is replaced", async () => {
    const options = { args: ["--timeout", "1", "app.mjs"], files: { "app.mjs": HOG }, shell: LIMITED };
    await withCommand(runtime, options, async (command) => {
      const before = command.workers;
      await command.get("/hog");
      await command.logged(/No file descriptor is left to accept connections with/);
      await until("another worker", () => !command.workers.includes(before[0] as number));
      await answers(command);
    });
  }, 30_000);
});
