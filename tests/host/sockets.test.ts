/**
 * Listening on everything a runtime can listen on, and a clear refusal of what it would silently do otherwise.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
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

/** A Unix socket that takes no more: its server is stopped, and clients wait in its queue. */
async function fullSocket(): Promise<{ path: string; child: ChildProcess; clients: Socket[] }> {
  const path = join(folder, `full-${Math.random()}.sock`);
  const script = `require("node:net").createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 },
    () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout as NonNullable<typeof child.stdout>, "data");
  child.kill("SIGSTOP");
  const clients: Socket[] = [];
  for (let code = ""; code !== "EAGAIN";) {
    const client = connect(path);
    clients.push(client);
    code = await new Promise((resolve) => {
      client.once("connect", () => resolve(""));
      client.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    });
  }
  return { path, child, clients };
}

/** Bytes of the longest path of a Unix socket. */
const LONGEST = process.platform === "linux" ? 107 : 103;

/** A program of clients that send a request and reset the connection. */
const RESETS = `
  const { connect } = require("node:net");
  for (let i = 0; i < 20; i++) {
    const socket = connect(Number(process.argv[1]), "127.0.0.1", () => {
      socket.write("GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n", () => socket.resetAndDestroy());
    });
  }
`;

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
    expect(await run(runtime, [adapter, "refused", file])).toEqual([
      `ListenError: Cannot listen on unix:${file}: there is a file that is not a socket`,
    ]);
  });

  it("14.3 a Unix socket whose queue is full is not taken for dead", async () => {
    const { path, child, clients } = await fullSocket();
    try {
      const { ino } = lstatSync(path);
      expect(await run(runtime, [adapter, "refused", path])).toEqual([
        `ListenError: Cannot listen on unix:${path}: another server listens there, and its queue is full`,
      ]);
      expect(lstatSync(path).ino).toBe(ino);
    } finally {
      for (const client of clients) client.destroy();
      child.kill("SIGKILL");
    }
  });

  it("14.2 a Unix socket has its mode from the moment of its bind, under a name that nobody knows", async () => {
    expect(await run(runtime, [adapter, "mode at bind"])).toEqual(["660 22 false", "false true", "false"]);
  });

  it("14.2 a link in the place of the socket that was made is not followed", async () => {
    const precious = join(folder, "precious");
    writeFileSync(precious, "precious", { mode: 0o600 });
    expect(await run(runtime, [adapter, "swapped", precious])).toEqual([
      "Cannot listen on unix:PATH: another file stands at TEMPORARY, where the socket was made",
      "false 600",
    ]);
  });

  it("14.4 a server that ends leaves the socket of another one at its path", async () => {
    expect(await run(runtime, [adapter, "succeeded"])).toEqual(["localhost 80 none", "false"]);
  });

  it("14.4 a relative path is removed, whatever the working directory is at the end", async () => {
    expect(await run(runtime, [adapter, "moved on", folder])).toEqual(["true", "false"]);
  });

  it("14.4 a path as long as the system takes, with a short and with a long last part; one that is longer", async () => {
    const fill = (length: number, last: string): string => {
      const parent = join(folder, "x".repeat(length - folder.length - last.length - 2));
      mkdirSync(parent, { recursive: true });
      return join(parent, last);
    };
    for (const last of ["s", "s".repeat(20)]) {
      const path = fill(LONGEST, last);
      expect(await run(runtime, [adapter, "dead unix", path])).toEqual(["localhost 80 none"]);
      expect(readdirSync(dirname(path))).toEqual([]);
    }
    const long = fill(LONGEST + 1, "s");
    expect(await run(runtime, [adapter, "refused", long])).toEqual([
      `ListenError: Cannot listen on unix:${long}: the path has ${LONGEST + 1} bytes, and the system takes ${LONGEST}`,
    ]);
  });

  it.each([
    ["nowhere/a.sock", "its directory does not exist"],
    ["file/a.sock", "a part of its path is not a directory"],
    ["circle/a.sock", "its path has a circle of symbolic links"],
  ])("14.28 %s: %s", async (name, reason) => {
    writeFileSync(join(folder, "file"), "precious");
    rmSync(join(folder, "circle"), { force: true });
    symlinkSync("circle", join(folder, "circle"));
    const path = join(folder, name);
    expect(await run(runtime, [adapter, "refused", path])).toEqual([
      `ListenError: Cannot listen on unix:${path}: ${reason}`,
    ]);
  });

  it.each([
    [{ allowIps: "*" }, "127.0.0.1 1"],
    [{ allowIps: ["127.0.0.1"] }, "127.0.0.1 1"],
    [{ allowIps: ["192.0.2.1"] }, "refused 0"],
    [{ proxyProtocol: true }, "127.0.0.1 1"],
  ])(
    "14.1 clients that reset before they are accepted run no request, with %j",
    async (options, expected) => {
      const output = await run(runtime, [adapter, "resets", JSON.stringify(options), process.execPath, RESETS]);
      expect(output.at(-1)).toBe(expected);
      expect(output.filter((line) => /turned away|closed/.test(line))).toHaveLength(expected === "refused 0" ? 1 : 0);
    },
  );

  it("14.1 an inherited descriptor of a Unix socket, whose peers have no address", async () => {
    const path = join(folder, `${Math.random()}.sock`);
    const server = createServer().listen(path);
    await once(server, "listening");
    const other = join(folder, `${Math.random()}.sock`); // closing it here removes the name that it bound
    linkSync(path, other);
    const output = await run(runtime, [adapter, "fd", other], server);
    if (name === "deno") expect(output[0]).toMatch(/Deno\.listen takes no file descriptor/);
    else expect(output).toEqual([`localhost 80 none {"transport":"unix","path":""}`]);
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
      const address = { transport: "tcp", hostname: "127.0.0.1", port }; // 2i Bun does not tell it, but the system does
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
