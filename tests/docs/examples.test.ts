/**
 * Documentation is code nobody runs, so it rots first. Here each example is type checked and run as its reader would
 * run it: those of one host on that host, all others on all three.
 */

import { execFile, type ExecFileException } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectPath, runCommand, type Runtime, ServerProcess } from "../server_process.ts";
import { allBlocks, type Block, documentedSources, specifiers } from "./blocks.ts";
import { exampleSections, makeFolder, removeFolder, runtimes, writeBlocks } from "./blocks.ts";
import { MARK, type Result } from "./run.ts";

const DEADLINE = 15_000; // ms for all examples on one runtime
const root = projectPath("");

const blocks = allBlocks();
let folder = "";
let typeErrors = "";

interface Batch {
  readonly results: ReadonlyMap<string, string | null>;
  readonly output: string;
  readonly code: number;
}

const batches = new Map<Runtime, Batch>();

/** The examples that one runtime runs. */
function blocksFor(runtime: Runtime): Block[] {
  return blocks.filter((block) => block.runtimes.includes(runtime));
}

/** Entry points whose `serve` is that of `served.ts`, written beside the blocks. */
function recordedEntries(): Map<string, string> {
  const entries = specifiers();
  mkdirSync(join(folder, "entries"));
  for (const name of ["tsgi", "tsgi/node", "tsgi/deno", "tsgi/bun"]) {
    const file = join(folder, "entries", `${name.replace("/", "_")}.ts`);
    const original = JSON.stringify(relative(join(folder, "entries"), entries.get(name) as string));
    const served = JSON.stringify(relative(join(folder, "entries"), projectPath("tests/docs/served.ts")));
    writeFileSync(
      file,
      `import { serve as original } from ${original};\nimport { recorded } from ${served};\n` +
        `export * from ${original};\nexport const serve = recorded(original);\n`,
    );
    entries.set(name, file);
  }
  return entries;
}

beforeAll(async () => {
  folder = makeFolder("examples");
  writeBlocks(blocks, folder, recordedEntries());
  const checked = checkTypes();
  await Promise.all([checked, ...runtimes.map(runBatch)]);
  typeErrors = await checked;
}, 60_000);

afterAll(() => removeFolder(folder));

/** What the blocks of a runtime use of it: there are no types of the three that go together. */
const RUNTIME_TYPES = `
interface Served { readonly addr: { readonly port: number }; shutdown(): Promise<void> }
declare const Deno: { serve(options: { port: number }, handler: (request: Request) => Promise<Response>): Served };
declare const Bun: {
  serve(options: { port: number; fetch: (request: Request) => Promise<Response> }): { url: URL; stop(): Promise<void> };
};
`;

/** One run of tsc over all blocks. They are programs, not a library: they need no declarations. */
async function checkTypes(): Promise<string> {
  const compilerOptions = { isolatedDeclarations: false, declaration: false };
  const config = { extends: join(root, "tsconfig.json"), compilerOptions, include: ["**/*.ts"], exclude: [] };
  writeFileSync(join(folder, "runtimes.d.ts"), RUNTIME_TYPES);
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const { output } = await execute(join(root, "node_modules/.bin/tsc"), ["--pretty", "false", "-p", "."], folder);
  // What is wrong in the sources themselves is said by `npm run check`.
  return output.split("\n").filter((line) => line !== "" && !line.startsWith("../") && !line.startsWith(" ")).join(
    "\n",
  );
}

/** What Deno allows: frameworks look around before they do anything, SQLite keeps a file, and Python is a process. */
const LITTLE = ["--allow-net", "--allow-env=PORT,NODE_ENV,ELYSIA_AOT"];
const MUCH = [
  "--allow-net",
  "--allow-env",
  "--allow-read",
  `--allow-write=.,${tmpdir()}`,
  "--allow-sys",
  "--allow-run",
];

/** Runs all examples of a runtime: those of Node's frameworks and with files in a process that may do more. */
async function runBatch(runtime: Runtime): Promise<void> {
  const own = blocksFor(runtime);
  const wantsMuch = ({ source, code }: Block): boolean =>
    source.startsWith("middleware/") ||
    /"(?:tsgi\/(?:bridges\/(?:node|python)|middleware)|node:(?:fs|sqlite))"/.test(code);
  const [few, more] = await Promise.all([
    runBlocks(runtime, own.filter((block) => !wantsMuch(block)), "", LITTLE),
    runBlocks(runtime, own.filter(wantsMuch), "_much", MUCH),
  ]);
  const results = new Map([...few.results, ...more.results]);
  batches.set(runtime, { results, output: few.output + more.output, code: few.code || more.code });
}

async function runBlocks(
  runtime: Runtime,
  own: readonly Block[],
  suffix: string,
  permissions: readonly string[],
): Promise<Batch> {
  const lines = own.map(({ name, file }) => `  [${JSON.stringify(name)}, () => import("./${file}")],\n`);
  const program = `import { run } from "${relative(folder, projectPath("tests/docs/run.ts"))}";\n` +
    `await run([\n${lines.join("")}]);\n`;
  const main = join(folder, `main_${runtime}${suffix}.mjs`);
  writeFileSync(main, program);
  const { binary, args } = runCommand(runtime, relative(root, main), permissions);
  const { output, stdout, code } = await execute(binary, args, folder);
  const results = stdout.split("\n").filter((line) => line.startsWith(MARK))
    .map((line) => JSON.parse(line.slice(MARK.length)) as Result);
  return { results: new Map(results.map(({ name, error }) => [name, error])), output, code };
}

function execute(
  binary: string,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly output: string; readonly stdout: string; readonly code: number }> {
  return new Promise((resolve) => {
    const options = {
      cwd,
      timeout: DEADLINE,
      killSignal: "SIGKILL",
      env: { ...process.env, NO_COLOR: "1", PORT: "0" },
    } as const;
    execFile(binary, args, options, (error: ExecFileException | null, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ output: `${stdout}${stderr}`, stdout, code });
    });
  });
}

test("every @example has a ts block", () => {
  const empty = documentedSources().flatMap((source) =>
    exampleSections(source).filter(({ text }) => !text.includes("```ts\n")).map(({ line }) => `${source}:${line}`)
  );
  expect(empty).toEqual([]);
  expect(blocks.length).toBeGreaterThan(20);
});

test("every block proves something", () => {
  const proof =
    /console\.assert\(|\bassert\.|^export (?:const|(?:async )?function\*?) app\b|isMain\(|\bserve\(|^export default/m;
  const imported = new Set(blocks.flatMap(({ code }) => [...code.matchAll(/"\.\/(\w+\.ts)"/g)].map((one) => one[1])));
  const idle = blocks.filter(({ file, code }) => !proof.test(code) && !imported.has(file.replace(/^.*\//, "")));
  expect(idle.map(({ name }) => name)).toEqual([]);
});

test("every block is written to a file of its own", () => {
  expect(new Set(blocks.map(({ file }) => file)).size).toBe(blocks.length);
});

describe("types", () => {
  test.each(blocks.map(({ name, file }) => [name, file] as const))("%s", (_, file) => {
    expect(typeErrors.split("\n").filter((line) => line.startsWith(`${file}(`))).toEqual([]);
  });

  test("nothing else is wrong", () => {
    const ofBlocks = (line: string): boolean => blocks.some(({ file }) => line.startsWith(`${file}(`));
    expect(typeErrors.split("\n").filter((line) => line !== "" && !ofBlocks(line))).toEqual([]);
  });
});

describe.each(runtimes)("on %s", (runtime) => {
  test.each(blocksFor(runtime).map(({ name }) => name))("%s", (name) => {
    const { results, output } = batches.get(runtime) as Batch;
    if (!results.has(name)) expect.fail(`It did not come to an end\n${output}`);
    expect(results.get(name)).toBe(null);
  });

  test("nothing is left running, and nothing was left unhandled", () => {
    const { code, output } = batches.get(runtime) as Batch;
    expect(code, output).toBe(0);
  });

  test("the program of README.md serves", async () => {
    const server = await ServerProcess.start(
      runtime,
      relative(root, join(folder, "README/app.ts")),
      /Listening on (http:\S+)/,
      {
        flags: ["--allow-net", "--allow-env=PORT,NODE_ENV,ELYSIA_AOT"],
        env: { PORT: "0" },
      },
    );
    try {
      const url = server.ready[1] as string;
      const deadline = { signal: AbortSignal.timeout(5000) };
      const echo = await fetch(url, { method: "POST", body: "ping", ...deadline });
      expect([echo.status, await echo.text()]).toEqual([200, "ping"]);
      const countdown = await fetch(url, deadline);
      const reader = countdown.body?.getReader();
      expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("3\n");
      await reader?.cancel();
    } finally {
      await server.stop();
    }
  });
});
