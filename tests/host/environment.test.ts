/**
 * What `serve` takes from the environment on each runtime: PORT and HOST, and what it says of a platform that sets one.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { projectPath, runCommand, type Runtime } from "../server_process.ts";

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** What a program writes to standard error that serves by `mod.ts` and ends. */
async function started(
  runtime: Runtime,
  flags: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string[]> {
  const { binary, args } = runCommand(runtime, "tests/host/loading.ts", ["--allow-net", ...flags]);
  const { HOST: _host, ...environment } = process.env;
  const child = spawn(binary, [...args, projectPath("mod.ts"), "{}"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...environment, ...env },
  });
  let text = "";
  child.stderr.on("data", (part) => text += part);
  const [code] = await once(child, "close");
  return [...text.trim().split("\n"), String(code)];
}

const READ_PROJECT = `--allow-read=${projectPath("")}`; // the program imports by a path that it is told

describe.each<Runtime>(["node", "deno", "bun"])("%s", (runtime) => {
  const notice = (host: string): string =>
    `tsgi: PORT is set and ${host}: only this machine is served, at 127.0.0.1. ` +
    "For every interface set HOST=0.0.0.0, or give serve the option hostname.";

  it.each<[what: string, permission: string, host: string | undefined, address: string, notices: string[]]>([
    ["PORT alone", "PORT,HOST", undefined, "127.0.0.1", [notice("HOST is not set or may not be read")]],
    ["HOST too", "PORT,HOST", "0.0.0.0", "0.0.0.0", []],
    ["HOST that is no address", "PORT,HOST", "box", "127.0.0.1", [
      notice('HOST is string "box", which is neither an address nor localhost'),
    ]],
    // Deno may not read it, and must neither ask nor fail.
    [
      "HOST, and PORT alone may be read",
      "PORT",
      "0.0.0.0",
      ...(runtime === "deno"
        ? ["127.0.0.1", [notice("HOST is not set or may not be read")]] as [string, string[]]
        : ["0.0.0.0", []] as [string, string[]]),
    ],
  ])("14.34 %s", async (_what, permission, host, address, notices) => {
    const PORT = String(await freePort());
    const env = host === undefined ? { PORT } : { PORT, HOST: host };
    expect(await started(runtime, [`--allow-env=${permission}`, READ_PROJECT], env)).toEqual([
      `Listening on http://${address}:${PORT}/ (tsgi on ${runtime})`,
      ...notices,
      "0",
    ]);
  });
});
