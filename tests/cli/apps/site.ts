/**
 * The application of the command's tests, which is also what tests/lifecycle/load.ts asks for.
 *
 * @module
 */

import process from "node:process";
import type { Body, Environ, StartResponse } from "../../../mod.ts";

/** The application. */
export async function app(environ: Environ, startResponse: StartResponse): Promise<Body> {
  const query = new URLSearchParams(environ.QUERY_STRING);
  const ok = (): unknown => startResponse("200 OK", [["Content-Type", "text/plain"], ["X-Seen", "yes"]]);
  switch (environ.PATH_INFO) {
    case "/wait":
      await new Promise((resolve) => setTimeout(resolve, Number(query.get("ms"))));
      ok();
      return ["waited"];
    case "/pid":
      ok();
      return [`${process.pid}`];
    case "/block":
      for (const end = performance.now() + Number(query.get("ms") ?? Infinity); performance.now() < end;);
      ok();
      return ["unblocked"];
    case "/throw":
      setTimeout(() => {
        throw new Error("thrown on purpose");
      });
      ok();
      return ["thrown"];
    case "/about": {
      ok();
      const { SERVER_NAME, SERVER_PORT, SCRIPT_NAME, PATH_INFO } = environ;
      return [
        JSON.stringify({
          SERVER_NAME,
          SERVER_PORT,
          SCRIPT_NAME,
          PATH_INFO,
          multiprocess: environ["wsgi.multiprocess"],
          uid: process.getuid?.(),
          gid: process.getgid?.(),
          groups: process.getgroups?.(),
          umask: process.umask().toString(8),
          directory: process.cwd(),
          greeting: process.env["GREETING"] ?? null,
          internal: Object.keys(process.env).filter((name) => /^(TSGI_ROLE|LISTEN_)/.test(name)),
        }),
      ];
    }
    case "/errors":
      environ["wsgi.errors"].write("a word to wsgi.errors\n");
      ok();
      return ["written"];
    case "/slow":
      ok();
      return (async function* () {
        for (let i = 0; i < Number(query.get("blocks")); i++) {
          yield "block ";
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      })();
  }
  ok();
  return [`ok ${environ.QUERY_STRING}`];
}
