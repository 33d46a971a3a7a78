/**
 * A Hono application under the command: HUP under load loses no request.
 */

import { expect, it } from "vitest";
import { projectPath, runtimes, until, withCommand } from "../cli/command.ts";
import { nothingLost, underLoad } from "../cli/load.ts";

const files = {
  "app.ts": `import { Hono } from ${JSON.stringify(projectPath("node_modules/hono/dist/index.js"))};
    import { fromFetch } from ${JSON.stringify(projectPath("bridges/fetch.ts"))};
    const hono = new Hono();
    hono.get("/ok", (c) => c.text("ok " + new URL(c.req.url).search.slice(1)));
    hono.get("/wait", async (c) => {
      await new Promise((resolve) => setTimeout(resolve, Number(c.req.query("ms"))));
      return c.text("waited");
    });
    export const app = fromFetch(hono);`,
};

it.each(runtimes)("16.6 %s: HUP under load with Hono loses no request", async (runtime) => {
  await withCommand(runtime, { args: ["-w", "2", "app.ts"], files }, async (command) => {
    const tally = await underLoad(command, async () => {
      const before = command.workers;
      command.kill("SIGHUP");
      await command.logged(/All workers are ready/, 2);
      await until("the old workers to be gone", () => !before.some((pid) => command.workers.includes(pid)));
    });
    nothingLost(tally);
    command.kill("SIGTERM");
    expect(await command.exit()).toEqual({ code: 0, signal: null });
  });
}, 60_000);
