/**
 * Applications of real frameworks through `fromFetch`, each on each runtime: the same routes, the same answers.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chunked, Client, type RequestInit } from "../behaviour/client.ts";
import { field, fields, textOf, type WireResponse } from "../behaviour/response.ts";
import { type Runtime, ServerProcess } from "../server_process.ts";

const frameworks = ["hono", "h3", "elysia", "itty"];
const cells = (["node", "deno", "bun"] as const).flatMap((runtime) =>
  frameworks.map((name) => [name, runtime] as const)
);

describe.each(cells)("%s on %s", (framework: string, runtime: Runtime) => {
  let server: ServerProcess;

  beforeAll(async () => {
    const options = { flags: ["-A"], args: [framework] };
    server = await ServerProcess.start(runtime, "tests/bridges/programs/frameworks.ts", /^port (\d+)$/m, options);
  });
  afterAll(() => server.stop());

  async function withClient<T>(run: (client: Client) => Promise<T>): Promise<T> {
    const client = await Client.connect(Number(server.ready[1]));
    try {
      return await run(client);
    } finally {
      client.dispose();
    }
  }

  const ask = (method: string, target: string, init?: RequestInit): Promise<WireResponse> =>
    withClient(async (client) => {
      await client.request(method, target, init);
      return await client.response();
    });

  it("16.6 route, query and header", async () => {
    const response = await ask("GET", "/hello/you?word=hi", { headers: [["X-A", "a"]] });
    expect([response.status, textOf(response)]).toEqual([200, "hi you a"]);
    expect(field(response, "content-type")).toMatch(/^text\/plain/);
    expect(field(response, "content-length")).toBe("8");
  });

  it("16.6 JSON in and out", async () => {
    const init = { headers: [["Content-Type", "application/json"]], body: '{"a":[1]}' } as const;
    expect(JSON.parse(textOf(await ask("POST", "/json", init)))).toEqual({ given: { a: [1] } });
  });

  it("16.6 an upload of 5 MiB, and one in chunks", async () => {
    const body = new Uint8Array(5 * 1024 * 1024);
    expect(textOf(await ask("POST", "/upload", { body }))).toBe(String(body.length));
    const init = { headers: [["Transfer-Encoding", "chunked"]], body: chunked(["abc", "defg"]) } as const;
    expect(textOf(await ask("POST", "/upload", init))).toBe("7");
  });

  it("16.6 a stream is seen block by block", () =>
    withClient(async (client) => {
      await client.request("GET", "/stream");
      const response = await client.begun("one ");
      expect(response.complete).toBe(false);
      await ask("GET", "/release");
      expect(textOf(await client.response())).toBe("one two");
    }));

  it("16.6 an error before the head is a 500, one in the middle cuts", async () => {
    expect((await ask("GET", "/throws")).status).toBe(500);
    await withClient(async (client) => {
      await client.request("GET", "/fails-late");
      await client.begun("begun");
      await client.truncated();
    });
  });

  it("16.6 a redirect with two cookies", async () => {
    const response = await ask("GET", "/redirect");
    expect([response.status, field(response, "location")]).toEqual([302, expect.stringMatching(/\/elsewhere$/)]);
    expect(fields(response, "set-cookie").map((cookie) => cookie.split(";")[0])).toEqual(["a=1", "b=2"]);
  });

  it("16.6 the client's address", async () => {
    expect(textOf(await ask("GET", "/address"))).toBe('"127.0.0.1"');
  });

  if (framework === "hono") {
    it("16.6 Hono's own streams, mounts, execution context and body limit", async () => {
      expect(textOf(await ask("GET", "/own-stream"))).toBe("one two");
      expect(textOf(await ask("GET", "/mounted/inner"))).toBe("GET /inner");
      expect(textOf(await ask("GET", "/execution"))).toBe("waits");
      const chunks = (text: string): RequestInit => ({
        headers: [["Transfer-Encoding", "chunked"]],
        body: chunked([text]),
      });
      expect(textOf(await ask("POST", "/limited", chunks("short")))).toBe("short");
      expect((await ask("POST", "/limited", chunks("longer than ten"))).status).toBe(413);
    });
  }
});
