/**
 * getting-started.md and the pages of docs/deploy/, pasted from top to bottom into an empty machine: reader.ts says what
 * stands in for what.
 *
 * The project that getting-started.md makes is the one in which the other pages begin, so they are tried behind it.
 */

import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { block } from "../front/documented.ts";
import { ownDirectory } from "../front/instance.ts";
import { projectPath } from "../server_process.ts";
import { commandLines } from "./line.ts";
import { documentedPages, fences, pageText } from "./markdown.ts";
import { pastedLinesNotRun } from "./not_run.ts";
import { isPasted, Reader } from "./reader.ts";

const START = "docs/getting-started.md";
const deploy = documentedPages().filter((page) => isPasted(page) && page !== START);
const folder = ownDirectory("pasted");
const build = join(folder, "dist");
const project = join(folder, "my-app");

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function paste(page: string, begin: string | undefined): Promise<void> {
  const reader = await Reader.at(page, build, begin);
  try {
    await reader.paste();
    if (begin === undefined) cpSync(reader.folder, project, { recursive: true, verbatimSymlinks: true });
  } finally {
    await reader.end();
  }
}

let begun: Promise<void> | undefined;

/** Pastes getting-started.md, once; its project is then there. */
function start(): Promise<void> {
  return begun ??= paste(START, undefined);
}

/** Pastes a page in that project. */
async function pasteBehind(page: string): Promise<void> {
  await start();
  await paste(page, project);
}

beforeAll(() => {
  const built = spawnSync(process.execPath, [projectPath("scripts/build_npm.ts"), build], { encoding: "utf8" });
  expect(built.stdout + built.stderr).toBe("");
}, 120_000);

it(`17.5 ${START} can be pasted from top to bottom`, start, 240_000);

describe.concurrent("17.5 can be pasted from top to bottom, in the project of getting-started.md:", () => {
  it.each(deploy)("%s", pasteBehind, 240_000);
});

it(
  "17.4 cgi.md: Apache drops the response of a script that leaves a large body unread; LimitRequestBody answers 413",
  async () => {
    const page = "docs/deploy/cgi.md";
    const limit = /`(LimitRequestBody \d+)`/.exec(pageText(page))?.[1] ?? "";
    const most = Number(limit.split(" ")[1]);
    await start();
    const reader = await Reader.at(page, build, project);
    const upload = async (size: number): Promise<number> =>
      (await fetch(`${reader.front}/`, { method: "POST", body: new Uint8Array(size) })).status;
    try {
      await reader.paste();
      expect(await upload(256 * 1024)).toBe(200);
      await expect(upload(most + 1)).rejects.toThrow();
      const site = reader.moved("/etc/apache2/sites-available/app.conf");
      writeFileSync(site, readFileSync(site, "utf8").replace("</VirtualHost>", `${limit}\n</VirtualHost>`));
      await reader.run("systemctl restart apache2");
      expect(await upload(256 * 1024)).toBe(200);
      expect(await upload(most + 1)).toBe(413);
    } finally {
      await reader.end();
    }
  },
  240_000,
);

it("17.5 the pages of docs/deploy/ are these", () => {
  const names = ["cgi", "fastcgi", "http", "scgi", "uwsgi", "workers"];
  expect(deploy).toEqual(names.map((name) => `docs/deploy/${name}.md`));
});

it("17.5 each line that is left out is on a page", () => {
  const lines = [START, ...deploy].flatMap((page) => fences(page).filter(({ info }) => info === "sh"))
    .flatMap(({ code }) => commandLines(code));
  expect(pastedLinesNotRun.filter(({ line }) => !lines.some((one) => line.test(one)))).toEqual([]);
});

it("17.4 workers.md and http.md have the same configuration of nginx but for the address of tsgi", () => {
  expect(block("workers.md", "nginx").replace("server unix:/run/app.sock;", "server 127.0.0.1:8000;"))
    .toBe(block("http.md", "nginx"));
});
