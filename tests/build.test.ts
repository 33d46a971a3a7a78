/**
 * The output of `npm run build`: all that a consumer's runtime, compiler, editor and debugger need, and nothing else.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readManifest, root } from "../scripts/package/manifest.ts";
import { packagedPage } from "../scripts/package/pages.ts";
import { anchors, links } from "./docs/markdown.ts";

const folder = mkdtempSync(join(tmpdir(), "tsgi-build-"));
let files: string[] = [];

/** Most bytes of the tarball, so that growth is noticed. Most of it is sources with their comments, source maps and the pages of docs/. */
const PACKED_LIMIT = 1_000_000;

const read = (file: string): string => readFileSync(join(folder, file), "utf8");
const named = (...endings: string[]): string[] => files.filter((file) => endings.some((end) => file.endsWith(end)));

beforeAll(() => {
  const built = spawnSync(process.execPath, [join(root, "scripts/build_npm.ts"), folder], { encoding: "utf8" });
  expect(built.stdout + built.stderr).toBe("");
  files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
    statSync(join(folder, file)).isFile()
  );
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the published manifest", () => {
  test("has what a consumer needs, and no scripts", () => {
    const { name, version, license, engines } = readManifest();
    const published = readManifest(join(folder, "package.json"));
    expect(published).toMatchObject({ name, version, license, engines, type: "module", sideEffects: false });
    expect(Object.keys(published).filter((field) => /scripts|dependencies|files/i.test(field))).toEqual([
      "dependencies",
    ]);
    expect(Object.keys(published["dependencies"] as object)).toEqual(["chokidar"]); // for the command's --reload
  });

  test("names files that are there, types first", () => {
    const { exports, bin } = readManifest(join(folder, "package.json"));
    const paths = Object.values(exports).flatMap((entry) => typeof entry === "string" ? [entry] : Object.values(entry));
    expect([...paths, ...Object.values(bin)].filter((path) => !existsSync(join(folder, path)))).toEqual([]);
    for (const entry of Object.values(exports)) {
      if (typeof entry !== "string") {
        expect([Object.keys(entry)[0], Object.keys(entry).at(-1)]).toEqual(["types", "default"]);
      }
    }
  });
});

test("every entry point has the commented declarations of its source", () => {
  const { exports } = readManifest(join(folder, "package.json"));
  for (const entry of Object.values(exports)) {
    if (typeof entry !== "string") expect(read(entry["types"] as string)).toMatch(/^\/\*\*/);
  }
});

test("the command is a program", () => {
  expect(read("cli/main.js").startsWith("#!/usr/bin/env node\nimport ")).toBe(true);
  expect(statSync(join(folder, "cli/main.js")).mode & 0o111).toBe(0o111);
});

test("20.1 the Python file of the bridge is beside its code", () => {
  expect(read("bridges/python.js")).toContain('"./python/child.py"');
  expect(files).toContain("bridges/python/child.py");
});

test("there are declarations of what can be imported, and of nothing else", () => {
  expect(named(".d.ts").filter((file) => file.startsWith("cli/") || file.startsWith("src/"))).toEqual([]);
});

test("no declaration needs a type package", () => {
  const foreign = /\b(?:from|import\()\s*"(?!\.)[^"]+"|<reference |\bNodeJS\.|\bBuffer\b(?=[;,)|\]])/g;
  const found = named(".d.ts").flatMap((file) =>
    [...read(file).replace(/\/\*[\s\S]*?\*\//g, "").matchAll(foreign)].map((match) => `${file}: ${match[0]}`)
  );
  expect(found).toEqual([]);
});

test("17.4 what pages and messages of the package point to is in it, or is a full address", () => {
  const faults = named(".md").flatMap((page) =>
    links(read(page)).filter(({ target }) => {
      if (/^https:/.test(target)) return false;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(folder, file))) return true;
      return anchor !== undefined && !anchors(read(file)).includes(anchor);
    }).map(({ line, target }) => `${page}:${line}: ${target}`)
  );
  expect(faults).toEqual([]);
  const pointed = named(".js").flatMap((file) =>
    [...read(file).matchAll(/\b(?:docs\/[\w/]+|README|SECURITY|CONTRIBUTING)\.md\b/g)].map(([page]) => page)
  );
  expect(pointed.length).toBeGreaterThan(0);
  expect(pointed.filter((page) => !existsSync(join(folder, page)))).toEqual([]);
});

test("17.4 a link to a file that is not published is its address in the repository, or else only its text", () => {
  const has = (path: string): boolean => path === "docs/a.md";
  const page =
    "See [a](../docs/a.md#x), [`t`](../tests/t.ts), ![p](p.svg), [w](https://w.example/).\n```ts\nb[0](c)\n```\n";
  expect(packagedPage("docs/b.md", page, { has, files: undefined }))
    .toBe("See [a](../docs/a.md#x), `t`, , [w](https://w.example/).\n```ts\nb[0](c)\n```\n");
  expect(packagedPage("docs/b.md", page, { has, files: "https://r.example/blob/v1/" })).toContain(
    "[`t`](https://r.example/blob/v1/tests/t.ts), ![p](https://r.example/blob/v1/docs/p.svg?raw=true), [w]",
  );
});

test("nothing imports a TypeScript file", () => {
  const typescript = /\b(?:from|import)\s*\(?\s*"\.[^"]*\.ts"/g;
  const found = named(".js", ".d.ts").flatMap((file) =>
    [...read(file).replace(/\/\*[\s\S]*?\*\//g, "").matchAll(typescript)].map((match) => `${file}: ${match[0]}`)
  );
  expect(found).toEqual([]);
});

test("each map leads to a source that is there", () => {
  const maps = named(".map");
  const passing = /^(?:import \{[^}]*\} from "[^"]*";\s*)*export \{[^}]*\};\s*$/; // such a file has no code of its own
  const without = named(".js", ".d.ts").filter((file) => !files.includes(`${file}.map`) && !passing.test(read(file)));
  expect(without).toEqual([]);
  expect(maps.length).toBeGreaterThan(70);
  const lost = maps.flatMap((file) => {
    const { sources, sourceRoot } = JSON.parse(read(file)) as { sources: string[]; sourceRoot?: string };
    return sources.map((path) => resolve(folder, dirname(file), sourceRoot ?? "", path)).filter((path) =>
      !existsSync(path)
    );
  });
  expect(lost).toEqual([]);
});

test("comments are in the declarations and the sources, not in the JavaScript", () => {
  const commented = named(".js").filter((file) => /^\s*(?:\/\*|\/\/(?!# sourceMappingURL))/m.test(read(file)));
  expect(commented).toEqual([]);
});

test(`the tarball has at most ${PACKED_LIMIT} bytes`, () => {
  const npm = process.env["npm_execpath"];
  const [command, ...args] = npm === undefined ? ["npm"] : [process.execPath, npm];
  const pack = spawnSync(command as string, [...args, "pack", "--dry-run", "--json"], {
    cwd: folder,
    encoding: "utf8",
  });
  const { size, entryCount } = Object.values(JSON.parse(pack.stdout))[0] as { size: number; entryCount: number };
  expect(entryCount).toBe(files.length);
  expect(size).toBeLessThan(PACKED_LIMIT);
  expect(size).toBeGreaterThan(PACKED_LIMIT * 0.9); // else the limit is too lax to notice anything
});
