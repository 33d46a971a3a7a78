/** router and mount. @module */

import type { Environ, StartResponse } from "../../mod.ts";
import { json, text } from "../../http/mod.ts";
import { mount, type Router, router } from "../../middleware/mod.ts";
import { client } from "../../testing/mod.ts";
import { validator } from "../../wsgiref/validate.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";

/** Answers with the name of the route and its parameters. */
const named = (name: string) => (environ: Environ, startResponse: StartResponse): string[] =>
  json(startResponse, [name, environ["tsgi.params"] ?? {}]);

const PATTERNS = [
  "/",
  "/users",
  "/users/",
  "/users/me",
  "/users/:id",
  "/users/:id/posts",
  "/users/:id/posts/:post",
  "/users/me/*rest",
  "/files/*path",
  "/files/special/:x",
  "/any/*",
  "/caf\u00e9/:name",
  "/a.b/(c)/[d]+$",
  "/proto/:constructor",
];

const site = (): Router => {
  const made = router();
  for (const pattern of PATTERNS) made.get(pattern, named(pattern));
  return made;
};

/** PATH_INFO; the pattern and the parameters, or a status. */
const paths: readonly (readonly [string, string | number, Readonly<Record<string, string>>?])[] = [
  ["", "/"],
  ["/", "/"],
  ["//", 404],
  ["/users", "/users"],
  ["/users/", "/users/"],
  ["/Users", 404],
  ["/users/me", "/users/me"],
  ["/users/7", "/users/:id", { id: "7" }],
  ["/users/7/", 404],
  ["/users//posts", 404],
  ["/users/7/posts", "/users/:id/posts", { id: "7" }],
  ["/users/me/posts", "/users/me/*rest", { rest: "posts" }], // a literal goes first
  ["/users/me/posts/8", "/users/me/*rest", { rest: "posts/8" }],
  ["/users/7/posts/8", "/users/:id/posts/:post", { id: "7", post: "8" }],
  ["/users/7/posts/8/9", 404],
  ["/files", 404],
  ["/files/", "/files/*path", { path: "" }],
  ["/files/a/b", "/files/*path", { path: "a/b" }],
  ["/files/special/1", "/files/special/:x", { x: "1" }],
  ["/files/special/1/2", "/files/*path", { path: "special/1/2" }], // back from a dead end
  ["/files/../etc/passwd", "/files/*path", { path: "../etc/passwd" }],
  ["/files/..", "/files/*path", { path: ".." }],
  ["/users/..", "/users/:id", { id: ".." }],
  ["/users/../users", 404],
  ["/./users", 404],
  ["/users/.", "/users/:id", { id: "." }],
  ["/users/..\\x", "/users/:id", { id: "..\\x" }],
  ["/users/%2e%2e", "/users/:id", { id: "%2e%2e" }], // decoded once, by the server
  ["/users/a%2Fb", "/users/:id", { id: "a%2Fb" }],
  ["/users/\0", "/users/:id", { id: "\0" }],
  ["/users/\xc3\xa9", "/users/:id", { id: "\u00e9" }],
  ["/users/\xff", 400],
  ["/users/\xc0\xaf", 400], // an overlong slash
  ["/caf\xc3\xa9/x", "/caf\u00e9/:name", { name: "x" }],
  ["/caf\xe9/x", 404],
  ["/any/", "/any/*", { "*": "" }],
  ["/any/a", "/any/*", { "*": "a" }],
  ["/a.b/(c)/[d]+$", "/a.b/(c)/[d]+$"],
  ["/axb/(c)/[d]+$", 404],
  ["/proto/x", "/proto/:constructor", { constructor: "x" }],
  ["/__proto__", 404],
  ["/toString", 404],
];

const wrong: readonly (readonly [string, () => unknown])[] = [
  ["no slash", () => router().get("users" as "/", named(""))],
  ["an empty name", () => router().get("/:", named(""))],
  ["a name that is none", () => router().get("/:a-b", named(""))],
  ["__proto__ as name", () => router().get("/:__proto__", named(""))],
  ["a name twice", () => router().get("/:a/:a", named(""))],
  ["a wildcard in the middle", () => router().get("/*a/b", named(""))],
  ["a control", () => router().get("/\n", named(""))],
  ["a route twice", () => router().get("/:a", named("")).get("/:b", named(""))],
  ["two mounts at one place", () => router().mount("/a", named("")).mount("/a", named(""))],
  ["a mount with a slash at its end", () => router().mount("/a/", named(""))],
  ["a method that is none", () => router().on("GE T", "/", named(""))],
  ["a pattern in the decorator form", () => router()("users")],
  ["a mount point without a slash", () => mount({ api: named("") })],
  ["a mount point with one at its end", () => mount({ "/api/": named("") })],
];

const where = (name: string) => (environ: Environ, startResponse: StartResponse): string[] =>
  json(startResponse, [name, environ.SCRIPT_NAME, environ.PATH_INFO]);

/** PATH_INFO; who answers, SCRIPT_NAME and PATH_INFO then; null for a 404. */
const mounts: readonly (readonly [string, readonly [string, string, string] | null])[] = [
  ["/api", ["api", "/outer/api", ""]],
  ["/api/", ["api", "/outer/api", "/"]],
  ["/api/x", ["api", "/outer/api", "/x"]],
  ["/api/v2", ["v2", "/outer/api/v2", ""]],
  ["/api/v2/x/y", ["v2", "/outer/api/v2", "/x/y"]],
  ["/api/v20", ["api", "/outer/api", "/v20"]],
  ["/apis", null],
  ["/Api", null],
  ["/api/../x", ["api", "/outer/api", "/../x"]],
  ["//api", null],
  ["/caf\xc3\xa9/x", ["caf\u00e9", "/outer/caf\xc3\xa9", "/x"]],
  ["/", null],
  ["", null],
];

/** Calls an application with exactly this PATH_INFO. */
async function at(
  app: Router | ReturnType<typeof mount>,
  path: string,
  method = "GET",
): Promise<readonly [number, unknown, string | null]> {
  const placed = (environ: Environ, startResponse: StartResponse) => {
    environ.PATH_INFO = path;
    environ.SCRIPT_NAME = "/outer";
    return app(environ, startResponse);
  };
  const response = await client(placed, { raise: true }).request("/", { method });
  const content = await response.text();
  return [response.status, content.startsWith("[") ? JSON.parse(content) : content, response.headers.get("Allow")];
}

export const routerChecks: readonly Check[] = [
  ...paths.map(([path, expected, params = {}]): Check => ({
    name: `19.16 router: ${JSON.stringify(path)}`,
    run: async () => {
      const [status, content] = await at(site(), path);
      if (typeof expected === "number") equal(status, expected);
      else equal([status, content], [200, [expected, params]]);
    },
  })),
  ...wrong.map(([name, action]): Check => ({
    name: `19.16 router: ${name} is refused`,
    run: async () => ok(await thrownBy(action) instanceof TypeError, "no TypeError"),
  })),
  {
    name: "19.17 router: methods, 405 with Allow, HEAD, OPTIONS",
    run: async () => {
      const made = router().get("/a", named("get")).on(["POST", "PUT"], "/a", named("post")).delete(
        "/:b",
        named("delete"),
      )
        .get("/own", named("get")).head("/own", named("head")).options("/own", named("options")).all(
          "/all",
          named("all"),
        )
        .get("/all", named("get")).on("LOCK", "/only", named("lock"));
      equal((await at(made, "/a"))[1], ["get", {}]);
      equal((await at(made, "/a", "PUT"))[1], ["post", {}]);
      equal((await at(made, "/a", "DELETE"))[1], ["delete", { b: "a" }]); // the more general route has the method
      equal(await at(made, "/a", "PATCH"), [405, "405 Method Not Allowed\n", "DELETE, GET, HEAD, OPTIONS, POST, PUT"]);
      equal((await at(made, "/a", "get"))[0], 405); // methods have a letter case
      equal(await at(made, "/only"), [405, "405 Method Not Allowed\n", "DELETE, LOCK, OPTIONS"]);
      equal(await at(made, "/a", "OPTIONS"), [204, "", "DELETE, GET, HEAD, OPTIONS, POST, PUT"]);
      equal((await at(made, "/a", "HEAD")).slice(0, 2), [200, ""]);
      equal((await at(made, "/own", "OPTIONS"))[1], ["options", {}]);
      equal((await at(made, "/all"))[1], ["get", {}]);
      for (const method of ["OPTIONS", "PATCH", "BREW"]) equal((await at(made, "/all", method))[1], ["all", {}]);
      equal((await at(made, "/none/none", "OPTIONS"))[0], 404);
    },
  },
  {
    name: "19.17 router: the decorator form returns the application, which stays what it was",
    run: async () => {
      const route = router();
      class Page {
        readonly #content: string[];
        constructor(environ: Environ, startResponse: StartResponse) {
          this.#content = json(startResponse, ["class", environ["tsgi.params"]]);
        }
        [Symbol.iterator]() {
          return this.#content[Symbol.iterator]();
        }
      }
      const hello = route("/hello/:name")((environ, startResponse) => text(startResponse, environ["tsgi.params"].name));
      equal(route("/page/:n")(Page) === Page, true);
      route("/object")({ wsgiApp: named("object") });
      equal(typeof hello, "function");
      equal((await at(route, "/hello/Ann", "POST")).slice(0, 2), [200, "Ann"]);
      equal((await at(route, "/page/1"))[1], ["class", { n: "1" }]);
      equal((await at(route, "/object"))[1], ["object", {}]);
    },
  },
  {
    name: "19.17 router: the compiler knows the parameters",
    run: () => {
      router().get("/users/:id/*rest", (environ, startResponse) => {
        const { id, rest } = environ["tsgi.params"];
        // @ts-expect-error: there is no such parameter
        void environ["tsgi.params"].name;
        return text(startResponse, id + rest);
      }).get("/none", (environ, startResponse) => {
        // @ts-expect-error: there is none at all
        void environ["tsgi.params"].id;
        return text(startResponse, "");
      });
    },
  },
  {
    name: "19.17 router: notFound, mounts, and parameters of the routers around",
    run: async () => {
      const inner = router().get("/", named("root")).get("/posts/:post", named("post"));
      const made = router({ notFound: named("nothing") }).mount("/users/:id", inner).get("/users/:id/own", named("own"))
        .mount("/api", where("api"));
      equal((await at(made, "/users/7/posts/8"))[1], ["post", { id: "7", post: "8" }]);
      equal((await at(made, "/users/7"))[1], ["root", { id: "7" }]);
      equal((await at(made, "/users/7/own"))[1], ["own", { id: "7" }]);
      equal((await at(made, "/users/7/none"))[0], 404);
      equal((await at(made, "/users"))[1], ["nothing", {}]);
      equal((await at(made, "/api/x/y"))[1], ["api", "/outer/api", "/x/y"]);
      equal((await at(made, "/api"))[1], ["api", "/outer/api", ""]);
      equal((await at(made, "/apis"))[1], ["nothing", {}]);
      equal((await at(router().mount("/", where("all")).get("/x", where("x")), "/y/z"))[1], ["all", "/outer", "/y/z"]);
    },
  },
  {
    name: "19.17 router: it is validator-clean, and so is what it calls",
    run: async () => {
      const made = validator(router().get("/a/:b", validator(named("b"))));
      for (
        const [path, method] of [["/a/1", "GET"], ["/a/1", "HEAD"], ["/a/1", "PUT"], ["/a/1", "OPTIONS"], [
          "/",
          "GET",
        ]] as const
      ) {
        await (await client(made, { raise: true }).request(path, { method })).text();
      }
    },
  },
  ...mounts.map(([path, expected]): Check => ({
    name: `19.18 mount: ${JSON.stringify(path)}`,
    run: async () => {
      const made = mount({ "/api": where("api"), "/api/v2": where("v2"), "/caf\u00e9": where("caf\u00e9") });
      const [status, content] = await at(made, path);
      equal([status, content], expected === null ? [404, "404 Not Found\n"] : [200, expected]);
    },
  })),
  {
    name: "19.18 mount: a slash takes the rest",
    run: async () => {
      const made = mount({ "/api": where("api"), "/": where("rest") });
      equal((await at(made, "/x"))[1], ["rest", "/outer", "/x"]);
      equal((await at(made, ""))[1], ["rest", "/outer", ""]);
      equal((await at(made, "/api/x"))[1], ["api", "/outer/api", "/x"]);
    },
  },
];
