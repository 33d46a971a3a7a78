/**
 * A fetch application over every wire: the bridge stands on the contract alone.
 */

import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { fromFetch } from "../../bridges/fetch.ts";
import { type Protocol, serve } from "../../mod.ts";
import { ask } from "../docs/served.ts";
import { runCommand, type Runtime } from "../server_process.ts";

const SCRIPT = {
  GATEWAY_INTERFACE: "CGI/1.1",
  REQUEST_METHOD: "POST",
  SCRIPT_NAME: "/cgi-bin/script",
  PATH_INFO: "/a/b c",
  REQUEST_URI: "/cgi-bin/script/a%2Fb%20c?q=1",
  QUERY_STRING: "q=1",
  SERVER_NAME: "www.test",
  SERVER_PORT: "443",
  HTTPS: "on",
  SERVER_PROTOCOL: "HTTP/1.1",
  REMOTE_ADDR: "192.0.2.7",
  CONTENT_LENGTH: "4",
};

describe("16.1 a fetch application", () => {
  it.each<Protocol>(["http", "fastcgi", "scgi", "uwsgi"])("over %s", async (protocol) => {
    const app = fromFetch((request) => new Response(`seen ${request.method} ${new URL(request.url).pathname}\n`));
    const server = await serve(app, { port: 0, protocol, onListen: () => {}, handleSignals: false });
    try {
      const answer = await ask({ host: "127.0.0.1", port: server.address.port }, protocol);
      expect(answer).toContain("200 OK");
      expect(answer).toContain("seen GET /\n");
    } finally {
      await server.shutdown({ timeout: 0 });
    }
  });

  it.each<Runtime>(["node", "deno", "bun"])("as a CGI script on %s", (runtime) => {
    const { binary, args } = runCommand(runtime, "tests/bridges/programs/script.ts", ["-A"]);
    const { PATH, HOME, DENO_DIR } = process.env;
    const env = { PATH, HOME, DENO_DIR, ...SCRIPT };
    const { stdout, stderr, status } = spawnSync(binary, args, { env, input: "body", encoding: "utf8" });
    const [head = "", body] = stdout.split("\r\n\r\n");
    expect({ head: head.split("\r\n").toSorted(), body, stderr, status }).toEqual({
      head: [
        "Content-Length: 19",
        "Status: 201 Created",
        "content-type: text/plain",
        "set-cookie: a=1",
        "set-cookie: b=2",
        "x-url: https://www.test/cgi-bin/script/a%2Fb%20c?q=1",
      ],
      body: "POST 192.0.2.7 body",
      stderr: "behind\n",
      status: 0,
    });
  });
});
