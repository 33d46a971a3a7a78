/** A module that serves by itself where it is the program, and is served by the command where it is not. */

import { describe, expect, it } from "vitest";
import { Command, projectPath, runAndStop, type Runtime, runtimes } from "./command.ts";

const MODULE = `import { isMain, serve } from ${JSON.stringify(projectPath("mod.ts"))};

export function app(_environ, startResponse) {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return String(isMain(import.meta));
}

if (isMain(import.meta)) await serve(app, { port: 1 }); // port 1: it would fail, or listen where nobody asked for it
`;

/** Node before 24.2 has no import.meta.main, so isMain() goes by process.argv[1] there. */
const NODE_22 = `shift; exec '${projectPath("node_modules/node-22/bin/node")}' "$@"`;

const cells: readonly (readonly [string, Runtime, string | undefined])[] = [
  ...runtimes.map((runtime) => [runtime, runtime, undefined] as const),
  ["node 22", "node", NODE_22],
];

describe.concurrent.each(cells)("%s", (_, runtime, shell) => {
  it.each(["app.ts", "app.ts:app"])("17.5 isMain() is false in a worker of `tsgi %s`", async (spec) => {
    const options = { args: ["-b", "127.0.0.1:0", spec], files: { "app.ts": MODULE } };
    const command = await Command.serving(runtime, shell === undefined ? options : { ...options, shell });
    await runAndStop(command, async () => {
      if (shell !== undefined) expect(command.log).toContain("Using runtime: node 22.");
      expect(await (await fetch(`http://127.0.0.1:${command.port}/`)).text()).toBe("false");
    });
  });
});
