/**
 * The templates of a new project: a WSGI, Hono or Express application, and its test.
 *
 * All templates answer the same requests in the same way. The command takes an application in the form in which its
 * framework exports it. So the `app.ts` of a framework needs no code for tsgi, and all are started alike.
 *
 * @module
 */

/** The name of a template. */
export type TemplateName = "hono" | "express" | "wsgi";

/** A template. */
export interface Template {
  /** A description that begins a sentence of the project's README. */
  readonly what: string;
  /** The text of app.ts. */
  readonly app: string;
  /** The text of app.test.ts. */
  readonly test: string;
  /** Packages that the application imports, in the versions that tsgi is tested with. */
  readonly packages: Readonly<Record<string, string>>;
  /** Packages with types for those that contain none. */
  readonly types: Readonly<Record<string, string>>;
}

/** The file of the application in every project; the command loads its export. */
export const APP_FILE = "app.ts";

const WSGI_APP =
  `/** The application: a function of the request that gives the body of the response (WSGI, PEP 3333). */

import type { Environ, HeaderList, StartResponse } from "tsgi";

const HEADERS: HeaderList = [["Content-Type", "text/plain; charset=utf-8"]];

export function app(environ: Environ, startResponse: StartResponse): string[] {
  if (environ.PATH_INFO !== "/") {
    startResponse("404 Not Found", HEADERS);
    return ["There is nothing here.\\n"];
  }
  startResponse("200 OK", HEADERS);
  const query = new URLSearchParams(environ.QUERY_STRING);
  return ["Hello ", query.get("name") ?? "world", "\\n"];
}
`;

const HONO_APP = `import { Hono } from "hono";

const app = new Hono();

app.get("/", (c) => c.text(\`Hello \${c.req.query("name") ?? "world"}\\n\`));

export default app;
`;

const EXPRESS_APP = `import express from "express";

const app = express();

app.get("/", (req, res) => {
  res.type("text").send(\`Hello \${req.query["name"] ?? "world"}\\n\`);
});

export default app;
`;

/** How a test reaches the application. */
interface Access {
  /** The comment at the top of the test. */
  readonly about: string;
  /** Code after the imports of the test runner: more imports and the set-up. */
  readonly setUp: string;
  /** The expression of a function that takes a path and returns a response. */
  readonly get: string;
}

function testOf({ about, setUp, get }: Access): string {
  return `/** ${about} */

import assert from "node:assert/strict";
import test from "node:test";
${setUp}
test("greets the world, or whom the query names", async () => {
  const plain = await ${get}("/");
  assert.equal(plain.status, 200);
  assert.equal(await plain.text(), "Hello world\\n");
  const named = await ${get}("/?name=J%C3%BCrgen");
  assert.equal(await named.text(), "Hello Jürgen\\n");
});

test("knows no other page", async () => {
  assert.equal((await ${get}("/nowhere")).status, 404);
});
`;
}

/** The templates, by name. */
export const TEMPLATES: Readonly<Record<TemplateName, Template>> = {
  wsgi: {
    what: "A web application",
    app: WSGI_APP,
    test: testOf({
      about: "Tests of the application: no server runs, and the validator checks that it keeps to the contract.",
      setUp: `import { client } from "tsgi/testing";
import { validator } from "tsgi/wsgiref/validate";
import { app } from "./${APP_FILE}";

const visitor = client(validator(app));
`,
      get: "visitor.get",
    }),
    packages: {},
    types: {},
  },
  hono: {
    what: "A [Hono](https://hono.dev) application",
    app: HONO_APP,
    test: testOf({
      about: "Tests of the application: Hono takes the requests itself, and no server runs.",
      setUp: `import app from "./${APP_FILE}";\n`,
      get: "app.request",
    }),
    packages: { hono: "^4.13.19" },
    types: {},
  },
  express: {
    what: "An [Express](https://expressjs.com) application",
    app: EXPRESS_APP,
    test: testOf({
      about: "Tests of the application: the test client asks it, and no server runs.",
      setUp: `import { fromNodeListener } from "tsgi/bridges/node";
import { client } from "tsgi/testing";
import app from "./${APP_FILE}";

const visitor = client(fromNodeListener(app));
`,
      get: "visitor.get",
    }),
    packages: { express: "^5.3.0" },
    types: { "@types/express": "^5.0.6" },
  },
};
