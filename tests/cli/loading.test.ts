/**
 * Application specifications, and applications that do not load: exit status 3, the cause, and no second try.
 */

import { describe, expect, it } from "vitest";
import { parseSpec } from "../../cli/application.ts";
import { Command, ended, runtimes } from "./command.ts";

describe("parseSpec", () => {
  it.each([
    ["app", { module: "app", name: undefined, factory: false }],
    ["app.ts:app", { module: "app.ts", name: "app", factory: false }],
    ["./a/b.ts:make()", { module: "./a/b.ts", name: "make", factory: true }],
    ["pkg:site.app", { module: "pkg", name: "site.app", factory: false }],
    ["file:///a/b.ts", { module: "file:///a/b.ts", name: undefined, factory: false }],
    ["file:///a/b.ts:app", { module: "file:///a/b.ts", name: "app", factory: false }],
    ["npm:express", { module: "npm:express", name: undefined, factory: false }],
    ["jsr:@a/b:app", { module: "jsr:@a/b", name: "app", factory: false }],
    ["@scope/pkg", { module: "@scope/pkg", name: undefined, factory: false }],
  ])("%s", (text, spec) => expect(parseSpec(text)).toEqual(spec));

  it.each(["", "app:", "app:1()", "app:make(1)"])("%j is none", (text) => {
    expect(() => parseSpec(text)).toThrow(/expected MODULE, MODULE:NAME or MODULE:FACTORY\(\)/);
  });
});

const RESPOND = 'start("200 OK", []); return ["loaded"];';
const FILES = {
  "plain.ts": `export function app(environ: unknown, start: (s: string, h: []) => void) { ${RESPOND} }`,
  "application.ts": `export const application = (_: unknown, start: Function) => { ${RESPOND} };`,
  "default.mjs": `export const app = 1; export default class { wsgiApp(_, start) { ${RESPOND} } }; `,
  "named.cjs": `exports.app = (_, start) => { ${RESPOND} };`,
  "typeless/app.ts": `export const app = (_: unknown, start: Function) => { ${RESPOND} };`,
  "typeless/package.json": "{}",
  "object.js": `export default { wsgiApp(_, start) { ${RESPOND} } };`,
  "factory.ts": `export async function make() { return (_: unknown, start: Function) => { ${RESPOND} }; }
    export const nested = { deep: { make } }; export const site = { app: await make() };
    export function bad() { throw new Error("not today"); } export const none = null;`,
  "folder/index.ts": `export default (_: unknown, start: Function) => { ${RESPOND} };`,
  "node_modules/pkg/package.json": '{"name":"pkg","type":"module","exports":"./main.js"}',
  "node_modules/pkg/main.js": `export const app = (_, start) => { ${RESPOND} };`,
  "package.json": '{"type":"module"}',
  "syntax.ts": "export const app = ;",
  "throws.ts": 'throw new Error("no database");',
  "imports.ts": 'import "./nowhere.ts"; export const app = 1;',
  "exits.ts": 'import process from "node:process"; process.exit(0);',
  "number.ts": "export const app = 7; export const other = 8;",
};

describe.concurrent.each(runtimes)("%s", (runtime) => {
  it.each([
    "plain.ts:app",
    "plain",
    "./plain.ts",
    "application.ts",
    "object.js",
    "named.cjs",
    "typeless/app.ts",
    "factory:make()",
    "factory:nested.deep.make()",
    "factory:site.app",
    "folder",
    "pkg:app",
  ])("loads %s", async (spec) => {
    expect(await ended(runtime, { args: ["--check-config", spec], files: FILES })).toMatchObject({ code: 0, err: "" });
  });

  it.each([
    ["syntax.ts", /Cannot load the application syntax\.ts: [^]*syntax\.ts:1/],
    ["throws", /Cannot load the application throws: no database[^]*throws\.ts:1/],
    ["imports.ts", /Cannot load the application imports\.ts: .*nowhere\.ts/],
    ["nowhere", /there is neither a file nowhere in .*, with or without \.ts, nor such a package/],
    ["./nowhere", /there is no file .*nowhere/],
    ["factory:nope", /expected an export nope; it exports .*make/],
    ["throws.ts:app()", /no database/],
    ["factory:bad()", /bad\(\) failed: not today/],
    ["factory:site()", /site is no function to call/],
    ["number", /Expected an application: .*, got number 7/],
    ["default.mjs", /Class .* has a wsgiApp method: pass an instance/],
  ])("%s does not load: exit status 3", async (spec, cause) => {
    const { code, err } = await ended(runtime, { args: ["--check-config", spec], files: FILES });
    expect(err).toMatch(cause);
    expect(code).toBe(3);
  });

  it.each([["throws.ts", 3], ["exits.ts", 3]])("serving %s ends with status %d after one try", async (spec, status) => {
    const command = new Command(runtime, { args: ["-b", "127.0.0.1:0", "--log-level", "debug", spec], files: FILES });
    try {
      expect(await command.exit()).toEqual({ code: status, signal: null });
      expect([...command.log.matchAll(/Booting worker/g)]).toHaveLength(1);
      if (spec === "throws.ts") expect(command.log).toMatch(/Cannot load the application throws\.ts: no database/);
    } finally {
      await command.stop();
    }
  });
});
