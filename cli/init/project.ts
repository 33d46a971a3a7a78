/**
 * The files of a new project that are the same on every runtime: the application, its test, the settings; and its README.
 *
 * They are text in a module, because a module that comes over the network has no files beside it.
 *
 * @module
 */

import { manifest, type ProjectFile, type ProjectRuntime, PROJECTS } from "./runtimes.ts";
import { deployFiles } from "./deploy.ts";

const APP = `/** The application: a function of the request that gives the body of the response (WSGI, PEP 3333). */

import type { Environ, StartResponse } from "tsgi";

export function app(environ: Environ, startResponse: StartResponse): string[] {
  const type: [string, string] = ["Content-Type", "text/plain; charset=utf-8"];
  if (environ.PATH_INFO !== "/") {
    startResponse("404 Not Found", [type]);
    return ["There is nothing here.\\n"];
  }
  startResponse("200 OK", [type]);
  const query = new URLSearchParams(environ.QUERY_STRING);
  return ["Hello ", query.get("name") ?? "world", "\\n"];
}
`;

const TEST = `/** Tests of the application: no server runs, and the validator checks that it keeps to the contract. */

import assert from "node:assert/strict";
import test from "node:test";
import { client } from "tsgi/testing";
import { validator } from "tsgi/wsgiref/validate";
import { app } from "./app.ts";

const visitor = client(validator(app));

test("greets the world, or whom the query names", async () => {
  const plain = await visitor.get("/");
  assert.equal(plain.status, 200);
  assert.equal(await plain.text(), "Hello world\\n");
  const named = await visitor.get("/?name=J%C3%BCrgen");
  assert.equal(await named.text(), "Hello Jürgen\\n");
});

test("knows no other page", async () => {
  assert.equal((await visitor.get("/nowhere")).status, 404);
});
`;

const CONFIG =
  `/** Settings of the command "tsgi". Its options and the variables TSGI_* win over them: "tsgi --help" has all. */

export default {
  wsgiApp: "./app.ts:app",
  accessLogfile: "-",
};
`;

const TSCONFIG = {
  compilerOptions: {
    target: "ES2023",
    module: "NodeNext",
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    types: ["node"],
  },
};

/** The files of a project. */
export function projectFiles(runtime: ProjectRuntime, name: string): ProjectFile[] {
  const { manifest: file } = PROJECTS[runtime];
  return [
    { path: "app.ts", what: "the application", text: APP },
    { path: "app.test.ts", what: "its test", text: TEST },
    { path: "tsgi.config.ts", what: "settings of the command", text: CONFIG },
    { path: file, what: "what it needs, and how it is started", text: manifest(runtime, name) },
    ...(runtime === "deno" ? [] : [
      { path: "tsconfig.json", what: "options of the compiler", text: `${JSON.stringify(TSCONFIG, null, 2)}\n` },
      { path: ".gitignore", what: "what does not belong in the repository", text: "node_modules/\n" },
    ]),
    { path: "README.md", what: "how to run and deploy it", text: readme(runtime, name) },
    ...deployFiles(runtime, name),
  ];
}

function readme(runtime: ProjectRuntime, name: string): string {
  const { install, test, start, dev } = PROJECTS[runtime];
  const rows: [string, string][] = [
    ...(install === null ? [] : [[install, "once"] as [string, string]]),
    [test, "runs the tests"],
    [dev, "serves, and reloads when a file changes"],
    [start, "serves on http://127.0.0.1:8000/, or the port in PORT"],
  ];
  const width = Math.max(...rows.map(([command]) => command.length));
  const commands = rows.map(([command, what]) => `${command.padEnd(width)}  # ${what}\n`).join("");
  return `# ${name}

A web application for [tsgi](https://www.npmjs.com/package/tsgi): \`app.ts\`.

\`\`\`sh
${commands}\`\`\`

Settings are in \`tsgi.config.ts\`. Each is also an option of the command
\`tsgi\` and a variable: \`workers\`, \`--workers\`, \`TSGI_WORKERS\`.

## Deploy

With systemd and nginx, on a server that has the project in
\`/srv/${name}\`${install === null ? "" : `, after \`${install}\` there`}:

\`\`\`sh
cp deploy/${name}.service deploy/${name}.socket /etc/systemd/system/
systemctl daemon-reload
systemctl enable --now ${name}.socket ${name}.service
cp deploy/nginx.conf /etc/nginx/conf.d/${name}.conf  # set server_name first
systemctl reload nginx
\`\`\`

\`systemctl reload ${name}\` takes new code and settings without losing a request.

Or in a container:

\`\`\`sh
docker build -t ${name} .
docker run -p 127.0.0.1:8000:8000 ${name}
\`\`\`

The image runs the command under tini. An image without an init needs
\`docker run --init\`, or \`init: true\` in a compose file. Signals belong to the
command itself, as in the Dockerfile and the unit: npm and npx may keep them.
`;
}
