/**
 * The test client as its users use it: in a test runner. This file runs in vitest and, by runners.test.ts, in `bun test`;
 * tests/deno/testing_test.ts says the same to `deno test`.
 */

import { expect, test } from "vitest";
import type { Environ, StartResponse } from "../../mod.ts";
import { client, createEnviron } from "../../testing/mod.ts";

async function greeter(environ: Environ, startResponse: StartResponse): Promise<string[]> {
  const name = new TextDecoder().decode(await environ["wsgi.input"].read()) || "nobody";
  startResponse("200 OK", [["Content-Type", "text/plain"], ["Set-Cookie", `name=${name}`]]);
  return [`Hello ${name}, ${environ.HTTP_COOKIE ?? "who are you?"}\n`];
}

test("a client asks an application", async () => {
  const visitor = client(greeter);
  const response = await visitor.post("/", { body: "Eric" });
  expect(response.status).toBe(200);
  expect(await response.text()).toBe("Hello Eric, who are you?\n");
  expect(await (await visitor.get("/")).text()).toBe("Hello nobody, name=Eric\n");
});

test("a client leaves a stream", async () => {
  let closed = 0;
  const response = await client((_environ, startResponse) => {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return Object.assign(
      (async function* () {
        for (;;) yield await Promise.resolve("tick\n");
      })(),
      { close: () => void closed++ },
    );
  }).get("/");
  for await (const block of response) {
    expect(new TextDecoder().decode(block)).toBe("tick\n");
    break;
  }
  for (let i = 0; i < 100 && closed === 0; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(closed).toBe(1);
});

test("createEnviron calls an application without a client", async () => {
  let status = "";
  const start: StartResponse = (line) => {
    status = line;
    return () => undefined;
  };
  expect(await greeter(createEnviron({ body: "Idle" }), start)).toEqual(["Hello Idle, who are you?\n"]);
  expect(status).toBe("200 OK");
});
