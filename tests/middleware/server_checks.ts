/** All of tsgi/middleware over a socket. @module */

import { serve } from "../../mod.ts";
import { HttpError, json, text } from "../../http/mod.ts";
import { compose, cors, errorPage, mount, router, secureHeaders, sessions } from "../../middleware/mod.ts";
import { validator } from "../../wsgiref/validate.ts";
import { type Check, equal, ok } from "../wsgiref/check.ts";

const routes = router()
  .get("/hello/:name", (environ, startResponse) => text(startResponse, `Hello ${environ["tsgi.params"].name}`))
  .get("/stream", async function* (environ, startResponse) {
    const session = environ["tsgi.session"] as { streams?: number };
    session.streams = (session.streams ?? 0) + 1;
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    for (let i = 0; i < 3; i++) yield await Promise.resolve(`${i}`);
  })
  .get("/session", (environ, startResponse) => json(startResponse, environ["tsgi.session"]))
  .get("/broken", () => {
    throw new HttpError(409, "Twice");
  })
  .get("/large", (_environ, startResponse) => {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return Array.from({ length: 100 }, () => "x".repeat(10_000));
  });

const around = compose(
  errorPage(),
  secureHeaders(),
  cors({ origin: "https://a.test" }),
  sessions({ keys: ["k".repeat(32)] }),
);

export const serverChecks: readonly Check[] = [
  {
    name: "19.27 over a socket: all middleware together, between two validators",
    run: async () => {
      let log = "";
      const app = validator(mount({ "/app": around(validator(routes)) }));
      const server = await serve(app, {
        port: 0,
        onListen: () => {},
        errorLog: (text) => log += text,
        handleSignals: false,
      });
      try {
        const get = async (path: string, init: RequestInit = {}) => {
          const response = await fetch(`http://127.0.0.1:${server.address.port}/app${path}`, init);
          return { response, status: response.status, content: await response.text() };
        };
        const hello = await get("/hello/J%C3%BCrgen%2525", { headers: { Origin: "https://a.test" } });
        equal([hello.status, hello.content], [200, "Hello J\u00fcrgen%25"]);
        equal(hello.response.headers.get("Access-Control-Allow-Origin"), "https://a.test");
        equal(hello.response.headers.get("X-Content-Type-Options"), "nosniff");
        equal(hello.response.headers.get("Vary"), "Cookie, Origin");
        const stream = await get("/stream");
        equal([stream.status, stream.content], [200, "012"]);
        const Cookie = stream.response.headers.get("Set-Cookie")?.split(";")[0] as string;
        equal((await get("/session", { headers: { Cookie } })).content, '{"streams":1}');
        equal((await get("/session", { headers: { Cookie: `${Cookie}x` } })).content, "{}");
        equal((await get("/large")).content.length, 1_000_000);
        const broken = await get("/broken", { headers: { Accept: "text/html" } });
        ok(broken.status === 409 && broken.content.includes("<p>Twice</p>"), broken.content);
        const refused = await get("/hello/x", { method: "DELETE" });
        equal([refused.status, refused.response.headers.get("Allow")], [405, "GET, HEAD, OPTIONS"]);
        equal((await get("/hello/x", { method: "HEAD" })).content, "");
        equal((await get("/nothing")).status, 404);
        equal(log, "");
      } finally {
        await server.shutdown({ timeout: 0 });
      }
    },
  },
];
