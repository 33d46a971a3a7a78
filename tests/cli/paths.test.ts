/**
 * Paths that the command makes: Unix sockets with their owner and mode, and the pidfile.
 */

import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { needRestart } from "../../cli/config.ts";
import { socketFile } from "../../cli/launcher.ts";
import { isTsgi, ownedBy, parsePs } from "../../cli/other_process.ts";
import { Pidfile, PidfileError } from "../../cli/pidfile.ts";
import { keys, settingOf, type Settings } from "../../cli/settings/mod.ts";
import { scgiRequest } from "../scgi/request.ts";
import { Command, type CommandOptions, ended, type Runtime, runtimes, SITE, withCommand } from "./command.ts";

const REQUEST = "GET /?x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/** What a server at a Unix socket answers. */
function ask(path: string, request: string = REQUEST): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(path);
    socket.setEncoding("latin1").on("data", (part) => text += part).on("error", reject);
    socket.on("close", () => resolve(text));
    socket.write(request, "latin1");
  });
}

/** Runs with a command that listens: what connects waits until a worker is there. */
async function listening(
  runtime: Runtime,
  options: CommandOptions,
  run: (command: Command) => Promise<void>,
): Promise<void> {
  const command = new Command(runtime, options);
  try {
    await command.logged(/Listening at/);
    await run(command);
  } finally {
    await command.stop();
  }
}

/** Mode, owner and group of a file. */
function rights(path: string): string {
  const { mode, uid, gid } = lstatSync(path);
  return `${(mode & 0o777).toString(8)} ${uid} ${gid}`;
}

const OWN = `${process.getuid?.()} ${process.getgid?.()}`;
const GONE = "4194305"; // above the largest number of a process

describe.each(runtimes)("%s", (runtime) => {
  it("14.27 14.1 a Unix socket for a web server, whose peers have no address and may say who a user is", async () => {
    const args = ["-b", "unix:./a.sock", "--protocol", "scgi", SITE];
    await listening(runtime, { args }, async (command) => {
      const path = command.path("a.sock");
      expect(rights(path)).toBe(`660 ${OWN}`);
      const variables = { REQUEST_METHOD: "GET", PATH_INFO: "/", QUERY_STRING: "x", REMOTE_USER: "me" };
      expect(await ask(path, scgiRequest(variables, "0"))).toMatch(/^Status: 200 OK/);
    });
  });

  it("14.28 a Unix socket in a directory that does not exist", async () => {
    const { code, err } = await ended(runtime, { args: ["-b", "unix:nowhere/a.sock", SITE] });
    const message = "tsgi: Cannot listen on unix:nowhere/a.sock: its directory does not exist\n";
    expect([code, err]).toEqual([1, message]);
  });

  it("14.4 a command that ends leaves the socket and the pidfile of another one", async () => {
    const args = ["-b", "unix:./a.sock", "-p", "pid", SITE];
    await withCommand(runtime, { args }, async (first) => {
      for (const name of ["a.sock", "pid"]) rmSync(first.path(name));
      const shell = `cd ${first.folder} && exec "$@"`;
      await withCommand(runtime, { args, shell }, async (second) => {
        first.kill("SIGTERM");
        expect(await first.exit()).toEqual({ code: 0, signal: null });
        expect(await ask(first.path("a.sock"))).toMatch(/ok x$/);
        expect(Number(readFileSync(first.path("pid"), "utf8"))).toBe(second.pid);
        second.kill("SIGTERM");
        await second.exit();
        expect([existsSync(first.path("a.sock")), existsSync(first.path("pid"))]).toEqual([false, false]);
      });
    });
  });

  it("14.2 a pidfile does not take the place of a link", async () => {
    const shell = 'ln -s file pid; exec "$@"';
    const args = ["-b", "127.0.0.1:0", "-p", "pid", SITE];
    const command = new Command(runtime, { args, files: { file: "precious" }, shell });
    try {
      expect((await command.exit()).code).toBe(1);
      await command.closed;
      expect(command.log).toBe("tsgi: Pidfile pid: there is a symbolic link\n");
      expect(readFileSync(command.path("file"), "utf8")).toBe("precious");
    } finally {
      await command.stop();
    }
  });

  it("14.17 a pidfile with the number of another program, or of a tsgi that is younger than it, is replaced", async () => {
    await withCommand(runtime, { args: ["-p", "pid", SITE] }, async (younger) => {
      const owners: [pid: number, written: Date, outcome: RegExp][] = [
        [younger.pid, new Date(), /process \d+ runs already/],
        [younger.pid, new Date(Date.now() - 60_000), /Cannot load the application/],
        [process.pid, new Date(), /Cannot load the application/],
      ];
      for (const [pid, written, outcome] of owners) {
        writeFileSync(younger.path("other"), `${pid}\n`);
        utimesSync(younger.path("other"), written, written);
        const { err } = await ended(runtime, { args: ["-b", "127.0.0.1:0", "-p", younger.path("other"), "./nowhere"] });
        expect(err).toMatch(outcome);
      }
    });
  });
});

describe.runIf(process.getuid?.() === 0).each(runtimes)("%s as root", (runtime) => {
  it.each<[args: string[], rights: string, connects: boolean]>([
    [["-u", "daemon"], "777 1 1", true],
    [["-u", "daemon", "-g", "nogroup", "--protocol", "fastcgi"], "660 1 65534", true],
    [["-u", "daemon", "--protocol", "fastcgi"], "660 1 1", false],
  ])(
    "14.27 a Unix socket with %j is %s, and a web server of the user nobody connects: %s",
    async (args, expected, connects) => {
      const shell = 'chmod 755 . && exec "$@"';
      await listening(runtime, { args: ["-b", "unix:./a.sock", ...args, SITE], shell }, async (command) => {
        expect(rights(command.path("a.sock"))).toBe(expected);
        const script =
          "require('net').connect(process.argv[1]).on('connect', () => process.exit(0)).on('error', () => process.exit(9))";
        const client = spawn(process.execPath, ["-e", script, command.path("a.sock")], { uid: 65534, gid: 65534 });
        const code = await new Promise((resolve) => client.once("exit", resolve));
        expect(code).toBe(connects ? 0 : 9);
      });
    },
  );
});

it.each<[given: Partial<Settings>, mode: string]>([
  [{}, "777"],
  [{ umask: 0o007 }, "770"],
  [{ protocol: "scgi" }, "660"],
  [{ protocol: "uwsgi" }, "660"],
  [{ protocol: "fastcgi", umask: 0o077 }, "600"],
  [{ protocol: "fastcgi", umask: 0 }, "660"],
  [{ protocol: "fastcgi", umask: 0o077, socketMode: 0o666 }, "666"],
  [{ socketMode: 0o600 }, "600"],
])("14.27 with %j a Unix socket has the mode %s", (given, mode) => {
  const defaults = { protocol: "http", umask: null, socketMode: null, user: null, group: null } as const;
  expect(socketFile({ ...defaults, ...given })).toEqual({ mode: parseInt(mode, 8), uid: undefined, gid: undefined });
});

it("14.27 a reload does not speak FastCGI at a Unix socket that was made for HTTP", () => {
  const settings = Object.fromEntries(keys.map((key) => [key, settingOf(key).default])) as unknown as Settings;
  expect(needRestart(settings, { ...settings, protocol: "fastcgi" })).toEqual(["protocol"]);
});

describe("14.2 a pidfile", () => {
  const folder = mkdtempSync(join(tmpdir(), "tsgi-pidfile-"));
  const path = join(folder, "pid");
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeEach(() => rmSync(path, { recursive: true, force: true }));

  it.each<[what: string, make: () => void, reason: string]>([
    ["a link", () => symlinkSync("file", path), "there is a symbolic link"],
    ["a link to nothing", () => symlinkSync("nothing", path), "there is a symbolic link"],
    ["a file of something else", () => writeFileSync(path, "precious"), "there is a file that is no pidfile"],
    ["a large file", () => writeFileSync(path, "9".repeat(99)), "there is a file that is no pidfile"],
    ["a pipe", () => void spawnSync("mkfifo", [path]), "there is something that is not a file"],
    ["a directory", () => mkdirSync(path), "there is something that is not a file"],
  ])("does not take the place of %s", (_what, make, reason) => {
    writeFileSync(join(folder, "file"), "precious");
    make();
    expect(() => new Pidfile(path)).toThrow(new PidfileError(path, reason));
    expect(readFileSync(join(folder, "file"), "utf8")).toBe("precious");
    expect(existsSync(join(folder, "nothing"))).toBe(false);
  });

  it.each(["", "\n", `${GONE}\n`, `${process.pid}`])("takes the place of one with %j", (text) => {
    writeFileSync(path, text);
    const pidfile = new Pidfile(path);
    pidfile.create(process.pid);
    expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual([`${process.pid}\n`, ["file", "pid"]]);
    pidfile.remove();
    expect(existsSync(path)).toBe(false);
  });

  it("says that its directory does not exist", () => {
    const nowhere = join(folder, "nowhere", "pid");
    expect(() => new Pidfile(nowhere).create(1)).toThrow(new PidfileError(nowhere, "its directory does not exist"));
  });

  it.each<[how: string, meanwhile: () => void]>([
    ["written by another program", () => writeFileSync(path, "1\n")],
    ["another file with the same number", () => {
      renameSync(path, join(folder, "file"));
      writeFileSync(path, `${process.pid}\n`);
    }],
  ])("14.4 stays when it is another's by the end: %s", (_how, meanwhile) => {
    const pidfile = new Pidfile(path);
    pidfile.create(process.pid);
    meanwhile();
    pidfile.remove();
    expect(existsSync(path)).toBe(true);
  });

  it("is not written over one that another process has written since", () => {
    const pidfile = new Pidfile(path);
    writeFileSync(path, "1\n");
    expect(() => pidfile.create(process.pid)).toThrow(/another process has just written it/);
    expect(readFileSync(path, "utf8")).toBe("1\n");
  });
});

describe("14.17 whose pidfile it is", () => {
  it.each([
    ["node /srv/app/node_modules/.bin/tsgi -w 4 app.ts", true],
    ["node /srv/tsgi/cli/main.ts app.ts", true],
    ["node --disable-sigusr1 cli/main.js app.ts", true],
    ["deno run -A npm:tsgi app.ts", true],
    ["deno run -A npm:tsgi@0.1.0 app.ts", true],
    ["deno run -A jsr:@tsgi/tsgi/cli app.ts", true],
    ["deno run -A jsr:@tsgi/tsgi@^0.1.0/cli app.ts", true],
    ["bun run --bun tsgi app.ts", true],
    ["/usr/bin/tsgi app.ts", true],
    ["nginx: master process", false],
    ["node server.js", false],
    ["vim tsgi.config.ts", false],
    ["sleep 100", false],
    ["", false],
  ])("%s: %s", (line, expected) => expect(isTsgi(line.split(" "))).toBe(expected));

  it("the line of ps, where there is no /proc", () => {
    const { stdout } = spawnSync("ps", ["-ww", "-o", "lstart=", "-o", "args=", "-p", String(process.pid)], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
    });
    const found = parsePs(stdout);
    expect(Math.abs((found?.started ?? 0) - performance.timeOrigin)).toBeLessThan(60_000);
    expect(parsePs("Thu Nov  6 13:44:41 2026 node a b\n")?.words).toEqual(["node", "a", "b"]);
    expect(parsePs("")).toBeUndefined();
  });

  it("a process that is not there owns nothing", () => expect(ownedBy(Number(GONE), Date.now())).toBe(false));
});
