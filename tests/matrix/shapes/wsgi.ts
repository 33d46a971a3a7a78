/** The routes as a WSGI application. */

import type { Body, Environ, StartResponse } from "../../../mod.ts";
import { BLOCKS, FAILURE, gate, receipt } from "./work.ts";

/** A function. */
export async function app(environ: Environ, startResponse: StartResponse): Promise<Body> {
  const query = new URLSearchParams(environ.QUERY_STRING);
  const ok = (): unknown => startResponse("200 OK", [["Content-Type", "text/plain"]]);
  switch (environ.PATH_INFO) {
    case "/hello":
      ok();
      return `hello ${query.get("n")}`;
    case "/upload": {
      const text = receipt(await environ["wsgi.input"].read());
      ok();
      return text;
    }
    case "/stream":
      ok();
      return blocks(query.get("gate") as string);
    case "/fail":
      throw new Error(FAILURE);
    case "/cut":
      ok();
      return cut(query.get("gate") as string);
    case "/redirect":
      startResponse("302 Found", [["Location", "/hello?n=1"], ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]]);
      return [];
    case "/client":
      ok();
      return environ.REMOTE_ADDR ?? "";
  }
  startResponse("404 Not Found", []);
  return [];
}

async function* blocks(path: string): AsyncGenerator<string> {
  yield BLOCKS[0];
  await gate(path);
  yield BLOCKS[1];
}

async function* cut(path: string): AsyncGenerator<string> {
  yield BLOCKS[0];
  await gate(path);
  throw new Error(FAILURE);
}

export default app;
