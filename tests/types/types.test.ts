/**
 * The types that a user sees, by the declarations of the built package, with each compiler that is supported.
 */

import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compilers } from "../../scripts/pack/hosts.ts";
import { projectPath } from "../server_process.ts";

/** In the project, so that the compiler finds no other package above it; not in the repository. */
let folder = "";

beforeAll(() => {
  mkdirSync(projectPath("dist"), { recursive: true });
  folder = mkdtempSync(projectPath("dist/types-"));
  execFileSync(process.execPath, [projectPath("scripts/build_npm.ts"), join(folder, "package")], { stdio: "pipe" });
  mkdirSync(join(folder, "node_modules"));
  symlinkSync("../package", join(folder, "node_modules/tsgi"));
  cpSync(projectPath("tests/types/snippets.ts"), join(folder, "snippets.ts"));
  writeFileSync(join(folder, "package.json"), `{"type":"module"}`);
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Options of the compiler, beside `strict`: the libraries and types that docs/getting-started.md names. */
const SETTINGS: Readonly<Record<string, object>> = {
  "the libraries ES2023 and DOM, and no type packages": {
    lib: ["ES2023", "DOM", "DOM.AsyncIterable"],
    types: [],
  },
  "@types/node, and no DOM": {
    lib: ["ES2023"],
    types: ["node"],
    typeRoots: [projectPath("node_modules/@types")],
  },
  "the default libraries, and checks that strict does not have": {
    types: [],
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
  },
};

describe.each(Object.entries(compilers))("TypeScript %s", (version, compiler) => {
  it.each(Object.entries(SETTINGS))("17.2 forty snippets compile, or do not, with %s", async (name, options) => {
    const compilerOptions = {
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      target: "ES2023",
      module: "NodeNext",
      ...options,
    };
    const index = Object.keys(SETTINGS).indexOf(name);
    const project = join(folder, `tsconfig.${version}.${index}.json`);
    writeFileSync(project, JSON.stringify({ compilerOptions, files: ["snippets.ts"] }));
    expect(await output(compiler, project)).toBe("");
  }, 60_000);
});

it("17.2 there are forty snippets, of which at least a third must not compile", () => {
  const text = readFileSync(projectPath("tests/types/snippets.ts"), "utf8");
  const numbers = [...text.matchAll(/^\/\/ (\d+)(?:\.|$)/gm)].map((match) => Number(match[1]));
  expect(numbers).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  expect(text.match(/^ *\/\/ @ts-expect-error -- /gm)?.length).toBeGreaterThanOrEqual(14);
});

function output(compiler: string, project: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [compiler, "--project", project], (_error, out, err) => resolve(`${out}${err}`));
  });
}
