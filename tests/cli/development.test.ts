/**
 * `--reload`: a change of a file that the application imports, or of one that is named besides, however it comes about.
 */

import fs, { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { importedFiles } from "../../cli/imports.ts";
import { watchCode } from "../../cli/code_watcher.ts";
import { Command, ended, projectPath, runtimes, SITE, until, withCommand } from "./command.ts";

const FILES = {
  "app.ts": `import { word } from "./lib/word.ts";
    import { readFileSync } from "node:fs";
    const text = readFileSync("templates/a.html", "utf8");
    export const app = (_: unknown, start: (status: string, headers: []) => void) => {
      start("200 OK", []); return [word + text]; };`,
  "lib/word.ts": 'export const word = "one";',
  "templates/a.html": "!",
};

const word = (text: string): string => `export const word = "${text}";`;

it("finds the files that an application is made of", () => {
  const files = importedFiles(SITE).map((path) => path.slice(projectPath("").length));
  expect(files).toContain("tests/cli/apps/site.ts");
  expect(files).toContain("core/gateway/invocation.ts");
  expect(importedFiles(import.meta.filename)).toContain(projectPath("cli/imports.ts"));
});

it("of one whose file is missing, the paths that it could have", () => {
  expect(importedFiles("nowhere:app")).toEqual(
    expect.arrayContaining(["nowhere.ts", "nowhere.mjs", "nowhere/index.ts"].map((name) => join(process.cwd(), name))),
  );
  expect(importedFiles("npm:express")).toEqual([]);
});

/** Whether the application gives a text. */
async function gives(command: Command, text: string): Promise<void> {
  await until(JSON.stringify(text), async () => await command.get("/").catch(() => "") === text);
}

interface Change {
  readonly name: string;
  make(command: Command): void;
  /** What the application gives then; null when it does not load, and the workers from before go on. */
  readonly gives: string | null;
  /** The file that the log names. */
  readonly names: RegExp;
}

const CHANGES: readonly Change[] = [
  {
    name: "a file is written",
    make: (command) => command.write("lib/word.ts", word("two")),
    gives: "two!",
    names: /lib\/word\.ts/,
  },
  {
    name: "an editor replaces it",
    make: (command) => {
      command.write("lib/.word.ts.swp", word("three"));
      renameSync(command.path("lib/.word.ts.swp"), command.path("lib/word.ts"));
    },
    gives: "three!",
    names: /lib\/word\.ts/,
  },
  {
    name: "an editor moves it aside and writes another",
    make: (command) => {
      renameSync(command.path("lib/word.ts"), command.path("lib/word.ts~"));
      command.write("lib/word.ts", word("four"));
    },
    gives: "four!",
    names: /lib\/word\.ts/,
  },
  {
    name: "a syntax error",
    make: (command) => command.write("lib/word.ts", "export const word = ;"),
    gives: null,
    names: /lib\/word\.ts/,
  },
  {
    name: "it is mended",
    make: (command) => command.write("lib/word.ts", word("five")),
    gives: "five!",
    names: /lib\/word\.ts/,
  },
  { name: "a file vanishes", make: (command) => rmSync(command.path("lib/word.ts")), gives: null, names: /word\.ts/ },
  {
    name: "it comes back",
    make: (command) => command.write("lib/word.ts", word("six")),
    gives: "six!",
    names: /lib\/word\.ts/,
  },
  {
    name: "a folder is replaced",
    make: (command) => {
      rmSync(command.path("lib"), { recursive: true });
      command.write("lib/word.ts", word("seven"));
    },
    gives: "seven!",
    names: /lib\/word\.ts/,
  },
  {
    name: "a change in the new folder",
    make: (command) => command.write("lib/word.ts", word("eight")),
    gives: "eight!",
    names: /lib\/word\.ts/,
  },
  {
    name: "the file of the application vanishes",
    make: (command) => renameSync(command.path("app.ts"), command.path("app.away")),
    gives: null,
    names: /app\.ts/,
  },
  {
    name: "it comes back with another import",
    make: (command) => {
      command.write("more/words.ts", word("nine"));
      command.write("app.ts", FILES["app.ts"].replace("./lib/word.ts", "./more/words.ts"));
    },
    gives: "nine!",
    names: /app\.ts/,
  },
  {
    name: "a change in what is imported anew",
    make: (command) => command.write("more/words.ts", word("ten")),
    gives: "ten!",
    names: /more\/words\.ts/,
  },
  {
    name: "a file of a glob",
    make: (command) => command.write("templates/a.html", "?"),
    gives: "ten?",
    names: /templates\/a\.html/,
  },
  {
    name: "a new file of a glob in new folders",
    make: (command) => command.write("templates/b/c/d.html", "new"),
    gives: "ten?",
    names: /templates\/b\/c\/d\.html/,
  },
  {
    name: "a change in the new folders",
    make: (command) => command.write("templates/b/c/d.html", "newer"),
    gives: "ten?",
    names: /templates\/b\/c\/d\.html/,
  },
  {
    name: "a file that is named, and was not there",
    make: (command) => command.write("conf/site.json", "{}"),
    gives: "ten?",
    names: /conf\/site\.json/,
  },
  {
    name: "a file in a folder that is named",
    make: (command) => command.write("data/new", "1"),
    gives: "ten?",
    names: /data\/new/,
  },
];

/** What is no reason to reload. */
const NO_CHANGES = ["templates/a.txt", "templates/node_modules/a.html", "lib/other.ts", "lib/word.ts"];

const ENGINES = runtimes.flatMap((runtime) =>
  (runtime === "deno" ? ["poll"] : ["auto", "poll"]).map((engine) => [runtime, engine] as const)
);

describe.concurrent.each(ENGINES)("%s, --reload-engine %s", (runtime, engine) => {
  it("sees every change, and nothing else", async () => {
    const extra = ["templates/**/*.html", "conf/site.json", "data"].flatMap((glob) => ["--reload-extra-file", glob]);
    const args = ["--reload", "--reload-engine", engine, ...extra, "app.ts"];
    await withCommand(runtime, { args, files: { ...FILES, "data/old": "" } }, async (command) => {
      await gives(command, "one!");
      const reloads = (from = 0): string[] =>
        [...command.log.slice(from).matchAll(/Worker reloading: (.*)/g)].map(([, file]) => file as string);
      for (const { name, make, gives: text, names } of CHANGES) {
        const before = command.log.length;
        const since = (pattern: RegExp): boolean => pattern.test(command.log.slice(before));
        make(command);
        await until(name, () => reloads(before).some((file) => names.test(file)), undefined, () => command.log);
        const outcome = text === null
          ? /The new workers did not start: the old ones serve on/
          : /All workers are ready/;
        await until(`${name}: ${outcome}`, () => since(outcome), undefined, () => command.log);
        if (text !== null) await gives(command, text);
      }
      const before = command.log.length;
      for (const path of NO_CHANGES) command.write(path, "another");
      command.write("templates/last.html", "");
      await until("the last", () => reloads(before).some((file) => /templates\/last\.html/.test(file)));
      expect(reloads(before)).toEqual([expect.stringMatching(/templates\/last\.html modified$/)]);
      expect(reloads().filter((file) => !/(word|words|app)\.ts|\.html|site\.json|data\/new/.test(file))).toEqual([]);
    });
  }, 60_000);

  it("waits for the first change when the application does not load to begin with", async () => {
    const files = { ...FILES, "lib/word.ts": "export const word = ;" };
    const args = ["-b", "127.0.0.1:0", "--reload", "--reload-engine", engine, "app.ts"];
    const command = new Command(runtime, { args, files });
    try {
      await command.logged(/Waiting for a change of the code/);
      const waiting = gives(command, "one!");
      command.write("lib/word.ts", FILES["lib/word.ts"]);
      await waiting;
    } finally {
      await command.stop();
    }
  });
});

it("polls when the system has no more events to give", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tsgi-watch-"));
  const file = join(folder, "a.ts");
  writeFileSync(file, "1");
  const { watch } = fs;
  const told: string[] = [];
  const changed: string[] = [];
  const none: unknown = () => {
    throw Object.assign(new Error("ENOSPC: System limit for number of file watchers reached"), { code: "ENOSPC" });
  };
  fs.watch = none as typeof watch;
  syncBuiltinESMExports();
  try {
    const unwatch = await watchCode({
      spec: file,
      extra: [],
      engine: "auto",
      changed: (files) => changed.push(...files),
      failed: (message) => told.push(message),
    });
    expect(told).toEqual([expect.stringMatching(/^Watching the code: ENOSPC.*; now polling$/)]);
    writeFileSync(file, "22");
    await until("the change", () => changed.includes(file));
    unwatch();
  } finally {
    fs.watch = watch;
    syncBuiltinESMExports();
    rmSync(folder, { recursive: true, force: true });
  }
});

it("says so when chokidar is not installed", async () => {
  // Without a configuration Deno does not know where it is.
  const shell = 'deno=$1; shift 2; exec "$deno" run --no-config "$@"';
  const args = ["-b", "127.0.0.1:0", "--reload", SITE];
  const { code, err } = await ended("deno", { args, shell });
  expect(err).toMatch(/tsgi: --reload: expected the package chokidar to be installed with tsgi, got .*chokidar/);
  expect(code).toBe(2);
});
