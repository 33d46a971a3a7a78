/**
 * Every fenced block of README.md and docs/ is run, or checked, or listed in `not_run.ts` with the reason why not.
 *
 * | info string                   | what becomes of it                                                                    |
 * | ----------------------------- | ------------------------------------------------------------------------------------- |
 * | `ts`, `ts node`, `ts deno`... | type checked, and run on all runtimes or the one named: examples.test.ts                |
 * | `ts` that is `tsgi.config.ts` | read by `tsgi --print-config`                                                          |
 * | `js`                          | a program that listens by itself: a `sh` line of the page runs it, and it is asked      |
 * | `sh`                          | each line is run, in order, on the runtime it names: session.ts. What serves is asked |
 * | `text` behind `sh`            | its lines are in the output of that block, in order; `...` is anything                |
 * | `nginx`, `apache`             | those of docs/deploy/ are run by tests/front/, others stand before a server here       |
 * | `haproxy`                     | that of docs/deploy/http.md stands before each runtime in tests/forwarded/            |
 * | `ini`                         | a systemd unit, `# path` its first line: checked, and a service's ExecStart is run     |
 * | `dockerfile`                  | its CMD is run                                                                        |
 *
 * A block, or a line, that is none of these and not listed fails.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ended } from "../cli/command.ts";
import { substituted } from "../front/documented.ts";
import { fronts } from "../front/fronts.ts";
import { Instance } from "../front/instance.ts";
import { nginx } from "../front/programs.ts";
import { pageBlocks } from "./blocks.ts";
import { commandLines, occurs } from "./line.ts";
import { documentedPages, type Fence, fences, programName } from "./markdown.ts";
import { blocksNotRun, linesNotRun } from "./not_run.ts";
import { isPasted } from "./reader.ts";
import { Session } from "./session.ts";
import { execStart, parseUnit } from "./units.ts";

const pages = documentedPages();
const all = pages.flatMap((page) => fences(page));
const ofKind = (info: string): Fence[] => all.filter((block) => block.info === info && !isListed(block));

function isListed({ page, info }: Fence): boolean {
  return blocksNotRun.some((one) => one.page === page && one.info === info);
}

function isRunBehindFronts({ page, info }: Fence): boolean {
  if (info === "haproxy") return page === "docs/deploy/http.md"; // by tests/forwarded/haproxy.test.ts
  const program = info === "nginx" || info === "apache" ? info : undefined;
  return fronts.some((front) => front.program === program && `docs/deploy/${front.page}` === page);
}

const folder = mkdtempSync(join(tmpdir(), "tsgi-blocks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("every block is of a kind that is run or checked, or is listed", () => {
  const kinds = /^(?:ts(?: node| deno| bun)?|js|sh|text|ini|dockerfile|nginx)$/;
  const others = all.filter((block) => !kinds.test(block.info) && !isListed(block) && !isRunBehindFronts(block));
  expect(others.map(({ name, info }) => `${name} ${info}`)).toEqual([]);
});

test("what is listed is there", () => {
  const lines = ofKind("sh").filter(({ page }) => !isPasted(page)).flatMap(({ code }) => commandLines(code));
  expect(linesNotRun.filter(({ line }) => !lines.some((one) => line.test(one)))).toEqual([]);
  expect(blocksNotRun.filter(({ page, info }) => !all.some((block) => block.page === page && block.info === info)))
    .toEqual([]);
});

test("every js block is a file that a line of its page runs", () => {
  const unused = ofKind("js").filter((block) => {
    const lines = fences(block.page).flatMap(linesOf).map(({ line }) => line.split(" "));
    return !lines.some((words) => words.includes(programName(block)));
  });
  expect(unused.map(({ name }) => name)).toEqual([]);
});

describe("sh", () => {
  test.each(pages.filter((page) => !isPasted(page) && fences(page).some((block) => linesOf(block).length > 0)))(
    "%s",
    async (page) => {
      const session = new Session(page);
      try {
        await readThrough(session, page);
      } finally {
        await session.end();
      }
    },
    120_000,
  );
});

async function readThrough(session: Session, page: string): Promise<void> {
  let printed: string | undefined;
  for (const block of fences(page)) {
    const { info, name, code } = block;
    if (isListed(block)) continue;
    if (info === "text") {
      if (printed === undefined) throw new Error(`${name}: there is no sh block before it that was run`);
      const lines = session.substituted(code).trimEnd().split("\n");
      if (!occurs(lines, printed)) expect.fail(`${name}: expected\n${lines.join("\n")}\nin\n${printed}`);
    }
    if (info === "nginx" && !isRunBehindFronts(block)) await askThroughNginx(session, code);
    const lines = linesOf(block);
    if (lines.length > 0) printed = "";
    for (const { line, env } of lines) {
      const ran = await session.run(line, env).catch((error: Error) => expect.fail(`${name}: ${error.message}`));
      if (ran.status !== null && ran.status !== 0) expect.fail(`${name}: ${line}: exit ${ran.status}\n${ran.output}`);
      printed += ran.output;
    }
  }
}

/** Asks a server at the Unix socket /run/app.sock through an nginx with the config of a block. */
async function askThroughNginx(session: Session, config: string): Promise<void> {
  await session.run("tsgi --umask 000 -b unix:/run/app.sock app.ts:app");
  const instance = await Instance.start({
    name: "docs",
    ports: 1,
    errorLog: "error.log",
    prepare: (directory, [port]) =>
      nginx(directory, substituted(session.substituted(config), { "listen 80;": `listen 127.0.0.1:${port};` })),
  });
  try {
    const response = await fetch(`http://127.0.0.1:${instance.ports[0]}/`, { signal: AbortSignal.timeout(10_000) });
    expect(response.status).toBe(200);
    await response.body?.cancel();
  } finally {
    await instance.stop();
  }
}

/** The command lines of a block that are run. */
function linesOf({ info, code }: Fence): { readonly line: string; readonly env?: Record<string, string> }[] {
  if (info === "sh") {
    const lines = commandLines(code).filter((line) => !linesNotRun.some((one) => one.line.test(line)));
    return lines.map((line) => ({ line }));
  }
  if (info === "ini") {
    const started = execStart(parseUnit(code));
    return started === undefined ? [] : [started];
  }
  if (info !== "dockerfile") return [];
  return [...code.matchAll(/^CMD (\[.*\])$/gm)].map((command) => {
    const [program, ...words] = JSON.parse(command[1] as string) as string[];
    return { line: [program, ...words.map((word) => `'${word}'`)].join(" ") };
  });
}

describe("tsgi.config.ts", () => {
  const blocks = pages.flatMap(pageBlocks).filter(({ file }) => basename(file) === "tsgi.config.ts");

  test.each(blocks.map(({ name, code }) => [name, code]))("%s", async (_, code) => {
    const args = ["--print-config"];
    const { code: status, err } = await ended("node", { args, files: { "tsgi.config.ts": code as string } });
    expect({ status, err }).toEqual({ status: 0, err: "" });
  });
});

describe("systemd units", () => {
  const units = ofKind("ini");

  test.each(units.map(({ name, code }) => [name, code]))("%s is a unit", (_, code) => {
    expect(parseUnit(code as string).path).toMatch(/^\/etc\/systemd\/system\/[\w@-]+\.(?:service|socket)$/);
  });

  test("a directive that is not known, or has no section, is an error", () => {
    const unit = (line: string): string => `# /etc/systemd/system/a.service\n[Service]\n${line}\n`;
    expect(parseUnit(unit("ExecStart=/bin/true")).sections).toEqual({ Service: { ExecStart: ["/bin/true"] } });
    expect(() => parseUnit(unit("ExecStarts=/bin/true"))).toThrow("ExecStarts");
    expect(() => parseUnit(unit("[Socket]\nExecStart=/bin/true"))).toThrow("[Socket]");
  });

  // Debian has it where it has systemd; a test that is skipped would be a failure.
  if (existsSync("/usr/bin/systemd-analyze")) {
    test("systemd-analyze has nothing to say", () => {
      const files = units.map(({ code }) => {
        const path = join(folder, basename(parseUnit(code).path));
        // The program is not on this machine.
        writeFileSync(path, code.replace(/^(Exec\w+=)(?!\/bin\/)\S+/gm, `$1${process.execPath}`));
        return path;
      });
      const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", ...files], { encoding: "utf8" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    });
  }
});

test("a session runs what its reader types", async () => {
  const session = new Session("README.md");
  try {
    expect(await session.run("cat app.ts | head -1")).toEqual({ output: "// app.ts\n", status: 0 });
    expect((await session.run("false")).status).toBe(1);
    expect((await session.run("node app.ts")).status).toBe(null);
    expect((await session.run("curl -s http://127.0.0.1:8000/nothing -d ping")).output).toBe("ping");
    await expect(session.run("node --print 1")).rejects.toThrow("ended without having served");
    await expect(session.run("node tests/docs/programs/silent.ts")).rejects.toThrow("expected a 200");
  } finally {
    await session.end();
  }
});

test("a block without an end is an error", () => {
  expect(() => fences("page.md", "```sh\nls\n")).toThrow("page.md:1: a block that does not end");
});

test("output is compared line by line", () => {
  expect(occurs(["a ... c", "d"], "x\na b c\ny\nd\n")).toBe(true);
  expect(occurs(["d", "a"], "a\nd\n")).toBe(false);
});
