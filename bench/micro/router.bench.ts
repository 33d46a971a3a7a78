/**
 * The router by itself, with 200 routes, beside a comparison of the path.
 *
 *     npm run bench:micro
 *
 * @module
 */

import { expect, test } from "vitest";
import { router } from "../../middleware/router.ts";
import type { Environ, StartResponse } from "../../mod.ts";

const start: StartResponse = () => () => undefined;
const app = (): string[] => [];

const site = router();
for (let i = 0; i < 50; i++) {
  site.get(`/r${i}`, app).get(`/r${i}/:id`, app).post(`/r${i}/:id`, app).get(`/r${i}/:id/x/:y`, app);
}

/** Each call serves a request with an environ of its own. */
function serving(path: string): () => void {
  return () => {
    const environ = { REQUEST_METHOD: "GET", PATH_INFO: path, SCRIPT_NAME: "" };
    void site(environ as Environ, start);
  };
}

test("a path of each kind", async ({ bench }) => {
  const results = await bench.compare(
    bench("a literal", serving("/r25")),
    bench("one parameter", serving("/r25/7")),
    bench("two parameters", serving("/r49/7/x/abc")),
    bench("no route", () => {
      const environ = { REQUEST_METHOD: "GET", PATH_INFO: "/none/7", SCRIPT_NAME: "" };
      if ((site(environ as Environ, start) as string[])[0] !== "404 Not Found\n") throw new Error("a route");
    }),
  );
  expect(results).toBeDefined();
});
