/**
 * `tsgi dev`: the page of an error, for browsers and for curl, and who gets it; the list of requests; the settings.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessLine } from "../../cli/dev/access_line.ts";
import { reportOf } from "../../cli/dev/error_report.ts";
import { isLocal } from "../../cli/dev/local.ts";
import { Chromium } from "../clients/chromium.ts";
import { Command, ended, projectPath, runtimes, until, withCommand } from "./command.ts";

const APP = `import { find } from "./lib.ts";
import { HttpError } from "${projectPath("http/mod.ts")}";
import { errorPage } from "${projectPath("middleware/mod.ts")}";

const wrapped = errorPage()(({ PATH_INFO }) => {
  if (PATH_INFO === "/wrapped/missing") throw new HttpError(404, "No such page");
  return find("wrapped") as never;
});

export function app(environ: Record<string, unknown>, start: (status: string, headers: [string, string][]) => void): unknown {
  if (String(environ.PATH_INFO).startsWith("/wrapped")) return wrapped(environ as never, start as never);
  switch (environ.PATH_INFO) {
    case "/throws":
      return find("<script>document.title = 'broken in'</script>");
    case "/rejects":
      return Promise.reject(new Error("rejected", { cause: new TypeError("the cause of it") }));
    case "/later":
      start("200 OK", [["Content-Type", "text/plain"], ["Content-Length", "3"]]);
      return (function* () { yield find("late"); })();
    case "/async":
      start("200 OK", []);
      return (async function* () { await 0; yield find("much later"); })();
    case "/forgets":
      return undefined;
    case "/begun":
      start("200 OK", []);
      return (function* () { yield "begun"; find("nothing"); })();
    case "/no-error":
      throw "a string";
  }
  start("200 OK", [["Content-Type", "text/html"]]);
  return ["<title>fine</title>"];
}
`;
const LIB = `/** Finds. */
export function find(name: string): string {
  throw new RangeError("there is no " + name); // this line
}
`;
const FILES = { "app.ts": APP, "lib.ts": LIB };

/** Requests that fail, and what the answer says. */
const FAILURES: readonly (readonly [path: string, ...texts: readonly string[]])[] = [
  ["/throws", "RangeError", "there is no", "lib.ts:3:"],
  ["/rejects", "rejected", "the cause of it", "app.ts:16:"],
  ["/later", "there is no late", "lib.ts:3:"],
  ["/async", "there is no much later", "lib.ts:3:"],
  ["/forgets", "The application app returned undefined"],
  ["/wrapped", "there is no wrapped", "lib.ts:3:"],
  ["/no-error", "Thrown value that is no Error", "a string"],
];

const HTML = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

describe.each(runtimes)("19 tsgi dev, %s", (runtime) => {
  let command: Command;
  let chromium: Chromium;
  const url = (path: string): string => `http://127.0.0.1:${command.port}${path}`;
  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> => fetch(url(path), { headers });

  beforeAll(async () => {
    [command, chromium] = await Promise.all([
      Command.serving(runtime, {
        files: FILES,
        args: ["dev", "-b", "127.0.0.1:0", "app.ts"],
        env: { FORCE_COLOR: "1" },
      }),
      Chromium.start(),
    ]);
  });

  afterAll(async () => {
    await chromium?.stop();
    await command?.stop();
  });

  it.each(FAILURES)("19 %s is answered with the error, as a page and as text", async (path, ...texts) => {
    const page = await get(path, HTML);
    expect(page.status).toBe(500);
    expect(page.headers.get("Content-Type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("Cache-Control")).toBe("no-store");
    const html = await page.text();
    const text = await (await get(path)).text();
    for (const part of texts) {
      expect(html.replaceAll("&#39;", "'")).toContain(part);
      expect(text).toContain(part);
    }
    expect(html).not.toContain("<script>document");
    expect(text.startsWith(`GET ${path}\n\n`)).toBe(true);
    expect(await (await fetch(url(path), { method: "HEAD" })).text()).toBe("");
  });

  it("19 shows the source line, the request and the environ", async () => {
    const html = await (await get("/throws?a=%3Cb%3E", { ...HTML, "X-Own": "<i>" })).text();
    expect(html).toMatch(/<mark>.*this line<\/mark>/);
    expect(html).toContain('<th scope="row">x-own</th><td>&lt;i&gt;</td>');
    expect(html).toContain('<th scope="row">QUERY_STRING</th><td>a=%3Cb%3E</td>');
    expect(html).toMatch(/<details open><summary><code class="call">find<\/code>/);
    expect(html).toMatch(/\d+ calls? in packages, tsgi and the runtime/);
  });

  it("19 leaves a response alone that has begun, and one that is fine", async () => {
    expect(await (await get("/", HTML)).text()).toBe("<title>fine</title>");
    await expect(get("/begun", HTML).then((response) => response.text())).rejects.toThrow();
  });

  it("19.42 errorPage answers what is no 500, and a page that calls this machine evil.example", async () => {
    const missing = await get("/wrapped/missing");
    expect([missing.status, await missing.text()]).toEqual([404, "404 Not Found\nNo such page\n"]);
    const answer = await raw(command.port, "GET /wrapped HTTP/1.1\r\nHost: evil.example\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 500 [^]*\r\n\r\n500 Internal Server Error\n$/);
  });

  it.each(["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1"])(
    "19 shows nothing to a page that calls this machine %s",
    async (host) => {
      const answer = await raw(command.port, `GET /throws HTTP/1.1\r\nHost: ${host}\r\nAccept: text/html\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 500 /);
      expect(answer).not.toContain("RangeError");
    },
  );

  it.each(["localhost", "localhost:81", "site.localhost", "127.0.0.1", "[::1]:8000"])(
    "19 shows it at %s",
    async (host) => {
      const answer = await raw(command.port, `GET /throws HTTP/1.1\r\nHost: ${host}\r\n`);
      expect(answer).toContain("RangeError");
    },
  );

  it("19 lists requests in colours, and not those of the page itself", async () => {
    await get("/listed?\x1b[31m");
    await until("the line", () => command.out.includes("/listed"));
    const line = command.out.split("\n").find((one) => one.includes("/listed"));
    const [time, status, rest] = (line ?? "").split("\x1b[0m ");
    expect(time).toMatch(/^.\[2m\d\d:\d\d:\d\d$/);
    expect(status).toBe("\x1b[32m200");
    expect(rest).toMatch(/^GET \/listed\?%1B\[31m .\[2m[\d.]+ ms 19 B/);
    expect(command.out).not.toContain(".well-known");
  });

  it("19 in a browser, the script of the page loads it anew when the code has changed", async () => {
    for (const [width, height] of [[390, 844], [1280, 900]]) {
      await chromium.command("Emulation.setDeviceMetricsOverride", {
        ...{ width, height, deviceScaleFactor: 1 },
        mobile: width === 390,
      });
      await chromium.command("Page.navigate", { url: url("/throws") });
      await expect.poll(() => chromium.evaluate("document.title"), { timeout: 15_000 }).toMatch(
        /^RangeError: there is no/,
      );
      const overflows = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
      expect(await chromium.evaluate(overflows)).toBe(false);
      expect(await chromium.evaluate("document.querySelector('details[open] mark').textContent")).toContain(
        "this line",
      );
    }
    command.write("lib.ts", LIB.replace("there is no", "there is never"));
    const heading = "document.querySelector('h1')?.textContent ?? ''";
    await expect.poll(() => chromium.evaluate(heading), { timeout: 30_000 }).toContain("there is never");
    command.write("lib.ts", 'export const find = (): string[] => { throw new Error("by POST"); };');
    await expect.poll(() => chromium.evaluate(heading), { timeout: 30_000 }).toContain("by POST");

    await chromium.command("Page.navigate", { url: url("/") });
    await expect.poll(() => chromium.evaluate("document.title"), { timeout: 15_000 }).toBe("fine");
    const form = "<form method=post action=/throws></form>";
    await chromium.evaluate(`document.body.innerHTML = ${JSON.stringify(form)}; document.forms[0].submit()`);
    await expect.poll(() => chromium.evaluate("document.body.dataset.reload"), { timeout: 15_000 }).toBe("no");
    command.write("lib.ts", 'export const find = (): string[] => ["fixed"];');
    const note = "document.getElementById('changed').textContent";
    await expect.poll(() => chromium.evaluate(note), { timeout: 30_000 }).toMatch(/Send the form again/);
  });
});

/** What the server sends to a request over a connection of its own. */
function raw(port: number, head: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`${head}Connection: close\r\n\r\n`));
    let text = "";
    socket.setEncoding("latin1").on("data", (part) => text += part).on("end", () => resolve(text)).on("error", reject);
  });
}

describe("19 the settings of tsgi dev", () => {
  const preset = async (...args: string[]): Promise<string> =>
    (await ended("node", { args: [...args, "--print-config"], env: { PORT: "8080" } })).out;

  it("19 are those of development, whatever the environment says for production", async () => {
    const out = await preset("dev", "app.ts");
    for (const line of ["reload = true", "workers = 1", "accessLogfile = -", "timeout = 0"]) {
      expect(out).toContain(line);
    }
    expect(out).toContain("127.0.0.1:8080");
    expect(await preset("app.ts")).toContain("0.0.0.0:8080");
    expect(await preset("dev", "app.ts", "-w", "3")).toContain("workers = 3");
  });

  it.each(["0.0.0.0:0", "192.0.2.1:0", "[::]:0"])("19 refuse %s without a second flag", async (bind) => {
    const { code, err } = await ended("node", { args: ["dev", "app.ts", "-b", bind], files: FILES });
    expect(code).toBe(2);
    expect(err).toContain(`tsgi: --bind: expected an address of this machine alone`);
    expect(err).toContain("--debug-remote");
  });

  it("19 --debug-remote shows the page to others; without --dev there is none", async () => {
    const head = "GET /throws HTTP/1.1\r\nHost: evil.example\r\n";
    await withCommand(
      "node",
      { files: FILES, args: ["dev", "-b", "127.0.0.1:0", "app.ts", "--debug-remote"] },
      async (command) => {
        expect(await raw(command.port, head)).toContain("RangeError");
      },
    );
    await withCommand("node", { files: FILES, args: ["app.ts"] }, async (command) => {
      expect(await raw(command.port, "GET /throws HTTP/1.1\r\nHost: localhost\r\n")).not.toContain("RangeError");
      expect(command.log).toContain("RangeError");
    });
  });
});

it.each<[string, Record<string, unknown>, boolean]>([
  ["a browser here", {}, true],
  ["a Unix socket", { REMOTE_ADDR: undefined }, true],
  ["another machine", { REMOTE_ADDR: "192.0.2.7" }, false],
  ["a proxy that adds X-Forwarded-For", { HTTP_X_FORWARDED_FOR: "192.0.2.7" }, false],
  ["a tunnel that adds Via", { HTTP_VIA: "1.1 tunnel" }, false],
  ["a trusted proxy that hides the client", { "tsgi.peer": {}, REMOTE_ADDR: undefined }, false],
  ["a trusted proxy with a client here", { "tsgi.peer": {}, HTTP_X_FORWARDED_FOR: "127.0.0.1" }, true],
])("19 the page of an error for %s", (_name, more, shown) => {
  expect(isLocal({ REMOTE_ADDR: "127.0.0.1", HTTP_HOST: "localhost:8000", ...more } as never)).toBe(shown);
});

describe("19 the report of an error", () => {
  it("19 leads from compiled code to its source by a source map, in a file or inline", async () => {
    const source = [
      "interface Unused {",
      "  a: 1;",
      "}",
      "export function f(): void {",
      "  throw new Error('x');",
      "}",
    ];
    for (const kind of ["--sourceMap", "--inlineSourceMap"]) {
      const folder = mkdtempSync(join(tmpdir(), "tsgi-dev-"));
      writeFileSync(join(folder, "made.ts"), source.join("\n"));
      const flags = ["--ignoreConfig", "--target", "es2022", "--module", "es2022", kind, "made.ts"];
      const tsc = projectPath("node_modules/typescript/bin/tsc");
      const { stdout, status } = spawnSync(process.execPath, [tsc, ...flags], { cwd: folder });
      expect(status, String(stdout)).toBe(0);
      writeFileSync(join(folder, "package.json"), '{"type":"module"}');
      const { f } = await import(pathToFileURL(join(folder, "made.js")).href) as { f(): void };
      let error: unknown;
      try {
        f();
      } catch (thrown) {
        error = thrown;
      }
      const [frame] = reportOf(error)[0]?.frames ?? [];
      expect(frame?.file).toBe(join(folder, "made.ts"));
      expect(frame?.line).toBe(5);
      expect(frame?.source?.lines).toEqual(source);
      rmSync(folder, { recursive: true });
    }
  });

  it("19 takes no text of a message for a frame, and opens no file that is not regular", () => {
    const folder = mkdtempSync(join(tmpdir(), "tsgi-dev-"));
    const fifo = join(folder, "fifo");
    spawnSync("mkfifo", [fifo]);
    const fake = `bad: \n    at x (${fifo}:1:1)\n    at y (/dev/zero:1:1)\n    at /etc/passwd:1:1`;
    const [error] = reportOf(new Error(fake));
    expect(error?.frames[0]?.file).toMatch(/dev\.test\.ts$/);
    const changed = Object.assign(new Error(fake), { message: "changed" });
    const files = reportOf(changed)[0]?.frames.filter(({ source }) => source !== undefined).map(({ file }) => file);
    expect(files?.filter((file) => file === fifo || file === "/dev/zero")).toEqual([]);
    const long = Object.assign(new Error("long"), { stack: `Error: long\n at ${"a (".repeat(100_000)}` });
    const before = performance.now();
    expect(reportOf(long)[0]?.frames).toEqual([]);
    expect(performance.now() - before).toBeLessThan(1000);
    rmSync(folder, { recursive: true });
  });

  it("19 shows what can be read of an error", () => {
    const thrower = {
      get: (): never => {
        throw new Error("no");
      },
    };
    for (const key of ["name", "message", "stack", "cause"]) {
      const [error] = reportOf(Object.defineProperty(new Error("readable"), key, thrower));
      expect(error).toBeDefined();
    }
    const { proxy, revoke } = Proxy.revocable(new Error("gone"), {});
    revoke();
    expect(reportOf(proxy)).toHaveLength(1);
    const odd = Object.assign(new Error("odd"), {
      stack: "Error: odd\n    at f (file://elsewhere/x.js:1:2)\n    at g (/x.js:1:2)",
    });
    expect(reportOf(odd)[0]?.frames.map(({ call }) => call)).toEqual(["g"]);
  });

  it("19 ends, for causes in a circle and for whatever was thrown", () => {
    const one: Error & { cause?: unknown } = new Error("one");
    one.cause = new Error("two", { cause: one });
    expect(reportOf(one).map(({ message }) => message)).toEqual(["one", "two"]);
    expect(reportOf(undefined)[0]?.message).toBe("undefined");
    expect(reportOf(Object.create(null))).toHaveLength(1);
    expect(reportOf(Object.assign(new Error("no stack"), { stack: 7 }))[0]?.frames).toEqual([]);
  });
});

it("19 a line of the access log has no colours where nobody sees them", () => {
  const environ = { REQUEST_METHOD: "GET", REQUEST_URI: "/\x1b[2J\n" };
  const record = { environ, status: 200, headers: [], bytes: 1_234_567, duration: 1234, complete: false };
  expect(accessLine(false)(record as never)).toMatch(
    /^\d\d:\d\d:\d\d 200 GET \/\\x1b\[2J\\x0a 1\.23 s 1\.2 MB incomplete$/,
  );
});
