/**
 * curl against the examples, on each runtime.
 *
 * curl is strict where it matters: it fails on a body that is too short, on bytes after a HEAD response when the
 * connection is used again, and it says how many connections it opened. `%{num_connects}` is 0 for a URL that went
 * over a connection already open; a server that closes, or frames a response wrongly, makes it 1.
 *
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Example, runtimes } from "./example.ts";
import { type Ran, run, testWith } from "./tool.ts";

/** What examples/echo.ts answers. */
interface Echo {
  readonly method: string;
  readonly path_info: string;
  readonly query_string: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const UPLOAD = 20 * 1024 * 1024; // bytes

/** curl without the user's configuration and without a proxy. It must succeed. */
async function curl(args: readonly string[], input: AsyncIterable<Uint8Array> | readonly string[] = []): Promise<Ran> {
  const ran = await run("curl", ["-q", "--noproxy", "*", "-sS", ...args], input);
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  return ran;
}

/** The line that examples/upload.ts answers for a body. */
function digestLine(body: Uint8Array): string {
  return `${createHash("sha256").update(body).digest("hex")}  ${body.length} bytes\n`;
}

async function temporaryFile(body: Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tsgi-curl-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "body");
  await writeFile(path, body);
  return path;
}

describe.each(runtimes)("curl, %s", (runtime) => {
  let hello: Example;
  let echo: Example;
  let upload: Example;
  const started: Example[] = [];

  beforeAll(async () => {
    const start = async (name: Example["name"]): Promise<Example> => {
      const example = await Example.start(name, runtime);
      started.push(example);
      return example;
    };
    [hello, echo, upload] = await Promise.all([start("serve"), start("echo"), start("upload")]);
  });

  afterAll(async () => {
    await Promise.all(started.map((example) => example.stop()));
  });

  testWith("curl", "HTTP/1.0: the answer, then the end of the connection", async () => {
    const { stdout, stderr } = await curl(["-0", "-v", hello.url("/one")]);
    expect(stdout).toBe("Hello from /one\n");
    expect(stderr).toMatch(/^> GET \/one HTTP\/1\.0\r?$/m);
    expect(stderr).toMatch(/^< HTTP\/1\.1 200 OK\r?$/m);
    expect(stderr).toMatch(/Closing connection/);
  });

  testWith("curl", "HTTP/1.0: an upload with Content-Length", async () => {
    const { stdout } = await curl(["-0", "--data-binary", "old times", echo.url()]);
    expect(JSON.parse(stdout)).toMatchObject({ method: "POST", body: "old times" });
  });

  testWith("curl", "HTTP/1.1: two URLs over one connection", async () => {
    const { stdout, stderr } = await curl(["-v", "-w", "%{num_connects}\n", hello.url("/one"), hello.url("/two")]);
    expect(stdout).toBe("Hello from /one\n1\nHello from /two\n0\n");
    expect(stderr).toMatch(/Re-using existing/);
  });

  testWith("curl", "a chunked upload", async () => {
    const { stdout } = await curl(["-H", "Transfer-Encoding: chunked", "-T", "-", echo.url()], ["hello, ", "chunks"]);
    const seen = JSON.parse(stdout) as Echo;
    expect(seen).toMatchObject({ method: "PUT", body: "hello, chunks" });
    expect(Object.keys(seen.headers)).not.toContain("transfer-encoding");
    expect(Object.keys(seen.headers)).not.toContain("content-length");
  });

  testWith("curl", "Expect: 100-continue is answered before the body is sent", async () => {
    const { stdout, stderr } = await curl([
      ...["-H", "Expect: 100-continue", "--expect100-timeout", "20"],
      ...["--max-time", "15", "--trace-ascii", "%", "--data-binary", "after you", echo.url()],
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ method: "POST", body: "after you" });
    const events = [...stderr.matchAll(/^(?:=> Send (?:header|data)|\w+: HTTP\/1\.1 [0-9]+ .*)/gm)].map(([text]) =>
      text
    );
    expect(events).toEqual([
      "=> Send header",
      "0000: HTTP/1.1 100 Continue",
      "=> Send data",
      "0000: HTTP/1.1 200 OK",
    ]);
  });

  testWith("curl", "HEAD: the head of GET, no body, and the connection goes on", async () => {
    const { stdout } = await curl(["-I", "-w", "%{num_connects} %{size_download}\n", hello.url("/1"), hello.url("/2")]);
    const [first = "", second = ""] = stdout.split(/(?<=^1 0\n)/m);
    for (const head of [first, second]) {
      expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(head).toMatch(/^Content-Length: 14\r$/m); // "Hello from /1\n"
      expect(head).toMatch(/^Content-Type: text\/plain; charset=utf-8\r$/m);
      expect(head).not.toContain("Hello");
    }
    expect(second).toMatch(/\r\n\r\n0 0\n$/);
  });

  testWith("curl", "20 MiB uploaded with Content-Length", async () => {
    const body = randomBytes(UPLOAD);
    const { stdout } = await curl(["-T", await temporaryFile(body), upload.url("/big")]);
    expect(stdout).toBe(digestLine(body));
  });

  testWith("curl", "20 MiB uploaded in chunks", async () => {
    const body = randomBytes(UPLOAD);
    const { stdout } = await curl([
      ...["-H", "Transfer-Encoding: chunked", "-T", await temporaryFile(body), upload.url("/big")],
    ]);
    expect(stdout).toBe(digestLine(body));
  });

  testWith("curl", "OPTIONS *", async () => {
    const { stdout, stderr } = await curl(["-v", "-X", "OPTIONS", "--request-target", "*", echo.url()]);
    expect(stderr).toMatch(/^> OPTIONS \* HTTP\/1\.1\r?$/m);
    expect(JSON.parse(stdout)).toMatchObject({ method: "OPTIONS", path_info: "/", query_string: "", body: "" });
  });

  testWith("curl", "a percent-encoded path", async () => {
    const { stdout } = await curl([echo.url("/caf%C3%A9/a%20b%2Fc%25?x=%20y&z")]);
    // One character a byte, as in every environ; the query stays as it was sent.
    expect(JSON.parse(stdout)).toMatchObject({ path_info: "/caf\u00C3\u00A9/a b/c%", query_string: "x=%20y&z" });
  });

  testWith("curl", "a slow upload with Content-Length", async () => {
    const body = randomBytes(100_000);
    const { stdout } = await curl([
      ...["--limit-rate", "50k", "-w", "%{time_total}", "-T", await temporaryFile(body), upload.url("/slow")],
    ]);
    expect(stdout.startsWith(digestLine(body))).toBe(true);
    expect(Number(stdout.slice(digestLine(body).length))).toBeGreaterThan(0.8); // s: it was slow indeed
  });

  testWith("curl", "a trickled upload in chunks", async () => {
    const pieces = Array.from({ length: 20 }, () => randomBytes(10));
    const trickle = async function* (): AsyncGenerator<Uint8Array> {
      for (const piece of pieces) {
        yield piece;
        await sleep(50);
      }
    };
    const { stdout } = await curl(["--no-buffer", "-T", "-", upload.url("/trickle")], trickle());
    expect(stdout).toBe(digestLine(Buffer.concat(pieces)));
  });

  test("the servers still run and have reported nothing", () => {
    expect(started.map(({ name, alive, stderr }) => ({ name, alive, stderr }))).toEqual(
      started.map(({ name }) => ({ name, alive: true, stderr: "" })),
    );
  });
});
