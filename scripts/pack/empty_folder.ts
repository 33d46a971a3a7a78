/**
 * Follows the documentation's steps for a newcomer, from an empty folder to the first response, on each runtime.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { root } from "../package/manifest.ts";
import { hostOf, hosts, newestNode } from "./hosts.ts";
import { consumer, npm, packed } from "./package.ts";
import { run, Running } from "./process.ts";

/** A documented way to begin. */
interface Start {
  readonly name: string;
  /** Fills the folder, in which the package is installed. @returns the program to run. */
  readonly fill: (folder: string) => Promise<string> | string;
  /** The expected response. */
  readonly answers: readonly { readonly request: RequestInit; readonly text: string }[];
}

const STARTS: readonly Start[] = [
  {
    name: "readme",
    fill: (folder) => {
      const example = /^```ts\n\/\/ (app\.ts)\n([\s\S]*?)^```$/m.exec(readFileSync(join(root, "README.md"), "utf8"));
      if (example === null) throw new Error("README.md has no example app.ts");
      const [, file, text] = example as unknown as [string, string, string];
      writeFileSync(join(folder, file), text);
      return file;
    },
    answers: [
      { request: {}, text: "3\n2\n1\n" },
      { request: { method: "POST", body: "ping" }, text: "ping" },
    ],
  },
];

/** The projects of `tsgi init`. tests/cli/init_install.test.ts also serves them, and makes one for Deno. */
const PROJECTS = { node: [newestNode.binary, "--test"], bun: [hostOf("bun").binary, "test"] } as const;

/** Makes projects with the command of the package, and runs their tests with the package in its place. */
async function projects(): Promise<void> {
  const folder = await consumer("empty-init");
  for (const [runtime, [binary, test]] of Object.entries(PROJECTS)) {
    await npm(["exec", "--offline", "--", "tsgi", "init", runtime, "--runtime", runtime], folder);
    const cwd = join(folder, runtime);
    await npm(["install", "--silent", "--prefer-offline", "--omit=dev", "--no-audit", "--no-fund", packed()], cwd);
    await run({ binary, args: [test], cwd });
  }
}

/** Tries each way on each runtime. */
export async function emptyFolders(): Promise<void> {
  await projects();
  for (const { name, fill, answers } of STARTS) {
    const folder = await consumer(`empty-${name}`);
    const file = await fill(folder);
    await Promise.all(hosts.map(async (host) => {
      const args = host.run(file, [], ["--allow-net", "--allow-env=PORT"]);
      const server = new Running({ binary: host.binary, args, cwd: folder, env: { PORT: "0" } });
      try {
        const [origin] = await server.says(/http:\/\/127\.0\.0\.1:\d+/);
        for (const { request, text } of answers) {
          const answer = await (await fetch(origin, request)).text();
          if (answer !== text) throw server.failure(`answered ${JSON.stringify(answer)}, not ${JSON.stringify(text)}`);
        }
        server.signal("SIGTERM");
        const code = await server.exit();
        if (code !== 0 && process.platform !== "win32") throw server.failure(`ended with ${code}`);
      } finally {
        server.kill();
      }
    }));
  }
}
