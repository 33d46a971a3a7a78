/** The script that tests run: `serve` finds out by itself that it is one. PATH_INFO says what it is to do. */

import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { type Environ, serve, type StartResponse } from "../../../mod.ts";

const PLAIN = [["Content-Type", "text/plain"]] as const;

async function app(environ: Environ, startResponse: StartResponse): Promise<Iterable<string> | AsyncIterable<string>> {
  switch (environ.PATH_INFO) {
    case "/echo": {
      const body = await environ["wsgi.input"].read();
      startResponse("200 OK", PLAIN);
      return [`${body.length} ${body.reduce((sum, octet) => (sum + octet) % 65521, 0)}`];
    }
    case "/large":
      startResponse("200 OK", PLAIN);
      return Array.from({ length: 80 }, () => "x".repeat(65_536));
    case "/stream":
      startResponse("200 OK", PLAIN);
      return stream(environ);
    case "/terminated":
      process.kill(process.pid, "SIGTERM"); // as a web server does that has lost its client
      startResponse("200 OK", PLAIN);
      return stream(environ);
    case "/fails":
      throw new Error("before the head");
    case "/fails/late":
      startResponse("200 OK", PLAIN);
      return failing();
    case "/open":
      setInterval(() => {}, 1000); // nothing that a script leaves open keeps it alive
      startResponse("200 OK", PLAIN);
      return ["open"];
    case "/console":
      for (const method of ["log", "info", "debug", "dir", "dirxml", "trace", "warn", "error"] as const) {
        console[method](`by ${method}`);
      }
      console.log("%s and %o", "formatted", { key: 1 });
      console.table([{ column: "cell" }]);
      console.count("counted");
      console.countReset("counted");
      console.group("grouped");
      console.groupEnd();
      console.groupCollapsed("collapsed");
      console.log("within");
      console.groupEnd();
      console.time("timed");
      console.timeLog("timed");
      console.timeEnd("timed");
      console.assert(false, "asserted");
      startResponse("200 OK", PLAIN);
      return ["body"];
    case "/errors": {
      // More than a pipe has room for, by either way to standard error.
      const size = Number(environ.QUERY_STRING);
      environ["wsgi.errors"].write(`${"e".repeat(size)}\n`);
      console.error("c".repeat(size));
      environ["wsgi.errors"].write("the end\n");
      startResponse("200 OK", PLAIN);
      return ["body"];
    }
    case "/close":
      startResponse("200 OK", PLAIN);
      return closing(environ);
    case "/behind":
      environ["tsgi.request"].waitUntil(pause(50).then(() => environ["wsgi.errors"].write("behind\n")));
      startResponse("200 OK", PLAIN);
      return ["before"];
    default: {
      environ["wsgi.errors"].write("to wsgi.errors\n");
      startResponse("200 OK", PLAIN);
      const shown = Object.entries(environ).filter(([, value]) =>
        typeof value !== "object" && typeof value !== "function"
      );
      return [JSON.stringify(Object.fromEntries(shown))];
    }
  }
}

async function* stream(environ: Environ): AsyncGenerator<string> {
  const { signal } = environ["tsgi.request"];
  try {
    yield "begun\n";
    await Promise.race([pause(30_000), new Promise((resolve) => signal.addEventListener("abort", resolve))]);
    yield "more\n";
  } finally {
    console.error(`finally, ${signal.aborted ? "aborted" : "not aborted"}`);
  }
}

function* failing(): Generator<string> {
  yield "begun";
  throw new Error("after the head");
}

/** Its close() takes a while. */
function closing(environ: Environ): Iterable<string> & { close(): Promise<void> } {
  return Object.assign(["body"], {
    close: async () => {
      await pause(50);
      environ["wsgi.errors"].write("closed\n");
    },
  });
}

await serve(app);
