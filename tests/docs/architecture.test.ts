/**
 * docs/architecture.md names every folder, and no other: those of the project, and the rooms of core.
 */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { projectPath } from "../server_process.ts";
import { pageText } from "./markdown.ts";

const page = pageText("docs/architecture.md");

/** Folders that git knows, at most `depth` deep. */
function folders(below: string, depth: number): string[] {
  const files = execFileSync("git", ["ls-files", below], { cwd: projectPath(""), encoding: "utf8" }).split("\n");
  const names = files.flatMap((file) => {
    const parts = file.split("/").slice(0, -1);
    return parts.slice(0, depth).map((_part, i) => `${parts.slice(0, i + 1).join("/")}/`);
  });
  return [...new Set(names)].filter((name) => !name.startsWith("."));
}

it("names every folder of the project and every room of core", () => {
  const rows = [...page.matchAll(/^\| `([\w/]+\/)` +\|/gm)].map((row) => row[1]);
  expect(rows.toSorted()).toEqual([...new Set([...folders(".", 1), ...folders("core", 2)])].toSorted());
});

it("names no folder and no file that is not there", () => {
  const named = [...page.matchAll(/`((?:[a-z_0-9]+\/)+(?:[a-z_0-9]+\.ts)?)`/g)].map((match) => match[1] as string);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !existsSync(join(projectPath(""), path)))).toEqual([]);
});
