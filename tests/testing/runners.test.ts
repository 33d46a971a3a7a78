/** The test client in the test runner of Bun. (That of Deno runs tests/deno/testing_test.ts in `npm run test:deno`.) */

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { projectPath } from "../server_process.ts";

test("bun test runs tests that use tsgi/testing", async () => {
  const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
    const args = ["test", "./tests/testing/client.test.ts"];
    const options = { cwd: projectPath(""), timeout: 30_000, env: { ...process.env, NO_COLOR: "1" } };
    execFile(projectPath("node_modules/.bin/bun"), args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr });
    });
  });
  expect(code, output).toBe(0);
  expect(output).toMatch(/\b3 pass\b[\s\S]*\b0 fail\b/);
});

test("testing/ imports core, wsgiref and itself, and nothing of a runtime", () => {
  const folder = projectPath("testing");
  const strays = readdirSync(folder).flatMap((name) =>
    [...readFileSync(`${folder}/${name}`, "utf8").replace(/\/\*[\s\S]*?\*\//g, "").matchAll(/\bfrom "([^"]+)"/g)]
      .map((match) => match[1] as string).filter((path) => !/^\.\.\/(?:core|wsgiref)\/|^\.\/[^/]+$/.test(path))
  );
  expect(strays).toEqual([]);
});
