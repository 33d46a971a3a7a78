/**
 * 18.4 The threats of docs/security.md: each line names its tests, and they exist. So a test that is renamed or removed
 * takes its line with it.
 */

import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { crowdingAttacks, heavyAttacks, slowAttacks, tlsAttacks } from "../overload/attacks.ts";
import { projectPath } from "../server_process.ts";
import { pageText, tableRows } from "./markdown.ts";

const page = pageText("docs/security.md");
const rows = ["One client and the server's resources", "Other threats"].flatMap((heading) => tableRows(page, heading));

/** A test that a cell names. */
interface Named {
  readonly file: string;
  readonly title: string;
}

/** The tests in a cell: a file, and behind it the titles in that file, all as code. */
function testsIn(cell: string): Named[] {
  let file = "";
  return [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, code = ""]) => {
    if (!code.startsWith("tests/")) return [{ file, title: code }];
    file = code;
    return [];
  });
}

/** Whether a file has a title as a literal. `...` stands for what the title gets from its case. */
function has(file: string, title: string): boolean {
  const escaped = title.split("...").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  const literal = new RegExp(`["\`]${escaped.join("(?:\\$\\{[^}]*\\}|%[sdijo]|\\$\\w+)")}["\`]`);
  return literal.test(readFileSync(projectPath(file), "utf8"));
}

/** What is wrong with a line, or nothing. */
function faultsOf(cell: string): string[] {
  const named = testsIn(cell);
  if (named.length === 0) return ["it names no test"];
  return named.flatMap(({ file, title }) => {
    if (!existsSync(projectPath(file))) return [`there is no ${file || "file"} for "${title}"`];
    return has(file, title) ? [] : [`there is no "${title}" in ${file}`];
  });
}

describe("18.4 the threats of docs/security.md", () => {
  it("there are lines", () => expect(rows.length).toBeGreaterThan(35));

  it.each(rows)("%s", (_threat, _holds, tests = "") => expect(faultsOf(tests)).toEqual([]));

  it("every attack of tests/overload has its line", () => {
    const named = rows.flatMap(([, , tests = ""]) => testsIn(tests)).map(({ title }) => title);
    const attacks = [...slowAttacks, ...heavyAttacks, ...tlsAttacks, ...crowdingAttacks].map(({ name }) => name);
    expect(attacks.filter((name) => !named.includes(name))).toEqual([]);
  });

  it("a test that does not exist is found", () => {
    const faults = ["no test", "`tests/none.test.ts`: `a`", "`tests/docs/threats.test.ts`: `nothing of the " + "kind`"];
    expect(faults.map((cell) => faultsOf(cell).length)).toEqual([1, 1, 1]);
  });
});
