/**
 * Workers of the command that stop wait for what goes on behind responses: the promises of waitUntil.
 */

import { expect, it } from "vitest";
import { projectPath, runtimes, withCommand } from "./command.ts";

const FETCH = projectPath("bridges/fetch.ts");

const files = {
  "app.ts": `import { fromFetch } from ${JSON.stringify(FETCH)};
    export const app = fromFetch((request: Request, context: { waitUntil(promise: Promise<unknown>): void }) => {
      context.waitUntil(new Promise((resolve) => setTimeout(resolve, 200)).then(() => console.error("work is done")));
      return new Response(request.method);
    });`,
};

it.each(runtimes)("16.1 %s: TERM and HUP wait for the promises of waitUntil", async (runtime) => {
  await withCommand(runtime, { args: ["app.ts"], files }, async (command) => {
    expect(await command.get("/")).toBe("GET");
    command.kill("SIGHUP");
    await command.logged(/work is done/);
    await command.logged(/All workers are ready/, 2);
    expect(await command.get("/")).toBe("GET");
    command.kill("SIGTERM");
    expect(await command.exit()).toEqual({ code: 0, signal: null });
    await command.closed;
    expect(command.log.match(/work is done/g)).toHaveLength(2);
  });
});
