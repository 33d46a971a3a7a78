/**
 * The command stands on top of the house: it imports adapters and core, and nothing imports it.
 */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, it } from "vitest";
import { projectPath } from "./command.ts";

const root = projectPath("");

/** Each import of the sources in a folder, as "file: import". */
function imports(folder: string): string[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts")
  );
  return files.flatMap((name) => {
    const path = join(root, folder, name);
    const found = readFileSync(path, "utf8").matchAll(
      /^(?:import|export)\b[^;]*?\bfrom "([^"]+)";|^import "([^"]+)";/gm,
    );
    return [...found].map((match) => {
      const specifier = (match[1] ?? match[2]) as string;
      const target = specifier.startsWith(".") ? relative(root, resolve(dirname(path), specifier)) : specifier;
      return `${folder}/${name}: ${target}`;
    });
  });
}

it("cli imports itself, adapters, core and built-in modules only", () => {
  const all = imports("cli").filter((line) => !line.startsWith("cli/init/templates.ts: ")); // of the texts in it
  expect(all.length).toBeGreaterThan(80);
  expect(all.filter((line) => !/: (cli|adapters|core)\/|: node:/.test(line))).toEqual([
    "cli/code_watcher.ts: chokidar",
  ]);
});

it("chokidar, the one dependency, is loaded with --reload only", () => {
  expect(Object.keys(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).dependencies)).toEqual(["chokidar"]);
  const source = readFileSync(join(root, "cli/code_watcher.ts"), "utf8");
  expect(source.match(/^import .* from "chokidar";$/gm)).toEqual(['import type { FSWatcher } from "chokidar";']);
});

it("settings do not know the processes", () => {
  const strays = imports("cli/settings").filter((line) => /: cli\/(arbiter|worker|launcher|pool|main)\.ts$/.test(line));
  expect(strays).toEqual([]);
});

it("nothing imports cli", () => {
  const others = ["core", "adapters", "testing"].flatMap(imports).filter((line) => /: cli\//.test(line));
  expect(others).toEqual([]);
});
