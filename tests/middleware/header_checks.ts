/** cors, secureHeaders, compose. @module */

import type { ApplicationFunction, HeaderList } from "../../mod.ts";
import { compose, cors, type CorsOptions, type Middleware, secureHeaders } from "../../middleware/mod.ts";
import { client } from "../../testing/mod.ts";
import { validator } from "../../wsgiref/validate.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";

const app = (headers: HeaderList = []): ApplicationFunction => (_environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"], ...headers]);
  return ["ok"];
};

const A = "https://a.test";
const B = "https://b.test";
const PREFLIGHT = { "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-a" };
const NAMES = ["Allow-Origin", "Allow-Credentials", "Allow-Methods", "Allow-Headers", "Max-Age", "Expose-Headers"];

type Fields = readonly [status: number, vary: string | null, ...values: (string | null)[]];

/** Options, method, fields of the request; status, Vary and the CORS fields in the order of NAMES. */
const cases: readonly (readonly [CorsOptions, string, Readonly<Record<string, string>>, Fields])[] = [
  [{}, "GET", {}, [200, null]],
  [{}, "GET", { Origin: A }, [200, null, "*"]],
  [{ origin: A }, "GET", {}, [200, "Origin"]],
  [{ origin: A }, "GET", { Origin: A }, [200, "Origin", A]],
  [{ origin: A }, "GET", { Origin: B }, [200, "Origin"]],
  [{ origin: A }, "GET", { Origin: "null" }, [200, "Origin"]],
  [{ origin: A }, "GET", { Origin: `${A}.evil.test` }, [200, "Origin"]],
  [{ origin: [A, B], credentials: true }, "POST", { Origin: B }, [200, "Origin", B, "true"]],
  [{ origin: (from) => from.endsWith(".test") }, "GET", { Origin: B }, [200, "Origin", B]],
  [{ origin: A, exposeHeaders: ["X-A", "X-B"] }, "GET", { Origin: A }, [
    200,
    "Origin",
    A,
    null,
    null,
    null,
    null,
    "X-A, X-B",
  ]],
  [{}, "OPTIONS", { Origin: A }, [200, null, "*"]], // no preflight
  [{}, "OPTIONS", PREFLIGHT, [200, null]], // no other origin
  [{}, "OPTIONS", { Origin: A, ...PREFLIGHT }, [204, "all", "*", null, "GET, HEAD, PUT, PATCH, POST, DELETE", "x-a"]],
  [{ origin: A }, "OPTIONS", { Origin: B, ...PREFLIGHT }, [204, "all"]],
  [
    { origin: A, methods: ["PUT"], allowHeaders: ["X-C"], maxAge: 60, credentials: true },
    "OPTIONS",
    { Origin: A, ...PREFLIGHT },
    [204, "all", A, "true", "PUT", "X-C", "60"],
  ],
];

const wrong: readonly (readonly [string, () => unknown])[] = [
  ["credentials for all", () => cors({ credentials: true })],
  ["an origin with a path", () => cors({ origin: "https://a.test/" })],
  ["an origin without a scheme", () => cors({ origin: ["a.test"] })],
  ["a method with a space", () => cors({ methods: ["GET, PUT"] })],
  ["a fraction of a second", () => cors({ maxAge: 0.5 })],
  ["a pattern as origin", () => cors({ origin: /a/ as unknown as string })],
  ["true as origin", () => cors({ origin: true as unknown as string })],
  ["null as origin", () => cors({ origin: null as unknown as string })],
  ["a pattern among origins", () => cors({ origin: [/a/] as unknown as string[] })],
  ["a string as methods", () => cors({ methods: "GET" as unknown as string[] })],
  ["a string as allowHeaders", () => cors({ allowHeaders: "X-A" as unknown as string[] })],
  ["a string as exposeHeaders", () => cors({ exposeHeaders: "X-A" as unknown as string[] })],
  ["* as method with credentials", () => cors({ origin: A, credentials: true, methods: ["*"] })],
  ["* as allowHeaders with credentials", () => cors({ origin: A, credentials: true, allowHeaders: ["*"] })],
  ["* as exposeHeaders with credentials", () => cors({ origin: A, credentials: true, exposeHeaders: ["*"] })],
];

export const headerChecks: readonly Check[] = [
  ...cases.map(([options, method, headers, [status, vary, ...values]], i): Check => ({
    name: `19.19 cors ${i}`,
    run: async () => {
      const site = validator(cors(options)(validator(app())));
      const response = await client(site, { raise: true }).request("/", { method, headers });
      const expected = NAMES.map((_, at) => values[at] ?? null);
      equal([response.status, ...NAMES.map((name) => response.headers.get(`Access-Control-${name}`))], [
        status,
        ...expected,
      ]);
      const all = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
      equal(response.headers.get("Vary"), vary === "all" ? all : vary);
    },
  })),
  ...wrong.map(([name, action]): Check => ({
    name: `19.19 cors: ${name} is refused`,
    run: async () => {
      const error = await thrownBy(action);
      ok(error instanceof TypeError && error.message.startsWith("cors: "), `no such TypeError: ${error}`);
    },
  })),
  {
    name: "19.19 cors: a response with an origin of its own stays as it is",
    run: async () => {
      const fields = async (own: HeaderList, origin = A) => {
        const site = cors({ origin: A, credentials: true, exposeHeaders: ["X-A"] })(app(own));
        const { headers } = await client(site).get("/", { headers: { Origin: origin } });
        return ["Vary", ...NAMES.map((name) => `Access-Control-${name}`)].map((name) => headers.getAll(name).join(" "))
          .join();
      };
      equal(await fields([["access-control-allow-origin", "*"]]), "Origin,*,,,,,");
      equal(await fields([["Access-Control-Allow-Origin", "*"]], B), "Origin,*,,,,,");
      equal(await fields([["Access-Control-Expose-Headers", "X-B"]]), `Origin,${A},true,,,,X-B X-A`);
      equal(
        (await client(cors({ origin: A })(cors()(app()))).get("/", { headers: { Origin: A } })).headers.get(
          "Access-Control-Allow-Origin",
        ),
        "*",
      );
    },
  },
  {
    name: "19.19 cors: a promise of an answer allows no origin",
    run: async () => {
      const origin = (() => Promise.resolve(true)) as unknown as () => boolean;
      const site = client(cors({ origin, credentials: true })(app()), { raise: true });
      const error = await thrownBy(() => site.get("/", { headers: { Origin: A } }));
      ok(error instanceof TypeError && error.message.startsWith("cors: "), `no such TypeError: ${error}`);
    },
  },
  {
    name: "19.19 cors adds to the Vary of the application",
    run: async () => {
      const vary = async (value: string) =>
        (await client(cors({ origin: A })(app([["vary", value]]))).get("/")).headers.get("Vary");
      equal(await vary("Accept"), "Accept, Origin");
      equal(await vary("accept, ORIGIN"), "accept, ORIGIN");
      equal(await vary("*"), "*");
    },
  },
  {
    name: "19.20 secureHeaders: defaults, changes, fields of the application, HTTPS",
    run: async () => {
      const get = async (around: Middleware, own: HeaderList = [], url = "/") =>
        (await client(validator(around(validator(app(own)))), { raise: true }).get(url)).headers;
      const plain = await get(secureHeaders());
      for (const name of ["content-security-policy", "x-content-type-options", "referrer-policy", "x-frame-options"]) {
        ok(plain.has(name), name);
      }
      equal(plain.get("Strict-Transport-Security"), null);
      const tls = await get(secureHeaders(), [], "https://localhost/");
      equal(tls.get("Strict-Transport-Security"), "max-age=31536000; includeSubDomains");
      const changed = await get(
        secureHeaders({ "x-frame-options": "DENY", "Referrer-Policy": false, "X-More": "1" }),
        [["x-content-type-options", "own"]],
      );
      equal(
        ["X-Frame-Options", "Referrer-Policy", "X-More", "X-Content-Type-Options"].map((name) => changed.get(name)),
        ["DENY", null, "1", "own"],
      );
    },
  },
  {
    name: "19.20 secureHeaders: a value with a line break is refused at once",
    run: async () => {
      const error = await thrownBy(() => secureHeaders({ "X-More": "a\r\nX-B: c" }));
      ok(error instanceof TypeError && error.message.startsWith("secureHeaders: "), `no such TypeError: ${error}`);
    },
  },
  {
    name: "19.21 compose: the first is the outermost, and the compiler knows what each adds",
    run: async () => {
      const adding =
        <Key extends string>(key: Key): Middleware<Record<Key, string>> => (inner) => (environ, startResponse) => {
          const so = String(environ["site.log"] ?? "");
          return inner(
            Object.assign(environ, { [key]: key, "site.log": `${so}${key}` }) as Parameters<typeof inner>[0],
            startResponse,
          );
        };
      const site = compose(adding("x.a"), cors(), adding("x.b"))((environ, startResponse) => {
        const both: string = environ["x.a"] + environ["x.b"];
        // @ts-expect-error: nobody adds it
        const none: string = environ["x.c"];
        startResponse("200 OK", [["Content-Type", "text/plain"]]);
        return [both, String(none), String(environ["site.log"])];
      });
      equal(await (await client(site).get("/")).text(), "x.ax.bundefinedx.ax.b");
      equal(compose()(site) === site, true);
    },
  },
];
