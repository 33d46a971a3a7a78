/**
 * Settings: one table, from which the command line, the environment, the configuration file, help and docs come.
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseBind } from "../../cli/bind.ts";
import { readCommandLine, readEnvironment, readPlatform } from "../../cli/command_line.ts";
import { configText, helpText, settingsPage } from "../../cli/help.ts";
import { keys, settingOf, type Settings } from "../../cli/settings/mod.ts";
import { serveOptions } from "../../cli/settings/served.ts";
import { flagOf, variableOf } from "../../cli/settings/setting.ts";
import { settings } from "../../core/server/options.ts";
import type { ServeOptions } from "../../core/server/serve_options.ts";
import { ended, projectPath, runtimes } from "./command.ts";

const commandLineKeys = keys.filter((key) => settingOf(key).kind.code !== true);

/** The lines of `--print-config` as an object. */
function printed(out: string): Record<string, string> {
  return Object.fromEntries(out.trimEnd().split("\n").map((line) => line.split(/ = (.*)/s).slice(0, 2)));
}

describe("the table", () => {
  it("help names every option, and no other", () => {
    const flags = commandLineKeys.map(flagOf);
    const shown = [...helpText().matchAll(/^ {2}(?:-\w,| {3}) (--[\w-]+)/gm)].map((match) => match[1]);
    expect(shown.toSorted()).toEqual([...flags, "--help", "--version"].toSorted());
  });

  it("--print-config shows every setting", () => {
    const defaults = Object.fromEntries(keys.map((key) => [key, settingOf(key).default])) as unknown as Settings;
    expect(Object.keys(printed(configText(defaults)))).toEqual(
      keys.filter((key) => settingOf(key).only !== "command line").toSorted(),
    );
  });

  it("docs/settings.md is what the table says: npm run docs:settings", () => {
    expect(readFileSync(projectPath("docs/settings.md"), "utf8")).toBe(settingsPage());
  });

  it("no two settings share an option, a letter or a variable", () => {
    const shorts = keys.map((key) => settingOf(key).short).filter((short) => short !== undefined);
    for (const names of [keys.map(flagOf), keys.map(variableOf), shorts]) {
      expect(new Set(names).size).toBe(names.length);
    }
    expect(shorts.filter((short) => short === "h" || short === "v")).toEqual([]);
  });

  it("every default is a value of its kind, also as text", () => {
    for (const key of keys) {
      const { kind, default: value } = settingOf(key);
      if (key === "bind" || value === null) continue;
      expect(kind.check(value), key).toEqual(value);
      if (typeof value === "number" || typeof value === "boolean") expect(kind.parse(String(value)), key).toBe(value);
    }
  });

  it("help texts begin with a sentence", () => {
    for (const key of keys) expect(settingOf(key).help, key).toMatch(/^[A-Z`].*\.$/s);
  });
});

describe("settings that are options of serve", () => {
  const defaults = Object.fromEntries(keys.map((key) => [key, settingOf(key).default])) as unknown as Settings;
  const check = (options: ServeOptions) => settings(options, { port: undefined, errorLog: () => {} });

  it("reach a worker under the option's name, and are valid there", () => {
    const given = {
      ...defaults,
      keepAlive: 7,
      workerConnections: 8,
      limitReadline: 9,
      writeBufferLimit: Infinity,
      allowIps: ["10.0.0.0/8", "*"],
    };
    expect(check(serveOptions(given))).toMatchObject({
      keepAliveTimeout: 7,
      maxConnections: 8,
      limitReadline: 9,
      writeBufferLimit: Infinity,
      allowIps: "*",
    });
  });

  it("are left to serve where nobody gives them", () => {
    expect(serveOptions(defaults)).not.toHaveProperty("allowIps");
    expect(serveOptions(defaults)).not.toHaveProperty("backlog");
  });

  it("have serve's default, unless the page of settings says another", () => {
    const usual = check({}) as unknown as Record<string, unknown>;
    const others = Object.entries(check(serveOptions(defaults))).filter(([name, value]) => usual[name] !== value);
    const made = ["errorLog", "listeners"]; // new for each server
    expect(others.filter(([name]) => !made.includes(name))).toEqual([["maxConnections", 1000]]);
  });
});

describe("the command line", () => {
  const given = (...args: string[]): Record<string, unknown> => Object.fromEntries(readCommandLine(args).given);

  it.each<[string[], Record<string, unknown>]>([
    [["-w", "4", "app"], { workers: 4, wsgiApp: "app" }],
    [["-w4"], { workers: 4 }],
    [["--workers=auto"], { workers: "auto" }],
    [["--reload", "app"], { reload: true, wsgiApp: "app" }],
    [["--reload=false"], { reload: false }],
    [["-b", ":80", "-b", "unix:/a"], {
      bind: [{ kind: "tcp", host: "0.0.0.0", port: 80 }, { kind: "unix", path: "/a" }],
    }],
    [["-e", "A=1", "--env", "B=x=y"], { env: ["A=1", "B=x=y"] }],
    [["--log-file", "x"], { errorLogfile: "x" }],
    [["--access-logfile", "-"], { accessLogfile: "-" }],
    [["-m", "027"], { umask: 0o27 }],
    [["-t", "0.5"], { timeout: 0.5 }],
    [["--limit-request-body", "Infinity"], { limitRequestBody: Infinity }],
    [["--forwarded-allow-ips", "127.0.0.1, 10.0.0.0/8,unix"], {
      forwardedAllowIps: ["127.0.0.1", "10.0.0.0/8", "unix"],
    }],
    [["--proxy-allow-from", "::1, 10.0.0.1"], { proxyAllowFrom: ["::1", "10.0.0.1"] }],
    [["--", "-odd"], { wsgiApp: "-odd" }],
  ])("%j", (args, expected) => expect(given(...args)).toEqual(expected));

  it.each<[string[], RegExp]>([
    [["--nope"], /^command line: expected an option \(tsgi --help lists them\), got --nope$/],
    [["-x"], /got -x$/],
    [["-w", "0"], /^-w: expected a whole number from 1 to 1024, or auto, got "0"$/],
    [["--workers=1.5"], /^--workers: expected a whole number .*, got "1\.5"$/],
    [["-t"], /^-t: expected seconds from 0, got nothing$/],
    [["--reload=maybe"], /^--reload: expected true or false, got "maybe"$/],
    [["--header-map", "keep"], /^--header-map: expected one of drop, refuse, dangerous, got "keep"$/],
    [["--umask", "8"], /^--umask: expected a file mode mask in octal/],
    [["--wokers", "2"], /got --wokers \(did you mean --workers\?\)$/],
    [["--access-logformat", "%(z)s"], /^--access-logformat: expected text with atoms/],
    [["--on-exit", "x"], /got --on-exit$/],
    [["a", "b"], /^command line: expected one application, got a and b$/],
  ])("%j is refused", (args, message) => expect(() => given(...args)).toThrow(message));
});

describe("the environment", () => {
  it("gives what TSGI_* says, and leaves the rest alone", () => {
    const given = readEnvironment({ TSGI_WORKERS: "3", TSGI_BIND: ":1,:2", TSGI_KEEP_ALIVE: "", OTHER: "?" });
    expect(Object.fromEntries(given)).toMatchObject({ workers: 3, bind: [{ port: 1 }, { port: 2 }] });
    expect(given.size).toBe(2);
    expect(() => readEnvironment({ TSGI_TIMEOUT: "x" })).toThrow(
      'TSGI_TIMEOUT (environment): expected seconds from 0, got "x"',
    );
  });

  it.each([
    ["TSGI_WOKERS", "TSGI_WOKERS (did you mean TSGI_WORKERS?)"],
    ["TSGI_ACCESS_LOG_FILE", "TSGI_ACCESS_LOG_FILE (did you mean TSGI_ACCESS_LOGFILE?)"],
    ["TSGI_workers", "TSGI_workers"],
    ["TSGI_SOMETHING_ELSE", "TSGI_SOMETHING_ELSE"],
    ["TSGI_ON_EXIT", "TSGI_ON_EXIT"], // only a program can give it
    ["TSGI_PRINT_CONFIG", "TSGI_PRINT_CONFIG"], // only the command line can
  ])("14.28 %s is refused, with what may have been meant", (name, got) => {
    expect(() => readEnvironment({ [name]: "1" })).toThrow(
      `environment: expected in TSGI_* the name of a setting that a variable can give (docs/settings.md has them), got ${got}`,
    );
  });

  it("PORT and WEB_CONCURRENCY change the defaults", () => {
    expect(Object.fromEntries(readPlatform({ PORT: "5000", WEB_CONCURRENCY: "3" }))).toEqual({
      bind: [{ kind: "tcp", host: "0.0.0.0", port: 5000 }],
      workers: 3,
    });
    expect(() => readPlatform({ PORT: "http" })).toThrow(/^PORT \(environment\): expected a whole number/);
    expect(() => readPlatform({ WEB_CONCURRENCY: "0" })).toThrow(/^WEB_CONCURRENCY \(environment\)/);
  });
});

describe("addresses", () => {
  it.each([
    ["127.0.0.1:80", { kind: "tcp", host: "127.0.0.1", port: 80 }],
    ["localhost", { kind: "tcp", host: "localhost", port: 8000 }],
    [":80", { kind: "tcp", host: "0.0.0.0", port: 80 }],
    ["[::1]:80", { kind: "tcp", host: "::1", port: 80 }],
    ["[::]", { kind: "tcp", host: "::", port: 8000 }],
    ["unix:a.sock", { kind: "unix", path: "a.sock" }],
    ["unix:///run/a", { kind: "unix", path: "/run/a" }],
    ["fd://3", { kind: "fd", fd: 3 }],
  ])("%s", (text, bind) => expect(parseBind(text)).toEqual(bind));
  it.each([
    "",
    "8000",
    "a:b",
    "::1",
    "1:2:3",
    ":70000",
    "unix:",
    "fd://x",
    "a b:1",
    "a\0:1",
    "a\x1b:1",
    "unix:/a\0",
    "unix:/a\x7f",
  ])("%j is none", (text) => {
    expect(parseBind(text)).toBeUndefined();
  });
});

describe("14.8 --script-name is refused where the option scriptName is", () => {
  const { kind } = settingOf("scriptName");
  it.each(["/a\n", "/a\0", "/a\r\nb", "/a\x7f", "/\u2713", "/", "/a/"])("%j", (text) => {
    expect([kind.parse(text), kind.check(text)]).toEqual([undefined, undefined]);
  });
  it.each(["", "/a", "/a/b"])("%j is taken", (text) => expect(kind.parse(text)).toBe(text));
});

const CONFIG = "tsgi.config.ts";

describe.concurrent.each(runtimes)("%s", (runtime) => {
  it("defaults < configuration file < environment < command line", async () => {
    const files = {
      [CONFIG]: "export default { workers: 2, timeout: 2, keepAlive: 2, drainIdle: 2, onExit() {}, bind: ':2' };",
    };
    const env = { TSGI_TIMEOUT: "3", TSGI_DRAIN_IDLE: "3", WEB_CONCURRENCY: "9", PORT: "99" };
    const { code, out } = await ended(runtime, { args: ["--print-config", "--drain-idle", "4", "a"], files, env });
    expect(code).toBe(0);
    expect(printed(out)).toMatchObject({
      bind: "0.0.0.0:2",
      drainIdle: "4",
      keepAlive: "2",
      onExit: "a function",
      timeout: "3",
      workers: "2",
      writeTimeout: "60",
      wsgiApp: "a",
    });
  });

  it.each<[string, Record<string, string>, string[], RegExp]>([
    [
      "a name that no setting has",
      { [CONFIG]: "export default { wokers: 2 };" },
      [],
      /: expected the name of a .*wokers/,
    ],
    [
      "14.23 an atom that there is not",
      { [CONFIG]: "export default { accessLogformat: '%(h)s %(zz)s' };" },
      [],
      /accessLogformat: expected text with atoms .*, got "%\(h\)s %\(zz\)s", where "%\(zz\)s" is no atom/,
    ],
    ["a bad value", { [CONFIG]: "export default { workers: -1 };" }, [], /workers: expected .*, got number -1/],
    ["no object", { [CONFIG]: "export default 7;" }, [], /expected an object of settings .*, got number 7/],
    ["a syntax error", { [CONFIG]: "export default {" }, [], /tsgi\.config\.ts: /],
    ["a file that is not there", {}, ["-c", "other.ts"], /other\.ts: there is no such file/],
    ["no application", {}, [], /expected an application, MODULE\[:NAME\], got none/],
    ["a bad option", {}, ["-w", "x"], /-w: expected a whole number from 1 to 1024, or auto, got "x"/],
    ["no such directory", {}, ["--chdir", "nowhere", "a"], /--chdir: expected a directory, got "nowhere"/],
    [
      "a log that cannot be written",
      {},
      ["--error-logfile", "no/where", "a"],
      /--error-logfile: expected a file that can be w/,
    ],
    ["no such user", {}, ["--user", "nobody-here", "a"], /--user: expected a user of this system, got "nobody-here"/],
  ])("%s: exit status 2, and what was expected", async (_what, files, args, message) => {
    const { code, err } = await ended(runtime, { args, files });
    expect(err).toMatch(message);
    expect(err).toMatch(/^tsgi: /);
    expect(code).toBe(2);
  });

  it("14.28 a variable TSGI_* that there is not: exit status 2, and its name", async () => {
    const { code, err } = await ended(runtime, { args: ["a"], env: { TSGI_TIMEOUTS: "3" } });
    expect(err).toMatch(/^tsgi: environment: expected .*, got TSGI_TIMEOUTS \(did you mean TSGI_TIMEOUT\?\)\n$/);
    expect(code).toBe(2);
  });

  it("an address that cannot be had: exit status 1", async () => {
    const files = { "app.ts": "export const app = () => [];" };
    const { code, err } = await ended(runtime, { args: ["-b", "192.0.2.1:80", "app"], files });
    expect(err).toMatch(
      /^tsgi: Cannot listen on 192\.0\.2\.1:80: the address (does not belong to this|is not valid).*\n$/,
    );
    expect(code).toBe(1);
  });

  it("--help and --version", async () => {
    expect(await ended(runtime, { args: ["--help"] })).toMatchObject({ code: 0, out: helpText(), err: "" });
    expect((await ended(runtime, { args: ["-v"] })).out).toMatch(new RegExp(`^tsgi \\d+\\.\\d+\\.\\d+ \\(${runtime} `));
  });
});
