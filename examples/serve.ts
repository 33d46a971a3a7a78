/** Hello: the smallest application, and how to serve it. Run it with `node`, `deno run --allow-net` or `bun run`. */

import { type Environ, isMain, serve, type StartResponse } from "../mod.ts";

export function app(environ: Environ, startResponse: StartResponse): string[] {
  startResponse("200 OK", [["Content-Type", "text/plain; charset=utf-8"]]);
  return [`Hello from ${environ.PATH_INFO}\n`];
}

if (isMain(import.meta)) await serve(app);
