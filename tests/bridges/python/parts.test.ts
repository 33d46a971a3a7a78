/**
 * The parts of the bridge that need no Python: the codec of frames, the buffer, the options.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { fromPython } from "../../../bridges/python.ts";
import { DATA, FrameReader } from "../../../bridges/python/frames.ts";
import { projectPath } from "../../server_process.ts";
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

it.each([
  ["site-app", {}, /expected MODULE, MODULE:NAME or MODULE:FACTORY\(\)/],
  ["app", { workers: 2 }, /workers: there is no such option of fromPython; it has python, cwd, /],
  ["app", { processes: 0 }, /processes: expected a whole number from 1, got /],
  ["app", { timeout: -1 }, /timeout: expected seconds from 0, got /],
  ["app", { python: folder }, /python: expected an interpreter, or the folder of a virtualenv/],
])("20.1 refuses %s with %o", (application, options, message) => {
  expect(() => fromPython(application, options as object)).toThrow(message);
});
