/**
 * What a module may export, and where a program may wait: modules as compilers and authors write them.
 */

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCommand } from "../server_process.ts";
import { ended, runtimes, until, withCommand } from "./command.ts";

const APP = '(_environ, start) => (start("200 OK", []), "served\\n")';
const LISTENS = 'createServer((_request, response) => response.end("served\\n"))';
const HTTP = 'import { createServer } from "node:http"; import { once } from "node:events";';

const served: readonly { readonly name: string; readonly file: string; readonly text: string }[] = [
  { name: "CommonJS with a member `app`", file: "app.cjs", text: `exports.app = ${APP};` },
  {
    name: "CommonJS that a compiler has made of a default export",
    file: "app.cjs",
    text: `Object.defineProperty(exports, "__esModule", { value: true }); exports.default = ${APP};`,
  },
  {
    name: "a default export of settings beside `app`",
    file: "app.mjs",
    text: `export default {}; export const app = ${APP};`,
  },
  { name: "a promise of the application", file: "app.mjs", text: `export default Promise.resolve(${APP});` },
  {
    name: "a promise of a program that listens and goes on",
    file: "app.mjs",
    text: `${HTTP} const main = async () => once(${LISTENS}.listen(3000), "close"); export default main();`,
  },
  {
    name: "2e a server of node:http with a class of its own",
    file: "app.mjs",
    text: `import { createServer, ServerResponse } from "node:http";
      class Response extends ServerResponse { text(body) { this.end(body); } }
      export default createServer({ ServerResponse: Response }, (_request, response) => response.text("served\\n"));`,
  },
  {
    name: "a program that waits for the end of its server",
    file: "app.mjs",
    text: `${HTTP} await once(${LISTENS}.listen(3000), "close"); console.log("program: the end");`,
  },
];

/** Runs with a port of this machine that is in use. */
async function withPort(run: (port: number) => Promise<void>): Promise<void> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await run((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

describe.concurrent.each(runtimes)("%s", (runtime) => {
  it.each(served)("serves $name", async ({ file, text }) => {
    await withCommand(runtime, { args: [file], files: { [file]: text } }, async (command) => {
      expect(await command.get("/")).toBe("served\n");
      command.kill("SIGTERM");
      expect(await command.exit()).toEqual({ code: 0, signal: null });
    });
  });

  it("serves the export of a module that listens later, and says that the call has no effect", async () => {
    const text =
      `${HTTP} export const app = ${APP}; setTimeout(() => ${LISTENS}.listen(3000, () => console.log("told")), 1);`;
    await withCommand(runtime, { args: ["app.mjs"], files: { "app.mjs": text } }, async (command) => {
      await command.logged(/calls listen\(\) on port 3000, which has no effect/);
      await until("the program hears that it listens", () => command.out.includes("told"));
      expect(await command.get("/")).toBe("served\n");
      command.kill("SIGTERM");
      expect(await command.exit()).toEqual({ code: 0, signal: null });
    });
  });

  it.each([
    { args: ["app.mjs:app"] },
    { args: ["--app-type", "wsgi", "app.mjs"] },
  ])("2a the export that $args names is served, and nothing that the module listens with", async ({ args }) => {
    const text = `${HTTP} export const app = ${APP};
      const port = Number(process.env.OWN_PORT);
      const server = ${LISTENS}.listen(port, () => {
        console.log("told", server.listening);
        server.close(() => console.log("closed"));
      });
      globalThis.Deno?.serve({ port, onListen() {} }, () => new Response("x"));
      globalThis.Bun?.serve({ port, fetch: () => new Response("x") });`;
    const calls = ["listen\\(\\)", ...(runtime === "node" ? [] : runtime === "deno" ? ["Deno.serve"] : ["Bun.serve"])];
    await withPort(async (port) => { // which is in use: whoever really listens there fails
      const options = { args, files: { "app.mjs": text }, env: { OWN_PORT: String(port) } };
      await withCommand(runtime, options, async (command) => {
        await until("the module hears of its server", () => command.out === "told true\nclosed\n");
        for (const call of calls) {
          expect(command.log).toMatch(new RegExp(`calls ${call} on port ${port}, which has no effect`));
        }
        expect(await command.get("/")).toBe("served\n"); // although a server of the module was closed
        command.kill("SIGTERM");
        expect(await command.exit()).toEqual({ code: 0, signal: null });
        expect(command.log.match(/Booting worker/g)).toHaveLength(1);
      });
    });
  });

  it("2a with --extra-listen allow, what a module with a named export listens with really listens", async () => {
    const text = `${HTTP} export const app = ${APP};
      const server = ${LISTENS}.listen(0, "127.0.0.1", () => console.log("at", server.address().port));`;
    const options = { args: ["--extra-listen", "allow", "app.mjs:app"], files: { "app.mjs": text } };
    await withCommand(runtime, options, async (command) => {
      await until("the port", () => command.out.includes("at "));
      const [, port] = /at (\d+)/.exec(command.out) as unknown as [string, string];
      expect(Number(port)).not.toBe(command.port);
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("served\n");
      expect(await command.get("/")).toBe("served\n");
    });
  });

  it("2e a port of node:net that is in use: the log says that each worker listens there", async () => {
    await withPort(async (port) => {
      const text = `import { createServer } from "node:net"; export const app = ${APP};
        createServer().listen(${port}, "127.0.0.1");`;
      const options = { args: ["-b", "127.0.0.1:0", "app.mjs"], files: { "app.mjs": text } };
      expect((await ended(runtime, options)).err).toMatch(/EADDRINUSE[^]*Each worker runs the whole module/);
    });
  });

  it.each([
    {
      name: "whose promise is rejected",
      text: 'export default Promise.reject(new Error("no database"));',
      says: /no database/,
    },
    {
      name: "that throws behind its call to listen",
      text: `${HTTP} ${LISTENS}.listen(3000); throw new Error("no key");`,
      says: /no key/,
    },
  ])("does not load a module $name", async ({ text, says }) => {
    const { code, err } = await ended(runtime, { args: ["-b", "127.0.0.1:0", "app.mjs"], files: { "app.mjs": text } });
    expect(code).toBe(3);
    expect(err).toMatch(/Cannot load the application app\.mjs/);
    expect(err).toMatch(says);
  });

  it("--check-config ends with the reason where a program never listens", async () => {
    const options = {
      args: ["--check-config", "--boot-timeout", "1", "app.mjs"],
      files: { "app.mjs": "setInterval(() => {}, 1000);" },
    };
    const { code, err } = await ended(runtime, options);
    expect(code).toBe(3);
    expect(err).toMatch(/has not listened within 1 s/);
  });

  it("tsgi cgi: what a program logs before it listens is no part of the response", () => {
    const folder = mkdtempSync(join(tmpdir(), "tsgi-cgi-"));
    try {
      writeFileSync(join(folder, "app.mjs"), `${HTTP} console.log("starting"); ${LISTENS}.listen(3000);`);
      const { binary, args } = runCommand(runtime, "cli/main.ts", ["-A"]);
      const request = { GATEWAY_INTERFACE: "CGI/1.1", REQUEST_METHOD: "GET", SERVER_NAME: "a", SERVER_PORT: "80" };
      const { stdout, stderr, status } = spawnSync(binary, [...args, "cgi", "app.mjs"], {
        cwd: folder,
        encoding: "utf8",
        env: { ...process.env, ...request, SERVER_PROTOCOL: "HTTP/1.1", SCRIPT_NAME: "/x" },
      });
      expect(stdout).toMatch(/^Status: 200 OK\r?\n[^]*served\n$/);
      expect([stderr, status]).toEqual(["starting\n", 0]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("node", () => {
  it("--check-config ends at once where nothing is left that could listen", async () => {
    const { code, err } = await ended("node", {
      args: ["--check-config", "app.mjs"],
      files: { "app.mjs": "export {};" },
    });
    expect([code, err]).toEqual([3, expect.stringMatching(/has not listened when nothing was left to wait for/)]);
  });
});
