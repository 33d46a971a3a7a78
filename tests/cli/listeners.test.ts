/**
 * Several addresses and the PROXY protocol under the command: one server in each worker, and reloads that lose nothing.
 */

import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { run, testWith } from "../clients/tool.ts";
import { type Command, runtimes, until, withCommand } from "./command.ts";

const APP = `
  const KEYS = ["SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme"];
  export const app = async (environ, start) => {
    if (environ.PATH_INFO === "/wait") {
      environ["wsgi.errors"].write("a request waits\\n");
      await new Promise(() => {});
    }
    start("200 OK", []);
    return JSON.stringify(Object.fromEntries(KEYS.map((key) => [key, environ[key]])));
  };`;
const files = { "app.mjs": APP };
const GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const PREFIX = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";

type Where = { readonly port: number; readonly host: string } | { readonly path: string };

/** What comes back for some bytes. */
function exchange(where: Where, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(where).setEncoding("latin1").on("data", (part) => text += part);
    socket.on("error", () => {}).on("close", () => resolve(text));
    socket.write(bytes, "latin1");
  });
}

function factsOf(text: string): Record<string, string> {
  return JSON.parse(/^HTTP\/1\.1 200 OK\r\n[^]*(\{.*\})/.exec(text)?.[1] ?? expect.fail(`No 200: ${text}`));
}

function places(command: Command): Where[] {
  return [{ port: command.port, host: "127.0.0.1" }, { path: command.path("a.sock") }];
}

describe.concurrent.each(runtimes)("%s", (runtime) => {
  it("15.3 a worker has one server for all addresses, whose names and ports are those of -b", async () => {
    const args = ["-b", "localhost:0", "-b", "unix:a.sock", "--worker-connections", "1", "app.mjs"];
    await withCommand(runtime, { args, files }, async (command) => {
      const { port } = command;
      const host = /Listening at: \S*?localhost/.test(command.log) ? "localhost" : "127.0.0.1";
      const [, unix] = places(command) as [Where, Where];
      const tcp = { port, host };
      expect(factsOf(await exchange(tcp, GET))).toMatchObject({ SERVER_NAME: "localhost", SERVER_PORT: String(port) });
      let answer = "";
      await until("the first connection to be gone", async () => {
        answer = await exchange(unix, GET);
        return !answer.startsWith("HTTP/1.1 503 ");
      });
      expect(factsOf(answer)).toMatchObject({ SERVER_NAME: "localhost", SERVER_PORT: "80" });
      let waiting = Promise.resolve("");
      await until("a request that waits", () => {
        waiting = exchange(unix, GET.replace("/", "/wait")); // 503 as long as the connection before is not gone
        return Promise.race([waiting.then(() => false), command.logged(/a request waits/).then(() => true)]);
      });
      expect(await exchange(tcp, GET)).toMatch(/^HTTP\/1\.1 503 /); // the limit is one for both
      command.kill("SIGINT");
      expect(await waiting).toBe("");
    });
  }, 30_000);

  it("15.3 the PROXY protocol at both addresses, and no request is lost at a reload", async () => {
    const args = ["-w", "2", "-b", "127.0.0.1:0", "-b", "unix:a.sock", "--proxy-protocol", "app.mjs"];
    await withCommand(runtime, { args, files }, async (command) => {
      const facts = { REMOTE_ADDR: "192.0.2.7", SERVER_NAME: "198.51.100.1", SERVER_PORT: "443" };
      for (const where of places(command)) expect(factsOf(await exchange(where, PREFIX + GET))).toMatchObject(facts);
      const before = command.workers;
      command.kill("SIGHUP");
      let over = false;
      const clients = [...places(command), ...places(command)].map(async (where) => {
        while (!over) expect(factsOf(await exchange(where, PREFIX + GET))).toMatchObject(facts);
      });
      const all = Promise.all(clients);
      await Promise.race([
        all,
        until(
          "new workers",
          () => command.workers.length === 2 && !before.some((pid) => command.workers.includes(pid)),
        ),
      ]);
      over = true;
      await all;
      expect(await exchange(places(command)[0] as Where, GET)).toBe("");
      await command.logged(/closed the connection from 127\.0\.0\.1: it does not begin with a prefix/);
    });
  }, 30_000);

  testWith("curl", `15.3 the PROXY protocol as curl speaks it, on ${runtime}`, async () => {
    const args = ["-b", "127.0.0.1:0", "--proxy-protocol", "--proxy-allow-from", "127.0.0.1", "app.mjs"];
    await withCommand(runtime, { args, files }, async (command) => {
      const url = `http://127.0.0.1:${command.port}/`;
      const curl = ["-q", "--noproxy", "*", "-sS", "--haproxy-protocol"];
      const { code, stdout, stderr } = await run("curl", [...curl, "-w", "%{local_port}", url, url]);
      expect(code, stderr).toBe(0);
      // Two requests on one connection: both have the facts of its prefix.
      const [first, second] = [...stdout.matchAll(/(\{.*?\})(\d+)/g)];
      for (const answer of [first, second]) {
        expect(JSON.parse(answer?.[1] ?? "")).toMatchObject({ REMOTE_ADDR: "127.0.0.1", REMOTE_PORT: first?.[2] });
      }
    });
  }, 30_000);
});
