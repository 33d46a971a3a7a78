/**
 * Listening on everything a runtime can listen on, and a clear refusal of what it would silently do otherwise.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runCommand, type Runtime } from "../server_process.ts";

const folder = mkdtempSync(join(tmpdir(), "tsgi-sockets-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the program; returns what it printed, and fails when it did not end well. A server is passed on as fd 3. */
async function run(runtime: Runtime, words: string[], server?: Server): Promise<string[]> {
  const { binary, args } = runCommand(runtime, "tests/host/sockets.ts", ["-A"]);
  const child: ChildProcess = spawn(binary, [...args, ...words], {
    stdio: ["ignore", "pipe", "pipe", ...(server === undefined ? [] : [descriptorOf(server)])],
    timeout: 20_000,
  });
  server?.close(); // in this turn, so that only the child accepts
  let out = "";
  let err = "";
  child.stdout?.on("data", (text) => out += text);
  child.stderr?.on("data", (text) => err += text);
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`exit status ${code}\n${out}\n${err}`);
  return out.trim().split("\n");
}

function descriptorOf(server: Server): number {
  return (server as unknown as { _handle: { fd: number } })._handle.fd;
}

/** A socket file whose server is dead: killed, so that it could not remove it. */
async function deadSocket(): Promise<string> {
  const path = join(folder, `dead-${Math.random()}.sock`);
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout as NonNullable<typeof child.stdout>, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(existsSync(path)).toBe(true);
  return path;
}

const cells: [name: string, runtime: Runtime, adapter: "native" | "net"][] = [
  ["node", "node", "native"],
  ["deno", "deno", "native"],
  ["bun", "bun", "native"],
  ["node:net under deno", "deno", "net"],
  ["node:net under bun", "bun", "net"],
];

describe.each(cells)("%s", (name, runtime, adapter) => {
  it("L04 a Unix socket: mode, names in the environ, live path refused, removed at the end", async () => {
    expect(await run(runtime, [adapter, "unix"])).toEqual([
      "true 640",
      "localhost 80 none",
      "ListenError: Cannot listen on unix:PATH: another server listens there",
      "false",
    ]);
  });

  it("L04 a dead Unix socket is replaced, a file of another kind is not", async () => {
    expect(await run(runtime, [adapter, "dead unix", await deadSocket()])).toEqual(["localhost 80 none"]);
    const file = join(folder, "file");
    writeFileSync(file, "precious");
    expect(await run(runtime, [adapter, "not a socket", file])).toEqual([
      `ListenError: Cannot listen on unix:${file}: there is a file that is not a socket`,
    ]);
  });

  it("an inherited descriptor", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const output = await run(runtime, [adapter, "fd", String(port)], server);
    if (name === "deno") {
      const reason = "Deno.listen takes no file descriptor; serve with tsgi/node, which can, under Deno too";
      expect(output).toEqual([`ListenError: Cannot listen on file descriptor 3: ${reason}`]);
    } else {
      const address = name === "bun" ? { hostname: "", port: 0 } : { hostname: "127.0.0.1", port }; // Bun does not tell
      expect(output).toEqual([`127.0.0.1 ${port} 127.0.0.1 ${JSON.stringify(address)}`]);
    }
  });

  it("a descriptor that is none", async () => {
    const reason = name === "deno" ? /Deno\.listen takes no file descriptor/ : /it is not (?:a socket|open)/;
    expect((await run(runtime, [adapter, "bad fd"]))[0]).toMatch(reason);
  });

  it("reusePort", async () => {
    const refused = "ListenError: Cannot listen on 127.0.0.1:0: Deno.listen has no stable reusePort; " +
      "serve with tsgi/node, which can, under Deno too";
    expect(await run(runtime, [adapter, "reusePort"])).toEqual([name === "deno" ? refused : "true"]);
  });

  it("backlog", async () => {
    const refused = "ListenError: Cannot listen on 127.0.0.1:0: Bun takes no backlog, its own is 512";
    expect(await run(runtime, [adapter, "backlog"])).toEqual([runtime === "bun" ? refused : "7"]);
  });
});
