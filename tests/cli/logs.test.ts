/**
 * The logs: gunicorn's atoms, batches, and files that are opened anew.
 */

import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseFormat, wrongAtom } from "../../cli/access_format.ts";
import { LogFile } from "../../cli/log_file.ts";
import type { AccessRecord } from "../../mod.ts";
import { table } from "../../cli/settings/mod.ts";
import { runtimes, SITE, until, withCommand } from "./command.ts";

const RECORD = {
  environ: {
    REMOTE_ADDR: "192.0.2.7",
    REQUEST_METHOD: "GET",
    REQUEST_URI: "/a/b?c=d",
    SERVER_PROTOCOL: "HTTP/1.1",
    SCRIPT_NAME: "/a",
    PATH_INFO: "/b",
    QUERY_STRING: "c=d",
    HTTP_REFERER: 'http://x/"quoted"',
    HTTP_USER_AGENT: "evil\n127.0.0.1 \\ \xff\u20ac",
    HTTP_AUTHORIZATION: `Basic ${btoa("alice:secret")}`,
    HTTP_X_REQUEST_ID: "17",
    CONTENT_TYPE: "text/plain",
    REMOTE_USER: "bob",
  },
  status: 200,
  headers: [["Content-Type", "text/html"]],
  bytes: 1234,
  duration: 1234.5678,
  complete: true,
} as unknown as AccessRecord;

describe("atoms", () => {
  it.each([
    ["%(h)s %(l)s %(u)s", "192.0.2.7 - alice"],
    ["%(r)s", "GET /a/b?c=d HTTP/1.1"],
    ["%(m)s %(U)s %(q)s %(H)s", "GET /a/b c=d HTTP/1.1"],
    ["%(s)s %(B)s %(b)s", "200 1234 1234"],
    ["%(f)s", "http://x/\\x22quoted\\x22"],
    ["%(a)s", "evil\\x0a127.0.0.1 \\x5c \\xff\\u20ac"],
    ["%(T)s %(M)s %(D)s %(L)s", "1 1234 1234568 1.234568"],
    ["%(p)s", `<${process.pid}>`],
    ["%({x-request-id}i)s %({Content-Type}i)s %({nope}i)s", "17 text/plain -"],
    ["%({content-type}o)s %({nope}o)s", "text/html -"],
    ["%({REMOTE_USER}e)s %({remote_user}e)s", "bob bob"],
    ["100%% plain", "100% plain"],
  ])("%s", (format, line) => expect(parseFormat(format)?.(RECORD)).toBe(line));

  it("a time, local and with its zone", () => {
    expect(parseFormat("%(t)s")?.(RECORD)).toMatch(/^\[\d{2}\/[A-Z][a-z]{2}\/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}\]$/);
  });

  it("no bytes and no client are a dash", () => {
    const record = { ...RECORD, bytes: 0, environ: { ...RECORD.environ, REMOTE_ADDR: undefined } };
    expect(parseFormat("%(h)s %(b)s %(B)s")?.(record as unknown as AccessRecord)).toBe("- - 0");
  });

  it.each([
    ["%(z)s", "%(z)s"],
    ["a %(h)s %(h)", "%(h)"],
    ["%(h)s % ", "% "],
    ["%({x}q)s %(h)s", "%({x}q)s"],
    ["%s", "%s"],
    ["100%", "%"],
    ["%(remote_addr)s", "%(remote_addr)s"],
  ])("14.23 %s is refused, and the atom named", (format, atom) => {
    expect(parseFormat(format)).toBeNull();
    expect(wrongAtom(format)).toBe(atom);
  });

  it("the default is that of gunicorn", () => {
    expect(parseFormat(table.accessLogformat.default)?.(RECORD)).toMatch(
      /^192\.0\.2\.7 - alice \[[^\]]+\] "GET \/a\/b\?c=d HTTP\/1\.1" 200 1234 "http:[^"]+" "evil[^"]+"$/,
    );
  });
});

it("a batched log keeps the order of its lines over many writes and a file that is moved away", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tsgi-log-"));
  try {
    const path = join(folder, "log");
    const unexpected = (...what: unknown[]): void => void lost.push(what);
    const lost: unknown[] = [];
    const log = new LogFile({ path, standard: 1, delay: 100, lost: unexpected, failed: unexpected });
    for (let i = 0; i < 20_000; i++) {
      log.write(`line ${i}\n`);
      if (i === 10_000) {
        renameSync(path, `${path}.1`);
        log.reopen();
      }
      if (i % 1000 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    await log.close();
    const lines = (readFileSync(`${path}.1`, "utf8") + readFileSync(path, "utf8")).trimEnd().split("\n");
    expect(lines).toEqual(Array.from({ length: 20_000 }, (_, i) => `line ${i}`));
    expect(lost).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe.each(runtimes)("%s", (runtime) => {
  it("boot lines are those of gunicorn; wsgi.errors goes to the error log", async () => {
    await withCommand(runtime, { args: ["-w", "2", SITE] }, async (command) => {
      await command.get("/errors");
      await command.logged(/a word to wsgi\.errors/);
      const stamp = String.raw`\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[${command.arbiter}\] \[INFO\]`;
      const [first, second, third, fourth, fifth] = command.log.split("\n");
      expect(first).toMatch(new RegExp(`^${stamp} Starting tsgi \\d`));
      expect(second).toMatch(
        new RegExp(`^${stamp} Listening at: http://127\\.0\\.0\\.1:\\d+ \\(${command.arbiter}\\)$`),
      );
      expect(third).toMatch(new RegExp(`^${stamp} Using runtime: ${runtime} \\d`));
      for (const line of [fourth, fifth]) expect(line).toMatch(new RegExp(`^${stamp} Booting worker with pid: \\d+$`));
    });
  });

  it("USR1 opens both logs anew; no line is lost, and what is left is written at the end", async () => {
    const args = ["-w", "2", "--access-logfile", "access", "--error-logfile", "errors", SITE];
    const more = ["--access-logformat", "%(r)s|%(s)s|%({x-seen}o)s|%({x-id}i)s|%(B)s|%(p)s"];
    const lines = (name: string): string[] => {
      const path = command.path(name);
      return existsSync(path) ? readFileSync(path, "utf8").split("\n").filter((line) => line !== "") : [];
    };
    const { Command } = await import("./command.ts");
    const command = new Command(runtime, { args: ["-b", "127.0.0.1:0", ...more, ...args] });
    try {
      await until("it to serve", () => /All workers are ready/.test(lines("errors").join("\n")), 20_000);
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(lines("errors").join("\n"))?.[1]);
      const get = async (id: number): Promise<void> => {
        const headers = { "x-id": String(id), connection: "close" };
        await (await fetch(`http://127.0.0.1:${port}/?${id}`, { headers })).text();
      };
      for (let id = 0; id < 20; id++) await get(id);
      await until("the lines", () => lines("access").length === 20);
      renameSync(command.path("access"), command.path("access.1"));
      renameSync(command.path("errors"), command.path("errors.1"));
      command.kill("SIGUSR1");
      await until("the error log", () => existsSync(command.path("errors")));
      await until("the access log", () => existsSync(command.path("access")));
      for (let id = 20; id < 40; id++) await get(id);
      command.kill("SIGTERM");
      expect(await command.exit()).toEqual({ code: 0, signal: null });
      const all = [...lines("access.1"), ...lines("access")].map((line) => line.replace(/\|<\d+>$/, ""));
      expect(all.toSorted()).toEqual(
        Array.from({ length: 40 }, (_, id) => `GET /?${id} HTTP/1.1|200|yes|${id}|${`ok ${id}`.length}`).toSorted(),
      );
      expect(lines("errors").join("\n")).toMatch(/Shutting down/);
    } finally {
      await command.stop();
    }
  });

  it("what was cut, and what failed, has its line", async () => {
    const args = ["--access-logfile", "-", "--access-logformat", "%(m)s %(U)s %(s)s", SITE];
    await withCommand(runtime, { args }, async (command) => {
      const controller = new AbortController();
      const cut = command.get("/wait?ms=60000", { signal: controller.signal }).catch(() => "cut");
      await new Promise((resolve) => setTimeout(resolve, 200));
      controller.abort();
      expect(await cut).toBe("cut");
      await command.get("/");
      await fetch(`http://127.0.0.1:${command.port}/`, { method: "HEAD", headers: { connection: "close" } });
      await until("the lines", () => /GET \/ 200\n/.test(command.out) && /HEAD \/ 200\n/.test(command.out));
    });
  });
});
