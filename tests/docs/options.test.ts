/**
 * docs/options.md and README have a row for every option, with the default that is in force.
 */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { settings } from "../../core/options.ts";
import { projectPath } from "../server_process.ts";

const all = settings({}, { port: undefined, errorLog: () => {} }) as unknown as Record<string, unknown>;

it.each(["README.md", "docs/options.md"])("%s names every option and no other", (file) => {
  const text = readFileSync(projectPath(file), "utf8");
  const section = file === "README.md" ? text.slice(text.indexOf("## Options"), text.indexOf("## What an app")) : text;
  const named = [...section.matchAll(/^\| ((?:`\w+`(?:, )?)+) +\|/gm)].flatMap((row) =>
    (row[1] as string).match(/\w+/g) ?? []
  );
  expect(named.toSorted()).toEqual(Object.keys(all).toSorted());
});

it("docs/options.md states the numbers in force", () => {
  const text = readFileSync(projectPath("docs/options.md"), "utf8");
  const numbers = Object.entries(all).filter(([name, value]) => typeof value === "number" && name !== "port");
  expect(numbers.length).toBeGreaterThan(12);
  for (const [name, value] of numbers) {
    const row = text.split("\n").find((line) => line.startsWith(`| \`${name}\` `)) ?? "";
    expect(row.split("|")[2], name).toContain(String(value));
  }
});
