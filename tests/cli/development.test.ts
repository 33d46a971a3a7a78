/**
 * `--reload`: a change of a file that the application imports, or of one that is named besides.
 */

import { describe, expect, it } from "vitest";
import { fileURLToPath } from "node:url";
import { importedFiles } from "../../cli/reload.ts";
import { Command, projectPath, runtimes, SITE, until, withCommand } from "./command.ts";

const FILES = {
  "app.ts": `import { word } from "./lib/word.ts";
    import { readFileSync } from "node:fs";
    const text = readFileSync("templates/a.html", "utf8");
    export const app = (_: unknown, start: (status: string, headers: []) => void) => {
      start("200 OK", []); return [word + text]; };`,
  "lib/word.ts": 'export const word = "one";',
  "templates/a.html": "!",
};

it("finds the files that an application is made of", () => {
  const files = importedFiles(SITE).map((path) => path.slice(projectPath("").length));
  expect(files).toContain("tests/cli/apps/site.ts");
  expect(files).toContain("core/gateway/invocation.ts");
  expect(importedFiles(`${fileURLToPath(import.meta.url)}`)).toContain(projectPath("cli/reload.ts"));
});

describe.each(runtimes)("%s", (runtime) => {
  it("reloads what was changed, shows a syntax error and serves on, and goes on after it", async () => {
    const args = ["--reload", "--reload-extra-file", "templates/**/*.html", "app.ts"];
    await withCommand(runtime, { args, files: FILES }, async (command) => {
      const gives = (text: string): Promise<void> => until(text, async () => await command.get("/") === text);
      await gives("one!");
      command.write("lib/word.ts", 'export const word = "two";');
      await gives("two!");
      expect(command.log).toMatch(/Worker reloading: .*word\.ts modified/);
      command.write("lib/word.ts", "export const word = ;");
      await command.logged(/The new workers did not start: the old ones serve on/);
      expect(command.log).toMatch(/Cannot load the application app\.ts: [^]*word\.ts/);
      await gives("two!");
      command.write("lib/word.ts", 'export const word = "three";');
      await gives("three!");
      command.write("templates/b.html", "new");
      await command.logged(/b\.html modified/);
      command.write("templates/a.html", "?");
      await gives("three?");
    });
  }, 40_000);

  it("waits for the first change when the application does not load to begin with", async () => {
    const files = { ...FILES, "lib/word.ts": "export const word = ;" };
    const command = new Command(runtime, { args: ["-b", "127.0.0.1:0", "--reload", "app.ts"], files });
    try {
      await command.logged(/Waiting for a change of the code/);
      const waiting = until("an answer", async () => await command.get("/").catch(() => "") === "one!");
      command.write("lib/word.ts", 'export const word = "one";');
      await waiting;
    } finally {
      await command.stop();
    }
  });
});
