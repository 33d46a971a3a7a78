/**
 * The command of the README as it stands: on Deno `--allow-net` alone must be enough.
 *
 * PORT may not be read then, so the server takes port 8000, and that must be free. PORT is 0 in the environment of the
 * test: a server that read it in spite of the missing permission, or stopped to ask for it, would not be at 8000.
 *
 * @module
 */

import { expect, onTestFinished, test } from "vitest";
import { Example } from "./example.ts";

test("deno run --allow-net examples/serve.ts serves at port 8000", async () => {
  const example = await Example.start("serve", "deno", ["run", "--allow-net"]).catch((error: Error) => {
    if (!/already in use|EADDRINUSE|AddrInUse/i.test(error.message)) throw error;
    throw new Error("Port 8000 of 127.0.0.1 is busy, and this test needs it: end what listens there", { cause: error });
  });
  onTestFinished(() => example.stop());
  expect(example.port).toBe(8000);
  const response = await fetch(example.url("/there"));
  expect([response.status, await response.text()]).toEqual([200, "Hello from /there\n"]);
  expect(example.stderr).toBe("");
});
