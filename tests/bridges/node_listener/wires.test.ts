/**
 * A listener stands on the contract alone: the same Express application as a CGI script, and over SCGI and FastCGI.
 */

import { spawn } from "node:child_process";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { begin, params, recordsOf, responseOf, stdin, stdinEnd } from "../../fastcgi/harness.ts";
import { scgiRequest } from "../../scgi/request.ts";
import { runCommand, type Runtime, ServerProcess } from "../../server_process.ts";

const PROGRAM = "tests/bridges/node_listener/wires_main.ts";
const BODY = "0123456789".repeat(20_000);

/** The variables of a request. */
type Variables = Readonly<Record<string, string>>;

const GET: Variables = {
  GATEWAY_INTERFACE: "CGI/1.1",
  REQUEST_METHOD: "GET",
  REQUEST_URI: "/sub/where/a%2Fb%20c?x=%20",
  SCRIPT_NAME: "/sub",
  PATH_INFO: "/where/a/b c",
  QUERY_STRING: "x=%20",
  SERVER_NAME: "www.test",
  SERVER_PORT: "443",
  SERVER_PROTOCOL: "HTTP/1.1",
  HTTPS: "on",
  HTTP_HOST: "host.test",
  REMOTE_ADDR: "192.0.2.7",
};
const POST: Variables = {
  ...GET,
  REQUEST_METHOD: "POST",
  REQUEST_URI: "/sub/echo",
  PATH_INFO: "/echo",
  QUERY_STRING: "",
  CONTENT_TYPE: "text/plain",
};

/** Sends a request of variables, and a body; gives head and body as CGI has them. */
type Ask = (variables: Variables, body: string) => Promise<string>;

function overSocket(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(bytes, "latin1");
  return text(socket.setEncoding("latin1"));
}

async function asScript(runtime: Runtime, variables: Variables, body: string): Promise<string> {
  const { binary, args } = runCommand(runtime, PROGRAM, ["-A"]);
  const length = body === "" ? {} : { CONTENT_LENGTH: String(body.length) };
  const child = spawn(binary, args, { env: { ...process.env, ...variables, ...length } });
  child.stdin.end(body);
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(errors).toBe("");
  return out;
}

const WIRES: Readonly<Record<string, (port: number) => Ask>> = {
  scgi: (port) => (variables, body) => overSocket(port, scgiRequest(variables, String(body.length)) + body),
  fastcgi: (port) => async (variables, body) => {
    const length = body === "" ? {} : { CONTENT_LENGTH: String(body.length) };
    const pieces = body.match(/[^]{1,30000}/g)?.map((piece) => stdin(1, piece)).join("") ?? "";
    const records = recordsOf(
      await overSocket(port, begin(1, false) + params(1, { ...variables, ...length }) + pieces + stdinEnd(1)),
    );
    return responseOf(records, 1).stdout;
  },
};

async function check(ask: Ask): Promise<void> {
  const [where, echo] = [await ask(GET, ""), await ask(POST, BODY)];
  expect(where).toMatch(/^Status: 200 OK\r\n/);
  expect(where).toContain("Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/\r\n");
  expect(where).toContain("X-Seen: 192.0.2.7 host.test https 443 1.1\r\n");
  expect(where.split("\r\n\r\n")[1]).toBe('["/where/a%2Fb%20c?x=%20","/sub/where/a%2Fb%20c?x=%20","/sub"]');
  expect(echo.split("\r\n\r\n")[1]).toBe(`${BODY.length} ${BODY}`);
}

describe.each<Runtime>(["node", "deno", "bun"])("%s", (runtime) => {
  it.each(Object.entries(WIRES))("16.2 Express over %s", async (protocol, wire) => {
    const server = await ServerProcess.start(runtime, PROGRAM, /^port (\d+)$/m, {
      flags: ["--allow-all"],
      args: [protocol],
    });
    try {
      await check(wire(Number(server.ready[1])));
    } finally {
      await server.stop();
    }
  });

  it("16.2 Express as a CGI script", async () => {
    await check((variables, body) => asScript(runtime, variables, body));
  });
});
