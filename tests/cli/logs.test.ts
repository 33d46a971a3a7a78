/**
 * The logs: gunicorn's atoms, batches, and files that are opened anew.
 */

import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Escape, parseFormat, wrongAtom } from "../../cli/access_format.ts";
import { ACCESS_KEYS, accessFormat } from "../../cli/access_json.ts";
import { ERROR_KEYS } from "../../cli/log.ts";
import { LogFile } from "../../cli/log_file.ts";
import type { AccessRecord } from "../../mod.ts";
import { table } from "../../cli/settings/mod.ts";
import { Command, runtimes, SITE, until, withCommand } from "./command.ts";

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

/** Sends a head, and waits for the end of the connection. */
function answerTo(port: number, head: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(head, "latin1"));
    socket.on("error", reject).on("close", () => resolve()).resume();
  });
}

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

  it("14.22 for a format of JSON, values are escaped as JSON has it", () => {
    const format = '{"uri":"%(U)s","agent":"%(a)s","referer":"%(f)s","status":%(s)s,"none":"%({nope}i)s"}';
    expect(JSON.parse(parseFormat(format, "json")?.(RECORD) as string)).toEqual({
      uri: "/a/b",
      agent: RECORD.environ.HTTP_USER_AGENT,
      referer: RECORD.environ.HTTP_REFERER,
      status: 200,
      none: "-",
    });
  });

  it.each<Escape>(["text", "json"])(
    "14.20 a line that is too long has its values cut, and no status is lost (%s)",
    (escape) => {
      const long = { ...RECORD, environ: { ...RECORD.environ, HTTP_USER_AGENT: '"'.repeat(8000) } } as AccessRecord;
      const line = parseFormat('{"agent":"%(a)s","status":%(s)s}', escape, 4095)?.(long) as string;
      expect(line.length).toBeLessThan(4096);
      expect(line).toMatch(/^\{"agent":".*\[cut\]","status":200\}$/);
      if (escape === "json") expect(JSON.parse(line).status).toBe(200);
    },
  );

  it("the default is that of gunicorn", () => {
    expect(parseFormat(table.accessLogformat.default)?.(RECORD)).toMatch(
      /^192\.0\.2\.7 - alice \[[^\]]+\] "GET \/a\/b\?c=d HTTP\/1\.1" 200 1234 "http:[^"]+" "evil[^"]+"$/,
    );
  });
});

describe("14.22 lines of JSON", () => {
  const settings = { accessLogJson: true, accessLogformat: "", accessLogEscape: "text" } as const;
  const line = (record: object, most = Infinity): Record<string, unknown> => {
    const text = accessFormat(settings, most)(record as AccessRecord);
    expect(text).toMatch(/^[\x20-\x7e]*$/);
    expect(text.length).toBeLessThanOrEqual(most);
    return JSON.parse(text);
  };

  it("have the documented keys, whatever is in the request", () => {
    const all = line(RECORD);
    expect(all).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      pid: process.pid,
      client: "192.0.2.7",
      user: "alice",
      method: "GET",
      uri: "/a/b?c=d",
      path: "/a/b",
      query: "c=d",
      protocol: "HTTP/1.1",
      host: null,
      status: 200,
      bytes: 1234,
      duration: 1.234568,
      complete: true,
      referer: RECORD.environ.HTTP_REFERER,
      user_agent: RECORD.environ.HTTP_USER_AGENT,
    });
    expect(Object.keys(all)).toEqual(Object.keys(ACCESS_KEYS));
  });

  it("a request of which nothing is known has nulls", () => {
    const { time: _time, pid: _pid, ...rest } = line({ ...RECORD, environ: {}, status: 400, complete: false });
    expect(Object.values(rest).filter((value) => value !== null)).toEqual([400, 1234, 1.234568, false]);
  });

  it("that are too long for a pipe have their texts cut", () => {
    const environ = { ...RECORD.environ, HTTP_USER_AGENT: "\xff".repeat(8000), HTTP_REFERER: "r".repeat(3000) };
    const all = line({ ...RECORD, environ }, 4095);
    expect(all["user_agent"]).toMatch(/^\xff+\[cut\]$/);
    expect(all["status"]).toBe(200);
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

  it("14.24 HUP opens both logs anew in every process, also when the configuration is refused", async () => {
    const logs = ["--access-logfile", "access", "--error-logfile", "errors", "--access-logformat", "%(U)s"];
    const files = { "tsgi.config.ts": "export default {};" };
    const command = new Command(runtime, { args: ["-b", "127.0.0.1:0", ...logs, SITE], files });
    const read = (name: string): string =>
      existsSync(command.path(name)) ? readFileSync(command.path(name), "utf8") : "";
    const ready = (): boolean => /All workers are ready/.test(read("errors"));
    const rotate = (number: number): void => {
      for (const name of ["access", "errors"]) renameSync(command.path(name), command.path(`${name}.${number}`));
      command.kill("SIGHUP");
    };
    try {
      await until("it to serve", ready, 20_000);
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(read("errors"))?.[1]);
      const get = async (path: string): Promise<void> => {
        await (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } })).text();
      };
      rotate(1);
      await until("the new workers", ready, 20_000);
      expect(read("errors")).toMatch(/Handling signal: hup|Hang up: reloading/);
      const before = read("errors.1");
      await get("/new");
      await until("its line", () => read("access") === "/new\n");
      command.write("tsgi.config.ts", "export default { nonsense: 1 };");
      rotate(2);
      await until("the refusal", () => /The configuration stays as it was/.test(read("errors")));
      await until("the worker's new log", async () => {
        await get("/old");
        return /^\/old$/m.test(read("access"));
      });
      command.kill("SIGTERM");
      expect((await command.exit()).code).toBe(0);
      expect(read("errors")).toMatch(/Shutting down: done/);
      expect(read("errors.1")).toBe(before);
    } finally {
      await command.stop();
    }
  });

  it("14.22 --access-log-json and --error-log-json: each line is an object, whatever clients and applications write", async () => {
    const files = {
      "app.ts": `export const app = (environ: any, start: any) => {
        environ["wsgi.errors"].write('a "quoted" part, ');
        environ["wsgi.errors"].write("and its end\\nwith a second line\\n");
        if (environ.PATH_INFO === "/fails") throw new Error("on purpose");
        start("200 OK", []);
        return ["ok"];
      };`,
    };
    const args = ["-b", "127.0.0.1:0", "--access-logfile", "-", "--access-log-json", "--error-log-json", "app"];
    const command = new Command(runtime, { args, files });
    try {
      await until("it to serve", () => /All workers are ready/.test(command.log), 20_000, () => command.log);
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(command.log)?.[1]);
      for (const path of ['/%22?a="b', "/fails"]) {
        await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close", "user-agent": 'x"\\y' } });
      }
      command.kill("SIGTERM");
      expect((await command.exit()).code).toBe(0);
      await command.closed;
      const objects = (text: string): Record<string, unknown>[] =>
        text.trimEnd().split("\n").map((line) => JSON.parse(line));
      expect(objects(command.out).map(({ path, user_agent, status }) => [path, user_agent, status])).toEqual([
        ['/"', 'x"\\y', 200],
        ["/fails", 'x"\\y', 500],
      ]);
      const reports = objects(command.log);
      for (const report of reports) expect(Object.keys(report)).toEqual(Object.keys(ERROR_KEYS));
      expect(reports[0]).toMatchObject({
        level: "info",
        source: "tsgi",
        message: expect.stringMatching(/^Starting tsgi/),
      });
      const written = reports.filter(({ source }) => source === "wsgi.errors").map(({ message }) => message);
      expect(written).toEqual([
        'a "quoted" part, and its end\nwith a second line',
        'a "quoted" part, and its end\nwith a second line',
        expect.stringMatching(/on purpose[^]*app\.ts/),
      ]);
    } finally {
      await command.stop();
    }
  });

  it("18.4 nothing that a client sends begins a line of a log, or is a control character in it", async () => {
    const args = ["--access-logfile", "-", "--access-logformat", "%(U)s %(q)s %(r)s %(f)s %(a)s %(s)s", SITE];
    const heads = [
      "GET /ok/%0aFORGED%0d%1b%5b2J%9b?%0aFORGED\u009b HTTP/1.1\r\nHost: h\r\nReferer: \u0085FORGED\r\nUser-Agent: \u009b2J\r\n",
      "GET /ok HTTP/1.1\r\nHost: h\r\nUser-Agent: a\x1b[2J\r\n",
      "GET /ok HTTP/1.1\r\nHost: h\x1b[2J\r\n",
      "GET /\x1b[2J HTTP/1.1\r\nHost: h\r\n",
      "GET /ok HTTP/1.1\r\nHost: h\r\nX\x1b[2J: a\r\n",
      "GET /ok HTTP/1.1\nFORGED\r\n",
      "\x1b[2JFORGED\r\n",
      "FORGED\u009b / HTTP/1.1\r\nHost: h\r\n",
    ];
    await withCommand(runtime, { args }, async (command) => {
      for (const head of heads) await answerTo(command.port, `${head}Connection: close\r\n\r\n`);
      const lines = (): string[] => command.out.split("\n").slice(0, -1);
      await until("a line of each", () => lines().length >= heads.length, 20_000, () => command.out);
      await command.logged(/refused a request/, heads.length - 1);
      expect(lines()).toHaveLength(heads.length);
      // deno-lint-ignore no-control-regex
      const control = /[\0-\x09\x0b-\x1f\x7f-\x9f]/;
      for (const line of [...lines(), ...command.log.split("\n")]) {
        expect(line).not.toMatch(/^FORGED/);
        expect(line).not.toMatch(control);
      }
    });
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
