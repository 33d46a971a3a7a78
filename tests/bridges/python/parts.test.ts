/**
 * The parts of the bridge that need no Python: the codec of frames, the buffer, the options.
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { fromPython } from "../../../bridges/python.ts";
import { DATA, FrameReader } from "../../../bridges/python/frames.ts";
import { projectPath } from "../../server_process.ts";
import { type Environ, serve, type StartResponse } from "../../../mod.ts";
import { Pool } from "../../../bridges/python/pool.ts";
import { until } from "./served.ts";
import { SpooledBuffer } from "../../../bridges/python/spooled_buffer.ts";

const folder = mkdtempSync(join(tmpdir(), "tsgi-parts-"));
afterAll(() => rmSync(folder, { recursive: true }));

function frame(type: string, content: string): Buffer {
  const head = Buffer.from([type.charCodeAt(0), 0, 0, 0, content.length]);
  return Buffer.concat([head, Buffer.from(content)]);
}

it("20.1 frames are the same however their bytes are split", () => {
  const all = Buffer.concat([
    frame("H", "[1]"),
    frame("D", "block"),
    frame("D", ""),
    frame("D", "more"),
    frame("E", ""),
    frame("I", ""),
  ]);
  for (let size = 1; size <= all.length; size++) {
    const seen: [string, string][] = [];
    const reader = new FrameReader((type, content) => {
      const last = seen.at(-1);
      if (type === DATA && last?.[0] === "D") last[1] += content.toString(); // a block may come in parts
      else seen.push([String.fromCharCode(type), content.toString()]);
    });
    for (let at = 0; at < all.length; at += size) reader.push(all.subarray(at, at + size));
    expect(seen).toEqual([["H", "[1]"], ["D", "blockmore"], ["E", ""], ["I", ""]]);
  }
});

describe("20.2 a buffer", () => {
  const block = (value: number, size = 1000): Uint8Array => new Uint8Array(size).fill(value);

  it("keeps order in memory, in its file, and in memory again, and leaves nothing in its folder", async () => {
    const buffer = new SpooledBuffer(2500, folder);
    const read: number[] = [];
    const take = async (bytes: number): Promise<void> => {
      for (let left = bytes; left > 0;) {
        const got = await buffer.next() as Uint8Array;
        left -= got.length;
        for (let i = 0; i < got.length; i += 1000) read.push(got[i] as number);
      }
    };
    for (let i = 0; i < 10; i++) buffer.push(block(i));
    expect(buffer.blocks).toBeUndefined();
    await take(10_000);
    for (let i = 10; i < 12; i++) buffer.push(block(i));
    await take(2000);
    const late = take(1000);
    buffer.push(block(12));
    await late;
    buffer.end();
    expect(await buffer.next()).toBeUndefined();
    expect(read).toEqual(Array.from({ length: 13 }, (_, i) => i));
    expect(readdirSync(folder)).toEqual([]);
    buffer.close();
  });

  it("lets its writer wait when the file is as large as it may be", async () => {
    const buffer = new SpooledBuffer(0, folder, 5000);
    let drained = false;
    for (let i = 0; i < 8; i++) buffer.push(block(i));
    while (!buffer.isFull) await new Promise((resolve) => setTimeout(resolve, 1));
    buffer.drained(() => drained = true);
    await buffer.next();
    expect([drained, buffer.isFull]).toEqual([true, false]);
    buffer.close();
  });

  it("gives an error behind the blocks that are there, also one of the disk", async () => {
    const buffer = new SpooledBuffer(5000, folder);
    buffer.push(block(1));
    buffer.fail(new Error("gone"));
    expect((await buffer.next())?.length).toBe(1000);
    await expect(buffer.next()).rejects.toThrow("gone");
    const without = new SpooledBuffer(0, join(folder, "nowhere"));
    without.push(block(1));
    await expect(without.next()).rejects.toThrow(/ENOENT/);
  });
});

it("20.1 the Python file has the grammar of 3.9, and uses the standard library only", () => {
  const check = `import ast, sys
tree = ast.parse(open(sys.argv[1]).read(), feature_version=(3, 9))
names = {n.name for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names}
names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
print(sorted(names - set(sys.stdlib_module_names)), len(names) > 5)`;
  expect(execFileSync("python3", ["-c", check, projectPath("bridges/python/child.py")], { encoding: "utf8" })).toBe(
    "[] True\n",
  );
});

it("20.1 a Python file that is no file of this machine, as on Deno, is copied", async () => {
  const file = readFileSync(projectPath("bridges/python/child.py"));
  const limits = {
    processes: 1,
    threads: 1,
    bufferLimit: 1,
    spoolLimit: 1,
    queueLimit: 1,
    queueTimeout: 1,
    timeout: 0,
  };
  const pool = new Pool(
    {
      ...limits,
      application: "wsgiref.simple_server:demo_app",
      python: "python3",
      cwd: folder,
      env: process.env,
      bootTimeout: 0,
      maxRequests: 0,
      maxRequestsJitter: 0,
      log: () => {},
      onFiles: () => {},
    },
    new URL(`data:text/x-python;base64,${file.toString("base64")}`),
  );
  await pool.ready;
  expect([pool.pids.length, readdirSync(pool.folder).toSorted()]).toEqual([1, ["child.py", "socket"]]);
  await pool.close(0);
  expect(existsSync(pool.folder)).toBe(false);
});

it("20.5 an application of ours hears of a client that leaves behind Content-Length, until its iterator has ended", async () => {
  let heard = "";
  let release = (): void => {};
  const app = async function* (environ: Environ, startResponse: StartResponse): AsyncGenerator<string> {
    environ["tsgi.request"].onDeparture(({ name }) => (heard = name, release()));
    startResponse("200 OK", [["Content-Length", "4"]]);
    yield "all\n";
    await new Promise<void>((resolve) => release = resolve);
  };
  const server = await serve(app, { port: 0, onListen: () => {}, handleSignals: false });
  const socket = connect(server.address.port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  await new Promise<void>((resolve) => socket.on("data", (bytes) => String(bytes).endsWith("all\n") && resolve()));
  socket.destroy();
  await until("the departure", () => heard !== "");
  expect(heard).toBe("ClientDisconnectedError");
  await server.shutdown({ timeout: 0 });
});

it.each([
  ["site/app.py", {}, /expected MODULE, MODULE:NAME or MODULE:FACTORY\(\.\.\.\)/],
  ["app", { workers: 2 }, /workers: there is no such option of fromPython; it has python, cwd, /],
  ["app", { processes: 0 }, /processes: expected a whole number from 1, got /],
  ["app", { timeout: -1 }, /timeout: expected seconds from 0, got /],
  ["app", { cwd: "/nope" }, /cwd: expected a folder that exists, got .*\/nope/],
  ["app", { python: folder }, /python: expected an interpreter, or the folder of a virtualenv/],
])("20.1 refuses %s with %o", (application, options, message) => {
  expect(() => fromPython(application, options as object)).toThrow(message);
});
