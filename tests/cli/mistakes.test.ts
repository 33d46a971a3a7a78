/**
 * The mistakes that people make in their first hour, each with the message that it gets, word for word. A message says
 * what is wrong, where, and what to do.
 */

import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { OLDEST, tooOld } from "../../adapters/environment.ts";
import { serve, toFetch } from "../../mod.ts";
import { readManifest } from "../../scripts/package/manifest.ts";
import { client } from "../../testing/mod.ts";
import { ended, projectPath, type Runtime, runtimes } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "tsgi-mistakes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// deno-lint-ignore no-explicit-any -- a mistake is what no type allows
type Any = any;

const BODY = "an iterable or async iterable of blocks, or one block";
const HEADERS = "startResponse: expected an array of [name, value] pairs as headers, got an object";

/** Mistakes in an application, as its log shows them, without the trace. */
const IN_AN_APPLICATION: readonly [what: string, app: Any, message: string][] = [
  ["no return", function app(_: Any, start: Any): void {
    start("200 OK", []);
  }, `ApplicationError: The application app returned undefined: is a "return" missing? It returns the body: ${BODY}`],
  ["no return, asynchronously", async function shop(_: Any, start: Any): Promise<void> {
    await start("200 OK", []);
  }, `ApplicationError: The application shop returned undefined: is a "return" missing? It returns the body: ${BODY}`],
  [
    "a Response is returned",
    function app(): Response {
      return new Response("hello");
    },
    `ApplicationError: The application app returned an object (Response); expected ${BODY}. fromFetch, of ` +
    '"tsgi/bridges/fetch", makes an application of a function that returns a Response; for the command, that is --app-type fetch',
  ],
  [
    "an object is returned",
    (_: Any, start: Any): object => {
      start("200 OK", []);
      return { a: 1 };
    },
    `ApplicationError: The application returned an object (Object); expected ${BODY}. Return [JSON.stringify(value)] for JSON, with its Content-Type`,
  ],
  ["a number is returned", (_: Any, start: Any): number => {
    start("200 OK", []);
    return 7;
  }, `ApplicationError: The application returned number 7; expected ${BODY}. Return [String(value)]`],
  ["null is returned", (_: Any, start: Any): null => {
    start("200 OK", []);
    return null;
  }, `ApplicationError: The application returned null; expected ${BODY}. Return [] for an empty body`],
  ["a function is returned", (_: Any, start: Any): unknown => {
    start("200 OK", []);
    return () => ["a"];
  }, `ApplicationError: The application returned a function; expected ${BODY}. Is the function to be called?`],
  [
    "startResponse is not called",
    () => ["a"],
    "StartResponseError: The application gave a body without a successful call of startResponse; call it before the first block",
  ],
  [
    "the status is a number",
    (_: Any, start: Any) => [start(200, [])],
    'StartResponseError: startResponse: expected a status like "200 OK", code 200 to 599, got number 200',
  ],
  [
    "no headers",
    (_: Any, start: Any) => [start("200 OK")],
    "StartResponseError: startResponse: expected 2 or 3 arguments, got 1; give [] for no headers",
  ],
  [
    "headers in an object",
    (_: Any, start: Any) => [start("200 OK", { a: "b" })],
    `StartResponseError: ${HEADERS} (Object); write Object.entries(headers)`,
  ],
  [
    "a Headers",
    (_: Any, start: Any) => [start("200 OK", new Headers())],
    `StartResponseError: ${HEADERS} (Headers); write [...headers]`,
  ],
  [
    "a number as a value",
    (_: Any, start: Any) => [start("200 OK", [["X-Count", 5]])],
    'StartResponseError: startResponse: expected a pair of two strings as header 1, got an array of 2: string "X-Count", number 5; write String(value)',
  ],
  [
    "a value with a line end",
    (_: Any, start: Any) => [start("200 OK", [["X-A", "a\nb"]])],
    'StartResponseError: startResponse: expected latin-1 text without control characters as value of X-A, got string "a\\nb"; encodeURIComponent makes such text',
  ],
  [
    "a header of the server",
    (_: Any, start: Any) => [start("200 OK", [["Connection", "close"]])],
    `StartResponseError: startResponse: the header string "Connection" is not the application's to set; leave it out`,
  ],
  [
    "startResponse is called twice",
    (_: Any, start: Any) => [start("200 OK", []), start("200 OK", [])],
    "StartResponseError: startResponse: called a second time without excInfo; return after the first call, or give the error that made the second one necessary",
  ],
  ["a block that is a number", (_: Any, start: Any): unknown => {
    start("200 OK", []);
    return ["a", 7];
  }, "ApplicationError: The body: expected a block of type Uint8Array or string, got number 7; write String(value)"],
  [
    "a block that is a promise",
    (_: Any, start: Any): unknown => {
      start("200 OK", []);
      return [Promise.resolve("a")];
    },
    "ApplicationError: The body: expected a block of type Uint8Array or string, got an object (Promise); await it first",
  ],
  ["two reads at a time", async (environ: Any): Promise<unknown> => {
    const input = environ["wsgi.input"];
    return await Promise.all([input.read(), input.read()]);
  }, "OverlappingReadError: wsgi.input: a read is still waiting; await it before the next one"],
];

describe("17.3 an application", () => {
  it.each(IN_AN_APPLICATION)("17.3 %s", async (_what, app, message) => {
    let log = "";
    const visitor = client(app, { errorLog: (text) => log += text });
    expect((await visitor.post("/p", { body: "a".repeat(9) })).status).toBe(500);
    const [first, second = ""] = log.split("\n");
    expect(first).toBe(`tsgi: POST /p: ${message}`);
    expect(second).toMatch(/^(?:| +at .*mistakes\.test\.ts:\d+:\d+\)?)$/); // no frame of ours before
  });
});

const APPLICATION = "ApplicationError: Expected an application: a function, a class or an object with wsgiApp, got";
const quiet = (): string[] => [];

/** Mistakes in a call of `serve` or `toFetch`. */
const IN_A_CALL: readonly [what: string, call: () => unknown, message: string][] = [
  [
    "an option that is misspelt",
    () => serve(quiet, { prot: 1 } as Any),
    "OptionError: Option prot: there is no such option; did you mean port?",
  ],
  [
    "an option that does not exist",
    () => serve(quiet, { colour: 1 } as Any),
    "OptionError: Option colour: there is no such option; the type ServeOptions lists all",
  ],
  [
    "an option of another kind",
    () => serve(quiet, { port: "80" } as Any),
    'OptionError: Option port: expected a whole number from 0 to 65535, got string "80"',
  ],
  [
    "a port in place of options",
    () => serve(quiet, 8000 as Any),
    "OptionError: Option options: expected a plain object, as in serve(app, { port: 8000 }), got number 8000",
  ],
  [
    "an option that toFetch does not have",
    () => toFetch(quiet, { port: 1 } as Any),
    "OptionError: Option port: toFetch has no such option, because its host owns the socket",
  ],
  [
    "no application",
    () => serve(undefined as Any),
    `${APPLICATION} undefined. Is it exported, and imported by its name?`,
  ],
  [
    "an application of Hono",
    () => serve({ fetch: quiet } as Any),
    `${APPLICATION} an object (Object). It has a method fetch: serve fromFetch(app), of "tsgi/bridges/fetch"`,
  ],
  [
    "an application of Express",
    () => serve(Object.assign(() => {}, { handle: quiet, set: quiet, listen: quiet }) as Any),
    `${APPLICATION} a function. It is one of a framework for node:http: serve fromNodeListener(listener), of "tsgi/bridges/node"`,
  ],
  [
    "a promise of an application",
    () => serve(Promise.resolve(quiet) as Any),
    `${APPLICATION} an object (Promise). Await the promise first`,
  ],
  ["a class in place of an instance", () =>
    serve(
      class Site {
        wsgiApp(): void {}
      } as Any,
    ), "ApplicationError: Class Site has a wsgiApp method: pass an instance, new Site(), not the class"],
];

describe("17.3 a call", () => {
  it.each(IN_A_CALL)("17.3 %s", async (_what, call, message) => {
    const error = await (async () => await call())().catch((one: unknown) => one) as Error;
    const [first, second] = (error.stack ?? "").split("\n");
    expect(first).toBe(message);
    expect(second).toMatch(/^ +at .*mistakes\.test\.ts:\d+:\d+\)?$/);
  });
});

const APP = "export const app = (_, start) => { start('200 OK', []); return []; };\n";
const CONTENT = { "app.mjs": APP, "tsgi.config.mjs": "export default { worker: 2 };" };

/** Mistakes at the command line, and in files: the first line of the output. */
const AT_THE_COMMAND: readonly [
  args: string[],
  files: Record<string, string>,
  message: string,
  env?: Record<string, string>,
][] = [
  [
    ["--worker", "2", "app.mjs"],
    {},
    "command line: expected an option (tsgi --help lists them), got --worker (did you mean --workers?)",
  ],
  [
    ["-workers", "2", "app.mjs"],
    {},
    "command line: expected an option (tsgi --help lists them), got -workers (did you mean --workers?)",
  ],
  [["-w", "two", "app.mjs"], {}, '-w: expected a whole number from 1 to 1024, or auto, got "two"'],
  [["-w", "2"], {}, "command line: expected an application, MODULE[:NAME], got none"],
  [
    ["app.mjs"],
    { "app.mjs": APP },
    "environment: expected in TSGI_* the name of a setting that a variable can give (docs/settings.md has them), got TSGI_WORKER (did you mean TSGI_WORKERS?)",
    { TSGI_WORKER: "2" },
  ],
  [
    ["app.mjs"],
    CONTENT,
    "FOLDER/tsgi.config.mjs: expected the name of a setting (docs/settings.md has them), got worker (did you mean workers?)",
  ],
  [
    ["ap.mjs"],
    { "app.mjs": APP },
    "Cannot load the application ap.mjs: there is neither a file ap.mjs in FOLDER, with or without .ts, nor such a package (did you mean app.mjs?)",
  ],
  [
    ["./ap.mjs"],
    { "app.mjs": APP },
    "Cannot load the application ./ap.mjs: there is no file FOLDER/ap.mjs (did you mean app.mjs?)",
  ],
  [
    ["app.mjs:ap"],
    { "app.mjs": APP },
    "Cannot load the application app.mjs:ap: expected an export ap; it exports app (did you mean app?)",
  ],
  [
    ["app.mjs"],
    { "app.mjs": "const a = 1;\nthrow new Error('no database');\n" },
    "Cannot load the application app.mjs: no database",
  ],
  [["init", "--template", "koa"], {}, "--template: expected one of hono, express, wsgi, got koa"],
];

describe.concurrent.each(runtimes)("17.3 the command on %s", (runtime) => {
  it.each(AT_THE_COMMAND)("17.3 %j %j", async (args, files, message, env = {}) => {
    const serves = args[0] !== "init";
    const words = serves ? ["-b", "127.0.0.1:0", ...args] : args;
    const { code, out, err } = await ended(runtime, { args: words, files, env });
    const [first, ...rest] = err.trimEnd().split("\n") as [string, ...string[]];
    const text = first.replace(/\/\S*\/tsgi-cli-\w+/, "FOLDER").replace(/^(?:tsgi: |\[.*?\] \[\d+\] \[ERROR\] )/, "");
    expect(text).toBe(message);
    // A load error has its trace, from the application's own frame; nothing is said about the start.
    const [title, frame] = rest;
    if (title !== undefined) expect(title).toBe(`Error: ${message.replace(/^.*: /, "")}`);
    if (frame !== undefined) expect(frame).toMatch(/^ +at .*app\.mjs:2:\d+\)?$/);
    expect(err).not.toMatch(/\[INFO\]/);
    expect([code, out]).toEqual([message.startsWith("Cannot load") ? 3 : 2, ""]);
  });

  it("17.3 four workers that do not load the application are one report", async () => {
    const args = ["-b", "127.0.0.1:0", "-w", "4", "app.mjs"];
    const { code, err } = await ended(runtime, { args, files: { "app.mjs": "nothing.here();\n" } });
    expect(code).toBe(3);
    expect(err.match(/Cannot load the application/g)).toHaveLength(1);
    expect(err).not.toMatch(/Listening at|Booting|Shutting down|could not load/);
  });

  it("17.3 an address in use, uncaught: the program's own line, and no source of this library", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const program = join(folder, `in_use_${runtime}.mjs`);
    const lines = [
      `import { serve } from ${JSON.stringify(projectPath("mod.ts"))};`,
      `const start = (app) => serve(app, { port: ${port} });`,
      "await start(() => []);",
    ];
    writeFileSync(program, `${lines.join("\n")}\n`);
    try {
      const { command, code, text } = await run(runtime, program);
      expect(text, command).toContain(
        `ListenError: Cannot listen on 127.0.0.1:${port}: the address is already in use; choose another one, or stop the ` +
          "program that listens there\n",
      );
      expect(text).toMatch(/in_use_\w+\.mjs:[23]:\d+/);
      expect(text).not.toMatch(/core\/|adapters\/|new ListenError|\bthrow\b/);
      expect(code).toBe(1);
    } finally {
      other.close();
    }
  });
});

/** Runs a program, which fails. */
function run(
  runtime: Runtime,
  file: string,
  flags: readonly string[] = [],
): Promise<{ command: string; code: unknown; text: string }> {
  const words = { node: [], deno: ["run", "-A", "--no-lock", "--no-check"], bun: [] }[runtime];
  const args = [...words, ...flags, file];
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: "1" };
    execFile(projectPath(`node_modules/.bin/${runtime}`), args, { env }, (error, out, err) => {
      resolve({ command: `${runtime} ${args.join(" ")}`, code: error?.code, text: `${out}${err}` });
    });
  });
}

it("17.3 a module that package.json makes CommonJS: the message says where to write what", async () => {
  const files = { "app.js": "export const app = 1;\n", "package.json": '{"type":"commonjs"}' };
  const { err } = await ended("node", { args: ["-b", "127.0.0.1:0", "app.js"], files });
  expect(err).toMatch( // Node itself warns before
    /Cannot load the application app\.js: Unexpected token 'export'\. Write "type": "module" in \/.*\/package\.json, or give the file the extension \.mjs or \.mts\n/,
  );
});

describe("17.3 a runtime that is too old", () => {
  it.each([
    [{ process: { versions: { node: "20.20.2" } } }, `tsgi needs Node ${OLDEST.Node} or later; this is Node 20.20.2`],
    [{ process: { versions: { node: "22.21.1" } } }, `tsgi needs Node ${OLDEST.Node} or later; this is Node 22.21.1`],
    [
      { Bun: { version: "1.1.9" }, process: { versions: { node: "24.3.0" } } },
      "tsgi needs Bun 1.2 or later; this is Bun 1.1.9",
    ],
    [{ Deno: { version: { deno: "1.46.3" } } }, "tsgi needs Deno 2.0 or later; this is Deno 1.46.3"],
    [{ process: { versions: { node: OLDEST.Node } } }, undefined],
    [{ process: { versions: { node: "100.0.0" } } }, undefined],
    [{ Deno: { version: { deno: "2.0.0" } } }, undefined],
    [{}, undefined],
  ])("17.3 %j", (globals, message) => expect(tooOld(globals)).toBe(message));

  it("17.3 what engines says is the oldest, and no less than chokidar's", () => {
    const { engines } = readManifest() as unknown as { engines: { node: string } };
    const chokidar = readManifest(projectPath("node_modules/chokidar/package.json"));
    expect(engines.node).toBe(`>=${OLDEST.Node}`);
    expect((chokidar["engines"] as { node: string }).node.replaceAll(" ", "")).toBe(engines.node);
  });

  it("17.3 the first line of the output says so; the command says nothing else", async () => {
    const old = join(folder, "old.mjs");
    const versions = '{ value: { ...process.versions, node: "20.20.2" } }';
    writeFileSync(old, `Object.defineProperty(process, "versions", ${versions});\n`);
    const program = join(folder, "program.mjs");
    writeFileSync(program, `import ${JSON.stringify(projectPath("mod.ts"))};\n`);
    const line = `tsgi needs Node ${OLDEST.Node} or later; this is Node 20.20.2\n`;
    const flags = ["--import", old];
    expect((await run("node", projectPath("cli/main.ts"), flags)).text).toBe(line);
    const { code, text } = await run("node", program, flags);
    expect(text.startsWith(line)).toBe(true);
    expect(code).toBe(1);
  });
});

it("17.3 there are thirty mistakes and more", () => {
  expect(IN_AN_APPLICATION.length + IN_A_CALL.length + AT_THE_COMMAND.length).toBeGreaterThanOrEqual(30);
});
