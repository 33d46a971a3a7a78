/**
 * `tsgi --python`: the command with a Python application, on each runtime.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { parseSpec } from "../../../cli/application.ts";
import { pythonHint } from "../../../cli/python_hint.ts";
import { childrenOf, type Command, ended, projectPath, runs, runtimes, until, withCommand } from "../../cli/command.ts";
import { nothingLost, underLoad } from "../../cli/load.ts";

/** An application that answers `/pid`, `/nap`, and what the clients of the load ask for. */
const APP = (word: string): string => `
import os, sys, time
import helper
WORD = ${word}
def application(environ, start_response):
    path = environ["PATH_INFO"]
    body = ("ok " + environ["QUERY_STRING"]).encode()
    if path == "/wait":
        time.sleep(int(environ["QUERY_STRING"][3:]) / 1000)
        body = b"waited"
    if path == "/pid":
        time.sleep(0.05)
        body = str(os.getpid()).encode()
    elif path == "/nap":
        time.sleep(30)
    elif path == "/word":
        body = (WORD + helper.WORD + sys.prefix).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
`;
const FILES = { "site_app.py": APP('"one"'), "helper.py": 'WORD = ""\n' };
const PYTHON = ["--python", "site_app", "--python-path", "/usr/bin/python3"];
const temporary = mkdtempSync(join(tmpdir(), "tsgi-python-command-"));
afterAll(() => rmSync(temporary, { recursive: true }));
const env = { PYTHONDONTWRITEBYTECODE: "1", TMPDIR: temporary };

/** The ids of the Python processes that answer. */
async function pids(command: Command, asks: number): Promise<Set<number>> {
  return new Set((await Promise.all(Array.from({ length: asks }, () => command.get("/pid")))).map(Number));
}

describe.each(runtimes)("tsgi --python on %s", (runtime) => {
  it(
    "20.3 HUP, TTIN, TTOU and SIGKILL of tsgi's worker under load; a failing import leaves the old serving",
    async () => {
      const before = readdirSync(temporary);
      await withCommand(runtime, { args: ["-w", "2", ...PYTHON], files: FILES, env }, async (command) => {
        const [worker = 0] = command.workers;
        expect([command.workers.length, (await pids(command, 8)).size]).toEqual([1, 2]);
        const tally = await underLoad(command, async () => {
          command.write("site_app.py", APP("broken"));
          command.kill("SIGHUP");
          await command.logged(/NameError: name 'broken' is not defined/);
          await command.logged(/The new workers did not start: the old ones serve on/);
          expect(command.workers).toEqual([worker]);
          command.write("site_app.py", APP('"second"'));
          const old = childrenOf(worker);
          command.kill("SIGHUP");
          await command.logged(/All workers are ready/, 2);
          await until("the old processes to be gone", () => ![worker, ...old].some(runs));
        });
        nothingLost(tally);
        expect(await command.get("/word")).toMatch(/^second/);
        command.kill("SIGTTIN");
        await until("three processes", async () => (await pids(command, 12)).size === 3);
        command.kill("SIGTTOU");
        await command.logged(/Handling signal: ttou/); // a second one before would be the same signal
        command.kill("SIGTTOU");
        await until("one process", async () => (await pids(command, 6)).size === 1);
        const [next = 0] = command.workers;
        const left = childrenOf(next);
        process.kill(next, "SIGKILL");
        await until("another worker", async () => (await command.get("/word").catch(() => "")) !== "");
        await until("the end of the processes", () => !left.some(runs));
        const last = command.workers.flatMap(childrenOf);
        command.kill("SIGTERM");
        expect(await command.exit()).toEqual({ code: 0, signal: null });
        await until("the end of all", () => !last.some(runs));
        expect(readdirSync(temporary).filter((name) => !before.includes(name))).toEqual([]);
      });
    },
    90_000,
  );

  it("20.7 the log names the Python processes, and one that takes the place of another", async () => {
    await withCommand(runtime, { args: ["-w", "2", ...PYTHON], files: FILES, env }, async (command) => {
      const logged = async (pattern: RegExp): Promise<number[]> => {
        await command.logged(pattern);
        return (pattern.exec(command.log) ?? []).slice(1).map(Number);
      };
      const started = await logged(/(?:^|\n)\[.*\] \[\d+\] \[INFO\] Python processes \(pids:(\d+),(\d+)\) serve\n/);
      expect(await pids(command, 8)).toEqual(new Set(started));
      process.kill(started[0] as number, "SIGKILL");
      const [gone] = await logged(/(?:^|\n)\[.*\] \[\d+\] \[WARNING\] Python process \(pid:(\d+)\) ended: SIGKILL\n/);
      const [next] = await logged(/(?:^|\n)\[.*\] \[\d+\] \[INFO\] Python process \(pid:(\d+)\) serves\n/);
      expect(gone).toBe(started[0]);
      expect(await pids(command, 8)).toEqual(new Set([started[1], next]));
    });
  }, 30_000);

  it("20.3 a SIGTERM to the whole process group replaces no Python process, and a long request ends", async () => {
    await withCommand(runtime, { args: ["-w", "2", ...PYTHON], files: FILES, env }, async (command) => {
      await command.logged(/All workers are ready \(1, with Python processes: 2\)/);
      const [worker = 0] = command.workers;
      const python = await pids(command, 8);
      const waiting = command.get("/wait?id=5000");
      await until("the request", async () => (await pids(command, 4)).size === 1); // the other process has it
      for (const pid of [worker, ...python]) process.kill(pid, "SIGTERM");
      command.kill("SIGTERM");
      expect(await waiting).toBe("waited");
      expect(await command.exit()).toEqual({ code: 0, signal: null });
      expect(command.log).not.toMatch(/is replaced|Python process \(pid:\d+\) serves/);
    });
  }, 30_000);

  it("20.3 --timeout, --reload, --threads", async () => {
    const args = ["--timeout", "2", "--reload", "--threads", "3", "--access-logfile", "-", ...PYTHON];
    await withCommand(runtime, { args, files: FILES, env }, async (command) => {
      const [before] = await pids(command, 3);
      const response = await fetch(`http://127.0.0.1:${command.port}/nap`, { headers: { connection: "close" } });
      expect(response.status).toBe(504);
      await until("the line", () => /"GET \/nap HTTP\/1.1" 504 /.test(command.out));
      await until("another process", async () => ![...await pids(command, 3)].includes(before as number));
      // The file that only the application imports is watched, and so is one that has failed to load.
      command.write("helper.py", "WORD = broken too\n");
      await command.logged(/SyntaxError/);
      command.write("helper.py", 'WORD = " and more"\n');
      await until("the new code", async () => /^one and more/.test(await command.get("/word")), 20_000);
    });
  }, 60_000);
});

describe("tsgi --python", () => {
  it("20.3 takes the interpreter of a virtualenv", async () => {
    const files = { ...FILES, "venv/pyvenv.cfg": "home = /usr/bin\n", "venv/bin/.keep": "" };
    await withCommand("node", { args: PYTHON, files, env }, async (command) => {
      execFileSync("ln", ["-s", "/usr/bin/python3", command.path("venv/bin/python")]);
      for (const more of [{ args: ["--python-path", "venv"] }, { args: [], env: { VIRTUAL_ENV: "venv" } }]) {
        const args = ["--python", "site_app", ...more.args, "-b", "127.0.0.1:0"];
        await withCommand("node", { args, env: { ...env, ...more.env }, cwd: command.folder }, async (other) => {
          expect(await other.get("/word")).toBe(`one${command.path("venv")}`);
        });
      }
    });
  }, 30_000);

  it("20.3 a reload refuses settings of Python without --python", async () => {
    const files = { "app.mjs": "export const application = (_environ, start) => (start('200 OK', []), 'ok');" };
    await withCommand(
      "node",
      { args: ["app.mjs"], files: { ...files, "tsgi.config.mjs": "export default {};" } },
      async (command) => {
        command.write("tsgi.config.mjs", "export default { threads: 2 };");
        command.kill("SIGHUP");
        await command.logged(/The configuration stays as it was: .*--threads: expected --python beside it/);
      },
    );
  }, 30_000);

  it.each([
    ["flask", "shop:app", "In your cart: nothing"],
    ["django", "mysite.wsgi", "Hello from Django"],
  ])("20 examples/%s starts with one command", async (folder, application, text) => {
    const args = ["--chdir", projectPath(`examples/${folder}`), "--python", application, "-w", "2", ...PYTHON.slice(2)];
    await withCommand("node", { args, env }, async (command) => {
      expect(await command.get("/")).toContain(text);
    });
  }, 30_000);

  it.each([
    ["shop.py", "shop:NAME"],
    ["shop", "shop:NAME"],
    ["./shop:app", "shop:app"],
    ["pkg", "pkg:NAME"],
    ["pkg.web:make()", "pkg.web:make()"],
    ["pkg/web.py:site.app", "pkg.web:site.app"],
    ["../shop.py:app", "shop:app"],
    ["nothing", undefined],
    ["pkg.nothing:app", undefined],
  ])("20.3 the hint for %s without --python", (spec, hint) => {
    const folder = mkdtempSync(join(temporary, "hint-"));
    const here = spec.startsWith("..") ? join(folder, "pkg") : folder;
    mkdirSync(join(folder, "pkg"));
    for (const file of ["shop.py", "pkg/__init__.py", "pkg/web.py"]) writeFileSync(join(folder, file), "");
    const text = pythonHint(spec, parseSpec(spec).module, here);
    if (hint === undefined) return expect(text).toBe("");
    const chdir = here === folder ? "" : `--chdir ${folder} `;
    expect(text).toMatch(/^\. \/.*\.py is a file of Python: serve it with /);
    expect(text.endsWith(`with ${chdir}--python ${hint}`)).toBe(true);
  });

  it("20.3 a factory gets its arguments, and a module may have any name that Python imports", async () => {
    const factory = `
def make(name, *more, debug=False):
    def application(environ, start_response):
        start_response("200 OK", [])
        return [repr((name, more, debug)).encode()]
    return application
class Sites:
    site = staticmethod(make)
`;
    for (
      const [spec, text] of [
        ["my-shop:make('a b', 1, [2], debug=True)", "('a b', (1, [2]), True)"],
        ['my-shop:Sites.site("x:y(z)")', "('x:y(z)', (), False)"],
      ]
    ) {
      const args = ["--python", spec as string, ...PYTHON.slice(2)];
      await withCommand("node", { args, files: { "my-shop.py": factory }, env }, async (command) => {
        expect(await command.get("/")).toBe(text);
      });
    }
  }, 30_000);

  it("20.3 says what is wrong", async () => {
    const cases: [readonly string[], number, RegExp][] = [
      [["--preload", ...PYTHON], 2, /no --preload: processes are started, not forked/],
      [[...PYTHON, "app.ts"], 2, /expected one application, got app.ts and --python site_app/],
      [["--python", "site_app:no_such", "-b", "127.0.0.1:0"], 3, /site_app:no_such: [^]*has no attribute 'no_such'/],
      [["--python", "site_app:no_such", "--check-config"], 3, /has no attribute 'no_such'/],
      [[...PYTHON, "--check-config"], 0, /^$/],
      [[...PYTHON, "--python-path", "."], 3, /expected an interpreter, or the folder of a virtualenv/],
      [["--threads", "4", "app.ts"], 2, /--threads: expected --python beside it: .*, got 4/],
      [["--python-path", "venv", "app.ts"], 2, /--python-path: expected --python beside it: .*, got venv/],
      [["-c", "threads.config.mjs", "app.ts"], 2, /--threads: expected --python beside it/],
      [["--python", "./site_app.py"], 2, /--python: expected MODULE, MODULE:NAME or MODULE:FACTORY\(\.\.\.\), got/],
      [
        ["--python", "site_app.py:other", "--check-config"],
        3,
        /expected a module, not a file: did you mean site_app:other\?/,
      ],
      [
        ["--python", "site_app:application(name)", "--check-config"],
        3,
        /site_app:application\(name\): expected literals as arguments/,
      ],
      [
        ["site_app:application", "--check-config"],
        3,
        /site_app\.py is a file of Python: serve it with --python site_app:app/,
      ],
    ];
    const check = async ([args, code, message]: typeof cases[number]): Promise<void> => {
      const { err, ...exit } = await ended("node", {
        args,
        files: { ...FILES, "threads.config.mjs": "export default { threads: 2 };" },
        env,
      });
      expect([exit.code, err]).toEqual([code, expect.stringMatching(message)]);
    };
    while (cases.length > 0) await Promise.all(cases.splice(0, 4).map(check));
  }, 60_000);
});
