/**
 * A name that is exported is a promise: each one says what it is, and what is called shows how.
 *
 * `deno doc` reads the entry points as JSR would, without running them and without the network.
 */

import { execFile } from "node:child_process";
import { alternatives, entryPoints as entries, readManifest } from "../../scripts/package/manifest.ts";
import { projectPath } from "../server_process.ts";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";

const manifest = readManifest();
const entryPoints = [...entries(manifest).values(), ...alternatives(manifest), ...Object.values(manifest.bin)];

/** Functions and classes without an `@example`. */
const withoutExample: readonly { readonly names: RegExp; readonly reason: string }[] = [
  { names: /Error$/, reason: "errors are caught, not made, by users: what throws them has the example" },
];

interface Tag {
  readonly kind: string;
}

interface Documented {
  readonly jsDoc?: { readonly doc?: string; readonly tags?: readonly Tag[] };
}

interface Declaration extends Documented {
  readonly kind: string;
  readonly def?: { readonly constructors?: readonly Documented[]; readonly methods?: readonly Documented[] };
}

interface Documentation {
  readonly nodes: Readonly<
    Record<string, {
      readonly module_doc?: { readonly doc?: string };
      readonly symbols: readonly { readonly name: string; readonly declarations: readonly Declaration[] }[];
    }>
  >;
}

interface Export {
  readonly name: string;
  readonly declaration: Declaration;
}

const execute = promisify(execFile);
let modules: Documentation["nodes"] = {};
let exported: Export[] = [];

function denoDoc(...args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return execute(projectPath("node_modules/.bin/deno"), ["doc", ...args, ...entryPoints], {
    cwd: projectPath(""),
    env: { ...process.env, NO_COLOR: "1" },
    timeout: 20_000,
    maxBuffer: 1 << 26,
  });
}

beforeAll(async () => {
  modules = (JSON.parse((await denoDoc("--json")).stdout) as Documentation).nodes;
  exported = Object.values(modules).flatMap(({ symbols }) =>
    symbols.flatMap(({ name, declarations }) =>
      // Of the overloads of a function, the first has the documentation.
      declarations.filter(({ kind }, i) => declarations.findIndex((one) => one.kind === kind) === i)
        .map((declaration) => ({ name, declaration }))
    )
  ).filter(({ declaration }) => declaration.kind !== "reference"); // to another entry point
});

function has(tag: string, { jsDoc }: Documented): boolean {
  return jsDoc?.tags?.some(({ kind }) => kind === tag) === true;
}

function showsExample({ name, declaration }: Export): boolean {
  if (withoutExample.some(({ names }) => names.test(name))) return true;
  const { constructors = [], methods = [] } = declaration.def ?? {};
  return [declaration, ...constructors, ...methods].some((documented) => has("example", documented));
}

describe("the entry points", () => {
  test("are all here", () => {
    expect(Object.keys(modules).sort()).toEqual(entryPoints.map((path) => `file://${projectPath(path)}`).sort());
    expect(exported.length).toBeGreaterThan(40);
  });

  test("say what they are", () => {
    const silent = Object.entries(modules).filter(([, { module_doc: doc }]) => !doc?.doc).map(([path]) => path);
    expect(silent).toEqual([]);
  });

  test("have a comment on every name", () => {
    expect(exported.filter(({ declaration }) => !declaration.jsDoc?.doc).map(({ name }) => name)).toEqual([]);
  });

  test("show how each function and class is used", () => {
    const called = exported.filter(({ declaration }) => /^(?:function|class)$/.test(declaration.kind));
    expect(called.filter((one) => !showsExample(one)).map(({ name }) => name)).toEqual([]);
  });

  test("pass deno doc --lint", async () => {
    const complaints = await denoDoc("--lint").then(() => "", (error: { stderr: string }) => error.stderr);
    // Deno looks for the types of node: modules in vain, and says so; it needs none of them.
    const lines = complaints.split("\n").filter((line) => !/^Warning Failed resolving types|^ +at file:/.test(line));
    expect(lines.join("\n").trim()).toBe("");
  });
});
