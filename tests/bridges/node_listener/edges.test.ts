/**
 * What a listener meets at the edges of the contract: interim responses, lengths that are wrong, errors late and early,
 * clients that do not read.
 */

import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fromNodeListener, NodeListenerError } from "../../../bridges/node_listener.ts";
import { toFetch } from "../../../mod.ts";
import { type Runtime, ServerProcess } from "../../server_process.ts";

const get = (path: string, connection = "close"): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: ${connection}\r\n\r\n`;

describe.each<Runtime>(["node", "deno", "bun"])("%s", (runtime) => {
  let server: ServerProcess;
  beforeAll(async () => {
    const file = "tests/bridges/node_listener/edges_main.ts";
    server = await ServerProcess.start(runtime, file, /^port (\d+)$/m, { flags: ["--allow-all"] });
  });
  afterAll(() => server.stop());

  /** Sends bytes and gives all that comes back. */
  const raw = (bytes: string): Promise<string> => {
    const socket = connect(Number(server.ready[1]), "127.0.0.1");
    socket.on("error", () => {}).write(bytes, "latin1");
    return text(socket.setEncoding("latin1")).catch(() => "reset");
  };
  const events = async (): Promise<unknown[]> => JSON.parse((await raw(get("/events"))).split("\r\n\r\n")[1] as string);

  it("16.2 sends early hints on their way", async () => {
    expect(await raw(get("/hints"))).toMatch(
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\nx-more: m\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nhinted$/,
    );
  });

  it("16.2 requests of one connection share no socket and no state", async () => {
    const answers = await raw(get("/socket", "keep-alive") + get("/socket", "keep-alive") + get("/socket"));
    expect([...answers.matchAll(/\r\n\r\n(\w+ \d)/g)].map((match) => match[1])).toEqual([
      "false 1",
      "false 1",
      "false 1",
    ]);
  });

  it("16.2 a body longer than its Content-Length loses what is too much", async () => {
    expect(await raw(get("/longer", "keep-alive") + get("/hints"))).toMatch(/\r\n\r\nabcHTTP\/1\.1 103/);
  });

  it("16.2 a body shorter than its Content-Length is cut", async () => {
    expect(await raw(get("/shorter", "keep-alive") + get("/hints"))).toMatch(/\r\n\r\n(?:abcdef)?$|^reset$/);
  });

  it("16.2 a malformed body is a 400, and aborts the request", async () => {
    const head = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect(await raw(`${head}3\r\nabc\r\nzz\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
    const expected = ["upload req aborted", "upload req error ECONNRESET", "upload req close", "upload res close"];
    await expect.poll(events).toEqual(expect.arrayContaining(expected));
  });

  it("16.2 a body beyond limitRequestBody is a 413", async () => {
    const head = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect(await raw(`${head}${(1_000_001).toString(16)}\r\n${"a".repeat(1_000_001)}\r\n0\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 413 |^reset$/,
    );
  });

  it.each([
    ["rejects-after-write", /\r\n\r\n4\r\npart\r\n$/, "after a write"],
    ["rejects-after-end", /\r\n\r\nwhole$/, "after the end"],
    ["throws-after-end", /\r\n\r\nwhole$/, "behind the end"],
    ["throws-after-write", /^HTTP\/1\.1 500 /, "behind a write"],
    ["final101", /^HTTP\/1\.1 500 /, "1xx is not a final response"],
  ])("16.2 %s", async (path, response, logged) => {
    expect(await raw(get(`/${path}`))).toMatch(response);
    await expect.poll(() => server.output).toContain(logged);
  });

  it("16.2 the socket takes no bytes of a listener's", async () => {
    expect(await raw(get("/writes-to-socket"))).toContain("the connection belongs to the server");
  });

  it("16.2 a client that does not read stops a listener that waits for drain, and its leaving ends it", async () => {
    const socket = connect(Number(server.ready[1]), "127.0.0.1");
    socket.write(get("/flood"));
    await new Promise((resolve) => socket.once("readable", resolve));
    let before = -1;
    await expect.poll(() => before === (before = socket.readableLength), { interval: 100 }).toBe(true);
    socket.destroy();
    await expect.poll(events).toContain("flood res close");
    const [, megabytes] = (await events()).find((one) => Array.isArray(one)) as [string, number];
    expect(megabytes).toBeLessThan(64); // what the sockets of both ends hold, and two blocks
  });

  it("16.2 a body that nobody reads stays with the client", async () => {
    const head = "POST /never-read HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 900000\r\n\r\n";
    expect(await raw(head + "a".repeat(900_000))).toMatch(/\r\n\r\n0$|^reset$/);
  });
});

it.each([
  [42, "expected a function (req, res), got number 42"],
  [{ callback: () => {} }, "of a Koa application pass app.callback()"],
  [{ routing: () => {} }, "of a Fastify application pass app.routing, after app.ready()"],
  [{ handler: () => {} }, "of a polka application pass app.handler"],
])("16.2 what is no listener is refused by name: %#", (given, message) => {
  expect(() => fromNodeListener(given as never)).toThrow(NodeListenerError);
  expect(() => fromNodeListener(given as never)).toThrow(message);
});

it("16.2 a fetch host, whose Response has no status above 599, sends 500", async () => {
  const handler = toFetch(fromNodeListener((_req, res) => {
    res.writeHead(700);
    res.end("beyond");
  }));
  const response = await handler(new Request("http://localhost/"));
  expect([response.status, await response.text()]).toEqual([500, "beyond"]);
});
