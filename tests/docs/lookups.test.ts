/**
 * 14.8 A plain object that is looked up by what a client sends has members that nobody put there: `/constructor` finds
 * one. Code that readers copy looks things up in a Map, so in an example only an index or a constant stands in brackets.
 */

import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { projectPath } from "../server_process.ts";
import { allBlocks } from "./blocks.ts";

/** An access by a name that is computed: `mounts[segment]`, `mounts[shift(environ) ?? ""]`, `headers?.[name]`. */
const LOOKUP = /[\w)\]](?:\?\.)?\[(?!\]|["'`]|-?\d|Symbol\.)/;

/** Words that stand before an array and not before a lookup. */
const BEFORE_ARRAY = /\b(?:const|let|of|in|return|yield|await|case|readonly|void|typeof)$/;

/** Lines in which the key is none of a client's, with the reason. */
const harmless: readonly { readonly line: string; readonly reason: string }[] = [
  { line: "[runtime]", reason: "`tsgi init` has checked that it is one of three words" },
  { line: "[template]", reason: "the same" },
];

function lookups(code: string): string[] {
  return code.split("\n").filter((line) => {
    const plain = line.replace(/\/\/.*$|"[^"]*"|\b(?:const|let|of|in|return|yield|await|readonly)\s*(?=\[)/g, "");
    return LOOKUP.test(plain) && !BEFORE_ARRAY.test(plain) && !harmless.some((one) => line.includes(one.line));
  });
}

it("the search finds lookups and no arrays", () => {
  const found = [
    "mounts[path]",
    'const app = mounts[shift(environ) ?? ""];',
    "table?.[name]",
    "of(a)[b]",
  ];
  const not = ["return [block];", "const [a, b] = c;", "list[0]", 'environ["wsgi.input"]', "x = [a]", "string[]"];
  expect([...found, ...not].filter((line) => lookups(line).length > 0)).toEqual(found);
});

it("14.8 no example looks up a plain object by a name that is computed", () => {
  const files = ["examples", "cli/init"].flatMap((folder) =>
    readdirSync(projectPath(folder)).filter((name) => name.endsWith(".ts")).map((name) => `${folder}/${name}`)
  ).map((name) => ({ name, code: readFileSync(projectPath(name), "utf8") }));
  const found = [...allBlocks(), ...files].flatMap(({ name, code }) => lookups(code).map((line) => `${name}: ${line}`));
  expect(found).toEqual([]);
});
