import { assertEquals } from "@std/assert";
import type { Environ, StartResponse } from "../../mod.ts";
import { validator } from "../../wsgiref/validate.ts";
import { client, createEnviron } from "../../testing/mod.ts";

async function greeter(environ: Environ, startResponse: StartResponse): Promise<string[]> {
  const name = new TextDecoder().decode(await environ["wsgi.input"].read()) || "nobody";
  startResponse("200 OK", [["Content-Type", "text/plain"], ["Set-Cookie", `name=${name}`]]);
  return [`Hello ${name}, ${environ.HTTP_COOKIE ?? "who are you?"}\n`];
}

Deno.test("a client asks an application", async () => {
  const visitor = client(greeter);
  const response = await visitor.post("/", { body: "Eric" });
  assertEquals(response.status, 200);
  assertEquals(await response.text(), "Hello Eric, who are you?\n");
  assertEquals(await (await visitor.get("/")).text(), "Hello nobody, name=Eric\n");
});

Deno.test("a client leaves a stream, and nothing is left running", async () => {
  let closed = 0;
  const response = await client(validator((_environ, startResponse) => {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return Object.assign(
      (async function* () {
        for (;;) yield await Promise.resolve("tick\n");
      })(),
      { close: () => void closed++ },
    );
  })).get("/");
  for await (const block of response) {
    assertEquals(new TextDecoder().decode(block), "tick\n");
    break;
  }
  for (let i = 0; i < 100 && closed === 0; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(closed, 1);
});

Deno.test("createEnviron calls an application without a client", async () => {
  let status = "";
  const start: StartResponse = (line) => {
    status = line;
    return () => undefined;
  };
  assertEquals(await greeter(createEnviron({ body: "Idle" }), start), ["Hello Idle, who are you?\n"]);
  assertEquals(status, "200 OK");
});
