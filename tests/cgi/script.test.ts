/**
 * CGI scripts as a web server runs them: a process for each request, on each runtime (RFC 3875; rules C01 to C14).
 */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { runCommand, type Runtime } from "../server_process.ts";

interface Run {
  /** Environment variables beside those of every request; latin-1 is sent as UTF-8 unless `octets` has it. */
  readonly env?: Readonly<Record<string, string>>;
  /** Variables whose value is octets that are no UTF-8, for `printf`: `"\\377"`. */
  readonly octets?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Whether standard input stays open behind the body, as a web server may leave it. */
  readonly open?: boolean;
  readonly args?: readonly string[];
  /** Whether the shell that starts it stays between: its parent, which can be killed. */
  readonly parent?: boolean;
}

interface Outcome {
  readonly output: string;
  readonly errors: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const REQUEST = {
  GATEWAY_INTERFACE: "CGI/1.1",
  REQUEST_METHOD: "GET",
  SCRIPT_NAME: "/cgi-bin/script",
  QUERY_STRING: "",
  SERVER_NAME: "www.test",
  SERVER_PORT: "80",
  SERVER_PROTOCOL: "HTTP/1.1",
  SERVER_SOFTWARE: "Apache/2.4",
  REMOTE_ADDR: "192.0.2.7",
};

function start(
  runtime: Runtime,
  { env = {}, octets = {}, body = "", open = false, args = [], parent = false }: Run,
): ChildProcessWithoutNullStreams {
  const { binary, args: own } = runCommand(runtime, "tests/cgi/programs/script.ts", ["-A"]);
  const sets = Object.entries(octets).map(([name, value]) => `export ${name}="$(printf '${value}')"; `).join("");
  const child = spawn("sh", ["-c", parent ? '"$0" "$@"; exit' : `${sets}exec "$0" "$@"`, binary, ...own, ...args], {
    env: {
      PATH: process.env.PATH,
      DENO_DIR: process.env.DENO_DIR,
      HOME: process.env.HOME,
      SECRET: "hidden",
      ...REQUEST,
      ...env,
    },
  });
  child.stdin.on("error", () => {}); // it may end without reading
  if (open) child.stdin.write(body);
  else child.stdin.end(body);
  return child;
}

async function ended(child: ChildProcessWithoutNullStreams): Promise<Outcome> {
  const exit = new Promise<Pick<Outcome, "code" | "signal">>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal }))
  );
  const [output, errors, how] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { output, errors, ...how };
}

describe.concurrent.each(["node", "deno", "bun"] as const)("%s", (runtime) => {
  const run = (options: Run): Promise<Outcome> => ended(start(runtime, options));
  const environOf = async (options: Run): Promise<Record<string, unknown>> => {
    const { output, errors, code } = await run(options);
    expect([errors, code]).toEqual(["to wsgi.errors\n", 0]);
    return JSON.parse(output.slice(output.indexOf("\r\n\r\n") + 4));
  };

  it("C01 C11 the request becomes an environ; the rest of the environment does not, nor does HTTP_PROXY", async () => {
    const environ = await environOf({
      env: {
        PATH_INFO: "/a",
        HTTP_HOST: "www.test",
        HTTP_PROXY: "http://evil.test",
        HTTP_X_A: "1",
        AUTH_TYPE: "Basic",
      },
    });
    expect(environ).toMatchObject({
      ...REQUEST,
      PATH_INFO: "/a",
      HTTP_HOST: "www.test",
      HTTP_X_A: "1",
      AUTH_TYPE: "Basic",
      REQUEST_URI: "/cgi-bin/script/a",
      "wsgi.run_once": true,
      "wsgi.multiprocess": true,
      "wsgi.multithread": false,
      "wsgi.url_scheme": "http",
    });
    for (const name of ["SECRET", "PATH", "HOME", "HTTP_PROXY", "CONTENT_LENGTH", "CONTENT_TYPE"]) {
      expect(environ).not.toHaveProperty(name);
    }
  });

  it("C02 without PATH_INFO it is empty; C13 arguments are ignored", async () => {
    expect(await environOf({ args: ["a", "b=c"] })).toMatchObject({ SCRIPT_NAME: "/cgi-bin/script", PATH_INFO: "" });
  });

  it("C03 octets that are no UTF-8 arrive as they were sent, and so do those that are", async () => {
    const environ = await environOf({
      octets: { PATH_INFO: "/w\\303\\266/\\377/\\200a", QUERY_STRING: "\\300" },
      env: { HTTP_X: "ö" },
    });
    expect([environ.PATH_INFO, environ.QUERY_STRING, environ.HTTP_X]).toEqual([
      "/w\xc3\xb6/\xff/\x80a",
      "\xc0",
      "\xc3\xb6",
    ]);
  });

  it("C04 exactly CONTENT_LENGTH octets are read, though standard input stays open", async () => {
    const body = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
    const sum = body.reduce((total, octet) => (total + octet) % 65521, 0);
    const env = { PATH_INFO: "/echo", REQUEST_METHOD: "POST", CONTENT_LENGTH: "200000" };
    for (const open of [false, true]) {
      const { output, code } = await run({ env, body, open });
      expect([output, code]).toEqual([
        `Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${`200000 ${sum}`.length}\r\n\r\n200000 ${sum}`,
        0,
      ]);
    }
  });

  it("C04 no CONTENT_LENGTH is no body; a wrong one is 400; a body that ends early is 400", async () => {
    const env = { PATH_INFO: "/echo", REQUEST_METHOD: "POST" };
    expect((await run({ env, body: "surplus", open: true })).output).toMatch(/\r\n\r\n0 0$/);
    const wrong = await run({ env: { ...env, CONTENT_LENGTH: "1x" } });
    expect([wrong.output.split("\r\n")[0], wrong.code]).toEqual(["Status: 400 Bad Request", 1]);
    expect(wrong.errors).toMatch(/^tsgi: refused a request from client: 400 Bad Request: CONTENT_LENGTH .*\n$/);
    const early = await run({ env: { ...env, CONTENT_LENGTH: "10" }, body: "half" });
    expect([early.output.split("\r\n")[0], early.code]).toEqual(["Status: 400 Bad Request", 1]);
  });

  it("C05 C11 5 MiB of output are all there when the process has ended", async () => {
    const { output, code } = await run({ env: { PATH_INFO: "/large" } });
    expect([output.length - output.indexOf("\r\n\r\n") - 4, code]).toEqual([80 * 65_536, 0]);
  });

  it("C09 a script called nph-... answers with HTTP", async () => {
    const { output } = await run({ env: { SCRIPT_NAME: "/cgi-bin/nph-script" } });
    expect(output).toMatch(
      /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/plain\r\nContent-Length: \d+\r\nDate: .*\r\nConnection: close\r\n\r\n\{/,
    );
  });

  it("C11 a failure before the head is 500, one behind it leaves the output short; both say why and exit with 1", async () => {
    const early = await run({ env: { PATH_INFO: "/fails" } });
    expect([early.output.split("\r\n")[0], early.code]).toEqual(["Status: 500 Internal Server Error", 1]);
    expect(early.errors).toContain("Error: before the head");
    expect(early.output).not.toContain("before the head");
    const late = await run({ env: { PATH_INFO: "/fails/late" } });
    expect([late.output, late.code]).toEqual(["Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nbegun", 1]);
    expect(late.errors).toContain("Error: after the head");
  });

  it("C11 what the application leaves open does not keep the process; close() is waited for", async () => {
    expect(await run({ env: { PATH_INFO: "/open" } })).toMatchObject({ code: 0, errors: "" });
    expect(await run({ env: { PATH_INFO: "/close" } })).toMatchObject({ code: 0, errors: "closed\n" });
  });

  it("14.26 the console writes to standard error, all of it", async () => {
    const { output, errors, code } = await run({ env: { PATH_INFO: "/console" } });
    expect(output).toBe("Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody");
    expect(code).toBe(0);
    const methods = ["log", "info", "debug", "dir", "dirxml", "trace", "warn", "error"].map((name) => `by ${name}`);
    for (
      const text of [...methods, "formatted and { key: 1 }", "column", "cell", "counted: 1", "grouped", "collapsed"]
    ) {
      expect(errors).toContain(text);
    }
    for (const text of ["within", "timed: ", "asserted"]) expect(errors).toContain(text);
  });

  it.each([["a pipe", "2> >(sleep 0.2; cat >&4)"], ["a socket", "2>&4"]])(
    "14.26 300 KB on standard error, %s, are all there when the process has ended",
    async (_what, redirection) => {
      const { binary, args } = runCommand(runtime, "tests/cgi/programs/script.ts", ["-A"]);
      const env = { ...process.env, ...REQUEST, PATH_INFO: "/errors", QUERY_STRING: "150000" };
      // The shell waits for the reader of the pipe too.
      const child = spawn("bash", ["-c", `"$0" "$@" ${redirection}; code=$?; wait $!; exit $code`, binary, ...args], {
        stdio: ["ignore", "pipe", "ignore", "ignore", "pipe"],
        env,
      });
      const code = new Promise((resolve) => child.once("close", resolve));
      const [output, errors] = await Promise.all([text(child.stdout as Readable), text(child.stdio[4] as Readable)]);
      expect(output).toMatch(/body$/);
      expect([errors.match(/e/g)?.length, errors.match(/c/g)?.length]).toEqual([150_000 + 2, 150_000]);
      expect(await code).toBe(0);
    },
  );

  it("16.1 a script waits for the promises of waitUntil", async () => {
    const outcome = await run({ env: { PATH_INFO: "/behind" } });
    expect(outcome).toMatchObject({ code: 0, errors: "behind\n", output: expect.stringMatching(/before$/) });
  });

  it("C12 HEAD has no body", async () => {
    const { output } = await run({ env: { PATH_INFO: "/large", REQUEST_METHOD: "HEAD" } });
    expect(output).toBe(`Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${80 * 65_536}\r\n\r\n`);
  });

  it("C14 SIGTERM: the signal fires, the body is closed, the process ends with 143", async () => {
    const child = start(runtime, { env: { PATH_INFO: "/stream" } });
    const outcome = ended(child);
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGTERM");
    expect(await outcome).toMatchObject({ code: 143, signal: null, errors: "finally, aborted\n" });
  });

  it("C14 SIGTERM while the application runs for the first time: the same", async () => {
    const outcome = await run({ env: { PATH_INFO: "/terminated" } });
    expect(outcome).toMatchObject({ code: 143, signal: null, errors: "finally, aborted\n" });
  });

  it("C14 a web server that dies: the script that waits and writes nothing ends too", async () => {
    const child = start(runtime, { env: { PATH_INFO: "/stream" }, parent: true });
    const outcome = ended(child);
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL"); // the shell; the streams end with the script
    expect(await outcome).toMatchObject({ signal: "SIGKILL", errors: "finally, aborted\n" });
  });

  it("C14 a web server that reads no more: the script ends, its body closed", async () => {
    const child = start(runtime, { env: { PATH_INFO: "/large" } });
    const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.stdout.once("data", () => child.stdout.destroy());
    expect(await exit).toBe(1);
  });
}, 60_000);
