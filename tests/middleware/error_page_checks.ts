/** errorPage. @module */

import type { ApplicationFunction, Chunk } from "../../mod.ts";
import { HttpError, parseJson } from "../../http/mod.ts";
import { errorPage } from "../../middleware/mod.ts";
import { client } from "../../testing/mod.ts";
import { validator } from "../../wsgiref/validate.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";

const broken = (): never => {
  throw new HttpError(404, "No <b> here", { headers: [["X-A", "b"]] });
};

/** Applications that fail before their head is sent. */
const failures: readonly (readonly [string, ApplicationFunction])[] = [
  ["throws", broken],
  ["rejects", async () => await Promise.reject(thrownSync())],
  ["throws after startResponse", (_environ, startResponse) => {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return broken();
  }],
  // deno-lint-ignore require-yield
  ["is a generator that throws", function* (): Generator<Chunk> {
    broken();
  }],
  ["is a generator that throws behind an empty block", function* (_environ, startResponse): Generator<Chunk> {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    yield "";
    broken();
  }],
  ["is an async generator that throws", async function* (_environ, startResponse): AsyncGenerator<Chunk> {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    yield await Promise.resolve("");
    broken();
  }],
  ["promises a generator that throws", async (_environ, startResponse) => {
    await Promise.resolve();
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return (function* (): Generator<Chunk> {
      yield "";
      broken();
    })();
  }],
];

function thrownSync(): unknown {
  try {
    return broken();
  } catch (error) {
    return error;
  }
}

export const errorPageChecks: readonly Check[] = [
  ...failures.map(([name, app]): Check => ({
    name: `19.22 errorPage: an application that ${name}`,
    run: async () => {
      const site = client(validator(errorPage()(app)), { raise: true });
      const response = await site.get("/");
      const { status, headers } = response;
      equal([status, headers.get("X-A"), headers.get("Content-Type")], [404, "b", "text/plain; charset=utf-8"]);
      equal(await response.text(), "404 Not Found\nNo <b> here\n");
      equal(response.log, "");
    },
  })),
  {
    name: "19.22 errorPage: HTML is escaped, JSON is a problem, and a page can be one's own",
    run: async () => {
      const get = async (accept: string, own?: Parameters<typeof errorPage>[0]) => {
        const response = await client(errorPage(own)(broken)).get("/", { headers: { Accept: accept } });
        return [response.headers.get("Content-Type"), await response.text()];
      };
      const [type, page] = await get("text/html,application/xhtml+xml,*/*;q=0.8");
      equal(type, "text/html; charset=utf-8");
      ok(page?.includes("<h1>404 Not Found</h1>") && page.includes("No &lt;b&gt; here"), String(page));
      equal(await get("application/problem+json"), [
        "application/problem+json",
        '{"status":404,"title":"Not Found","detail":"No <b> here"}',
      ]);
      equal((await get("image/png"))[0], "text/plain; charset=utf-8");
      equal((await get("text/html", { page: ({ code, detail }) => `${code} ${detail}` }))[1], "404 No <b> here");
    },
  },
  {
    name: "19.22 errorPage: other errors are a 500 that says nothing, and the log has the trace",
    run: async () => {
      for (const thrown of [new RangeError("secret"), "secret", null, undefined]) {
        const response = await client(
          errorPage()(() => {
            throw thrown;
          }),
        ).get("/");
        equal([response.status, await response.text()], [500, "500 Internal Server Error\n"]);
        ok(
          response.log.includes(thrown instanceof Error ? "RangeError: secret" : "Thrown value that is no Error"),
          response.log,
        );
      }
    },
  },
  {
    name: "19.42 errorPage: with tsgi.debug an error that would be a 500 goes on, and no other one",
    run: async () => {
      for (
        const [thrown, status] of [[new RangeError("bug"), 0], [new HttpError(503), 503], [new HttpError(404), 404]]
      ) {
        const fails = errorPage()(() => {
          throw thrown;
        });
        const site = client((environ, start) => fails(Object.assign(environ, { "tsgi.debug": true }), start), {
          raise: true,
        });
        if (status === 0) equal(await thrownBy(() => site.get("/")), thrown);
        else equal((await site.get("/")).status, status);
      }
    },
  },
  {
    name: "19.41 errorPage: the log says which request has failed, as the gateway does",
    run: async () => {
      const fails: ApplicationFunction = (environ) => {
        environ.REQUEST_URI = "/a?b=\x1b[31m\u00e9"; // what a wire passes on as the client sent it
        throw new RangeError("secret");
      };
      const { log } = await client(errorPage()(fails)).post("/");
      ok(log.startsWith("tsgi: POST /a?b=\\x1b[31m\\xe9: RangeError: secret\n"), log);
      ok(log.endsWith("\n") && !log.endsWith("\n\n"), "one line end");
    },
  },
  {
    name: "19.22 errorPage: what is wrong with a body has its status",
    run: async () => {
      const site = client(errorPage()(async (environ) => [String(await parseJson(environ))]));
      equal((await site.post("/", { body: "{", headers: { "Content-Type": "application/json" } })).status, 400);
      equal((await site.post("/", { form: { a: "1" } })).status, 415);
    },
  },
  {
    name: "19.22 errorPage: behind the head the error goes on, and the response is cut off",
    run: async () => {
      for (const kind of ["write", "generator", "async generator"]) {
        const site = client(
          errorPage()((_environ, startResponse) => {
            const write = startResponse("200 OK", [["Content-Type", "text/plain"]]);
            if (kind === "generator") return cut();
            if (kind === "async generator") return asyncCut();
            write("begun");
            throw new RangeError("late");
          }),
          { raise: true },
        );
        const error = await thrownBy(async () => await (await site.get("/")).text());
        ok(error instanceof RangeError || String(error).includes("late"), `${kind}: ${error}`);
      }
    },
  },
  {
    name: "19.22 errorPage: the error of a client that has gone passes",
    run: async () => {
      let passed: unknown;
      const inner = errorPage()(async (environ) => {
        const { signal } = environ["tsgi.request"];
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        throw signal.reason;
      });
      const noticed = new Promise<void>((resolve) => {
        const leaving = new AbortController();
        const site = client(async (environ, startResponse) => {
          try {
            setTimeout(() => leaving.abort(), 0);
            return await inner(environ, startResponse);
          } catch (error) {
            passed = error;
            resolve();
            throw error;
          }
        });
        void site.get("/", { signal: leaving.signal }).catch(() => {});
      });
      await noticed;
      equal((passed as Error).name, "ClientDisconnectedError");
    },
  },
];

function* cut(): Generator<Chunk> {
  yield "begun";
  throw new RangeError("late");
}

async function* asyncCut(): AsyncGenerator<Chunk> {
  yield await Promise.resolve("begun");
  throw new RangeError("late");
}
