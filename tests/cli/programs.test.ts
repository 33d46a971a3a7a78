/**
 * Programs that listen by themselves, and applications of frameworks, run by the command as they are.
 */

import { describe, expect, it } from "vitest";
import { applicationOf } from "../../cli/app_type.ts";
import { typeOf } from "../../core/contract/application.ts";
import { listenCall } from "../../cli/programs/node_listen.ts";
import { ended, projectPath, runtimes, withCommand } from "./command.ts";
import { nothingLost, underLoad } from "./load.ts";

const program = (name: string): string => projectPath(`tests/cli/programs/${name}`);

describe("listen() is understood in all its forms", () => {
  const done = (): void => {};
  const { signal } = new AbortController();
  it.each([
    { args: [3000], where: 3000, host: undefined },
    { args: ["3000", "::1", 5, done], where: 3000, host: "::1", callback: done },
    { args: [done], where: undefined, host: undefined, callback: done },
    { args: [], where: undefined, host: undefined },
    { args: ["/run/app.sock"], where: "/run/app.sock", host: undefined },
    { args: [{ port: 3000, host: "localhost" }, done], where: 3000, host: "localhost", callback: done },
    { args: [{ port: 1, signal }], where: 1, host: undefined, signal },
    { args: [{ path: "/run/app.sock" }], where: "/run/app.sock", host: undefined },
  ])("$args", ({ args, where, host, callback, signal }) => {
    expect(listenCall(args)).toEqual({ where, host, callback, signal });
  });
});

describe("the kind of an application, by its marks", () => {
  const method = (): void => {};
  it.each([
    { name: "a function", value: (_a: unknown, _b: unknown) => {}, type: "wsgi" },
    { name: "a function of one argument", value: (_request: unknown) => {}, type: "wsgi" },
    { name: "a class", value: class {}, type: "wsgi" },
    { name: "an object with wsgiApp, whatever else it has", value: { wsgiApp: method, fetch: method }, type: "wsgi" },
    { name: "an object with fetch", value: { fetch: method, port: 3000 }, type: "fetch" },
    { name: "a function with fetch", value: Object.assign(() => {}, { fetch: method }), type: "fetch" },
    { name: "Express", value: Object.assign(() => {}, { handle: method, set: method }), type: "node" },
    { name: "connect", value: Object.assign(() => {}, { handle: method, use: method }), type: "node" },
    { name: "Koa", value: { callback: method, use: method }, type: "node" },
    { name: "Fastify", value: { routing: method, ready: method }, type: "node" },
    { name: "polka", value: { handler: method, listen: method }, type: "node" },
    { name: "null", value: null, type: "wsgi" },
  ])("$name: $type", ({ value, type }) => expect(typeOf(value)).toBe(type));

  it("a value that is none of the kind that was named is refused", async () => {
    await expect(applicationOf({}, "fetch")).rejects.toThrow(/expected a function/i);
    await expect(applicationOf(7, "wsgi")).rejects.toThrow(/Expected an application/);
  });
});

describe.each(runtimes)("%s", (runtime) => {
  it("a module without a package that says what it is exports what it exports", async () => {
    const app = 'export const app = (_: unknown, start: Function) => (start("200 OK", []), "x");';
    const { code, err } = await ended(runtime, { args: ["--check-config", "app"], files: { "app.ts": app } });
    expect([code, err]).toEqual([0, ""]);
  });
});

interface Run {
  readonly file: string;
  readonly only?: "deno" | "bun";
  readonly gets: Readonly<Record<string, string | RegExp>>;
  /** What the program writes when it listens. */
  readonly says?: RegExp;
}

/** Each is run as it is: the port that it names is not the command's. */
const runs: readonly Run[] = [
  {
    file: "plain.cjs",
    gets: { "/": /^plain GET 127\.0\.0\.1 \d+\n$/ },
    says: /program: listens true \{"address":"127\.0\.0\.1","family":"IPv4","port":\d+\}/,
  },
  { file: "plain.mjs", gets: { "/a%2Fb?c": "late /a%2Fb?c\n" } },
  { file: "express.mjs", gets: { "/": "express from 127.0.0.1" } },
  { file: "koa.mjs", gets: { "/x": "koa /x" } },
  { file: "fastify.mjs", gets: { "/": '{"fastify":true}' }, says: /program: http:\/\/127\.0\.0\.1:\d+/ },
  { file: "hono.ts", gets: { "/": "hono" } },
  { file: "classes.mjs", gets: { "/path?query": "/path began true " } }, // 2e
  { file: "deno_aborted.ts", only: "deno", gets: { "/": "served" } }, // 2c
  { file: "bun_again.ts", only: "bun", gets: { "/": "second" }, says: /program: true site/ }, // 2b
  {
    file: "deno_serve.ts",
    only: "deno",
    gets: { "/": /^Deno\.serve to 127\.0\.0\.1 at \d+$/, "/throw": "onError thrown" },
    says: /program: onListen number/,
  },
  {
    file: "bun_serve.ts",
    only: "bun",
    gets: { "/": /^Bun\.serve to 127\.0\.0\.1 at \d+ true$/, "/throw": "error thrown" },
  },
];

describe.concurrent.each(runtimes)("%s", (runtime) => {
  it.each(runs.filter(({ only }) => only === undefined || only === runtime))(
    "runs $file as it is",
    async ({ file, gets, says }) => {
      await withCommand(runtime, { args: [program(file)] }, async (command) => {
        for (const [path, body] of Object.entries(gets)) {
          const text = await command.get(path);
          if (typeof body === "string") expect(text).toBe(body);
          else expect(text).toMatch(body);
        }
        if (says !== undefined) expect(command.log).toMatch(says);
        command.kill("SIGTERM");
        expect(await command.exit()).toEqual({ code: 0, signal: null });
      });
    },
  );

  it("a program that exits at SIGTERM does not cut the requests that run, and its server closes behind them", async () => {
    await withCommand(runtime, { args: [program("plain.cjs")] }, async (command) => {
      const running = command.get("/?ms=700");
      await command.get("/");
      command.kill("SIGTERM");
      expect(await running).toMatch(/^plain GET/);
      expect(await command.exit()).toEqual({ code: 0, signal: null });
      expect(command.log).toContain("program: closed");
    });
  });

  it.each([
    {
      file: "twice.mjs",
      says: /listens a second time: listen\(\) on port 0, after listen\(\) on port 3000.*--extra-listen/,
    },
    { file: "https.mjs", says: /The program listens with TLS/ },
    { file: "http2.mjs", says: /The program listens with TLS/ },
    { file: "behind.mjs", says: /a second time: listen\(\) with TLS on port 3443, after listen\(\) on port 3000/ },
    { file: "http2_plain.mjs", says: /The program listens with HTTP\/2/ },
  ])("$file is refused with the reason", async ({ file, says }) => {
    const { code, err } = await ended(runtime, { args: ["-b", "127.0.0.1:0", program(file)] });
    expect(code).toBe(3);
    expect(err).toMatch(says);
  });

  it.each([
    { name: "an ES module that only its syntax tells", file: "app.js", text: "export const app = " },
    { name: "such a module with an await at its top level", file: "app.js", text: "await 1;\nexport const app = " },
    { name: "a CommonJS module", file: "app.cjs", text: "exports.app = " },
  ])("16 the export app of $name is found without its name", async ({ file, text }) => {
    const app = "(environ, start) => { start('200 OK', []); return ['found']; };\n";
    const files = { [file]: `console.log("run");\n${text}${app}` };
    await withCommand(runtime, { args: [file], files }, async (command) => {
      expect(await command.get("/")).toBe("found");
      expect(command.out).toBe("run\n"); // once
    });
  });

  it("--extra-listen allow lets a second server listen, ignore leaves it out", async () => {
    await withCommand(runtime, { args: ["--extra-listen", "allow", program("twice.mjs")] }, async (command) => {
      expect(await command.get("/")).toBe("first");
      await command.logged(/program: metrics at \d+/);
      const port = Number(/metrics at (\d+)/.exec(command.log)?.[1]);
      expect(port).not.toBe(command.port);
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("metrics");
    });
    await withCommand(runtime, { args: ["--extra-listen", "ignore", program("twice.mjs")] }, async (command) => {
      await command.logged(/program: metrics at \d+/);
      expect(Number(/metrics at (\d+)/.exec(command.log)?.[1])).toBe(command.port);
    });
  });

  it("a server of TLS may be left out behind the first one; a signal given to listen() closes the server", async () => {
    await withCommand(runtime, { args: ["--extra-listen", "ignore", program("behind.mjs")] }, async (command) => {
      await command.logged(/program: with TLS/);
      expect(await command.get("/abort")).toBe("first");
      await command.logged(/program: closed/); // and the worker is replaced
      expect(await command.get("/")).toBe("first");
    });
  });

  it("an Express program with two workers loses no request at a reload", async () => {
    await withCommand(runtime, { args: ["-w", "2", program("load.mjs")] }, async (command) => {
      const tally = await underLoad(command, async () => {
        command.kill("SIGHUP");
        await command.logged(/All workers are ready/, 2, 30_000);
      });
      nothingLost(tally);
    });
  });
});

describe("import.meta.main", () => {
  it.each(["node", "deno"] as const)(
    "is false on %s, and the log says that this is why nothing listens",
    async (runtime) => {
      const { Command } = await import("./command.ts");
      const command = new Command(runtime, { args: ["-b", "127.0.0.1:0", program("meta_main.mjs")] });
      try {
        await command.logged(/import\.meta\.main is true never does in a worker/);
      } finally {
        await command.stop();
      }
    },
  );

  it("is true on bun", async () => {
    await withCommand("bun", { args: [program("meta_main.mjs")] }, async (command) => {
      expect(await command.get("/")).toBe("main");
    });
  });
});
