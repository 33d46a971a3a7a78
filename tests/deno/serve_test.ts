import { assert, assertEquals, assertRejects } from "@std/assert";
import { serve } from "../../adapters/deno.ts";
import { ListenError } from "../../core/errors.ts";
import type { Application } from "../../core/contract/types.ts";
import type { TcpAddress } from "../../core/seams.ts";
import type { Server } from "../../core/server/server.ts";

/** Answers with path and query, then with the request body. The method is in a header. */
const echo: Application = async function* (environ, startResponse) {
  startResponse("200 OK", [["Content-Type", "text/plain"], ["X-Method", environ.REQUEST_METHOD]]);
  yield `${environ.PATH_INFO}?${environ.QUERY_STRING}\n`;
  for await (const part of environ["wsgi.input"]) yield part;
};

async function withServer(
  app: Application,
  use: (origin: string, server: Server<TcpAddress>) => Promise<void>,
): Promise<string[]> {
  const log: string[] = [];
  const server = await serve(app, { port: 0, onListen: () => {}, errorLog: (text) => void log.push(text) });
  try {
    await use(`http://127.0.0.1:${server.address.port}`, server);
  } finally {
    await server.shutdown({ timeout: 1 });
  }
  return log;
}

Deno.test("serve answers fetch on a port of its own, and shuts down", async () => {
  const log = await withServer(echo, async (origin) => {
    for (const method of ["GET", "POST"]) {
      const body = method === "POST" ? "x".repeat(300_000) : null;
      const response = await fetch(`${origin}/caf%C3%A9?a=%20`, { method, body });
      assertEquals([response.status, response.headers.get("x-method")], [200, method]);
      assert(response.headers.has("date"));
      assertEquals(await response.text(), `/caf\u00c3\u00a9?a=%20\n${body ?? ""}`);
    }
  });
  assertEquals(log, []);
});

Deno.test("serve gives a 500 for a failure and goes on", async () => {
  let calls = 0;
  const app: Application = (_environ, startResponse) => {
    if (++calls === 1) throw new Error("secret");
    startResponse("200 OK", []);
    return "fine";
  };
  const log = await withServer(app, async (origin) => {
    const failed = await fetch(origin);
    assertEquals([failed.status, (await failed.text()).includes("secret")], [500, false]);
    assertEquals(await (await fetch(origin)).text(), "fine");
  });
  assertEquals(log.length, 1);
});

Deno.test("shutdown lets a running request finish, and frees the port", async () => {
  const app: Application = async (_environ, startResponse) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    startResponse("200 OK", []);
    return "late";
  };
  let address: TcpAddress | undefined;
  await withServer(app, async (origin, server) => {
    address = server.address;
    const answer = fetch(origin).then((response) => response.text());
    await new Promise((resolve) => setTimeout(resolve, 20));
    const finished = server.shutdown();
    assertEquals(await answer, "late");
    await finished;
  });
  const { hostname = "", port = 0 } = address ?? {};
  const again = await serve(app, { hostname, port, onListen: () => {} });
  await again.shutdown({ timeout: 0 });
});

Deno.test("serve rejects with a ListenError where the port is taken", async () => {
  await withServer(echo, async (_origin, { address }) => {
    await assertRejects(() => serve(echo, { port: address.port, onListen: () => {} }), ListenError, `:${address.port}`);
  });
});
