/**
 * Compiles against the declarations like a consumer: in strict mode, without `skipLibCheck` and without type packages,
 * with each supported compiler and each kind of module resolution.
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { entryPoints, readManifest, root } from "../package/manifest.ts";
import { compilers, newestNode } from "./hosts.ts";
import { consumer } from "./package.ts";
import { run } from "./process.ts";

const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
  types: [],
};

/** Compiler settings of consumers, all in strict mode. */
const SETTINGS: Readonly<Record<string, object>> = {
  "Node's resolution": { target: "ESNext", module: "NodeNext" },
  "a bundler's": { target: "ES2022", module: "ESNext", moduleResolution: "bundler" },
  "@types/node, and no DOM": {
    target: "ES2023",
    lib: ["ES2023"],
    module: "NodeNext",
    types: ["node"],
    typeRoots: [join(root, "node_modules/@types")],
  },
};

const PROGRAM = `
import { type Application, serve, type ServeOptions } from "tsgi";
import { fromNodeListener } from "tsgi/bridges/node";
import { client } from "tsgi/testing";
import { validator } from "tsgi/wsgiref/validate";

export const app: Application = async function* (environ, startResponse) {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  for await (const part of environ["wsgi.input"]) yield part;
  yield environ.PATH_INFO;
};
export const bridged: Application = fromNodeListener((req, res) => {
  res.setHeader("X-Method", req.method ?? "");
  res.end(req.url);
});
interface OwnRequest {
  readonly url?: string;
  readonly own: number;
}
export const typed: Application = fromNodeListener((req: OwnRequest, res: { end(text: string): void }) => {
  res.end(String(req.own));
});
export const options: ServeOptions = { port: 0, protocol: "fastcgi" };
export const stop = async (): Promise<void> => {
  const server = await serve(app, options);
  await server.shutdown({ timeout: 1 });
  const response = await client(validator(app)).get("/");
  const status: number = response.status;
  if (status !== 200) throw new Error(await response.text());
};
// @ts-expect-error -- the declarations are not all any
export const wrong: Application = "no application";
`;

/** Compiles a program that imports everything. */
export async function types(): Promise<void> {
  const names = [...entryPoints(readManifest()).keys()].map((name) => `tsgi${name.slice(1)}`);
  const imports = names.map((name, index) => `import * as entry${index} from "${name}";\n`);
  const all = `export const all: readonly object[] = [${names.map((_, index) => `entry${index}`).join(", ")}];\n`;
  const folder = await consumer("types", {
    "package.json": `{"type":"module"}`,
    "consumer.ts": imports.join("") + PROGRAM + all,
  });
  const projects = Object.values(SETTINGS).map((compilerOptions, index) => {
    const project = join(folder, `tsconfig.${index}.json`);
    const config = { compilerOptions: { ...STRICT, ...compilerOptions }, files: ["consumer.ts"] };
    writeFileSync(project, JSON.stringify(config));
    return project;
  });
  for (const compiler of Object.values(compilers)) {
    const compile = (project: string): Promise<string> =>
      run({ binary: newestNode.binary, args: [compiler, "--project", project], cwd: folder });
    await Promise.all(projects.map(compile));
  }
}
