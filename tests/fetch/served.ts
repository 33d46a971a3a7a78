/** toFetch on the fetch server of this runtime, Deno or Bun: tells what an application sees. It prints its port. @module */

import process from "node:process";
import { toFetch } from "../../adapters/fetch.ts";
import type { ApplicationFunction } from "../../core/contract/types.ts";

type Handler = (request: Request, info: unknown) => Response | Promise<Response>;

interface Hosts {
  readonly Deno?: {
    serve(
      options: { hostname: string; port: number; onListen: () => void } | { path: string; onListen: () => void },
      handler: Handler,
    ): { readonly addr: { readonly port: number } };
  };
  readonly Bun?: {
    serve(options: { hostname: string; port: number; fetch: Handler } | { unix: string; fetch: Handler }): {
      readonly port: number;
    };
  };
}

const KEYS = [
  "REQUEST_METHOD",
  "REQUEST_URI",
  "PATH_INFO",
  "QUERY_STRING",
  "CONTENT_LENGTH",
  "HTTP_HOST",
  "SERVER_NAME",
  "SERVER_PORT",
  "wsgi.url_scheme",
] as const;

const tell: ApplicationFunction = async (environ, startResponse) => {
  if (environ.PATH_INFO === "/hang") await new Promise(() => {});
  const read = environ.PATH_INFO === "/unread" ? "" : await environ["wsgi.input"].read();
  startResponse("200 OK", [["Content-Type", "application/json"]]);
  return JSON.stringify([...KEYS.map((key) => environ[key] ?? null), read.length]);
};

const fetch = toFetch(tell, { requestTimeout: 1 }) as unknown as Handler;
const { Deno, Bun } = globalThis as unknown as Hosts;
const path = process.argv[2];
const address = { hostname: "127.0.0.1", port: 0 };
if (Deno !== undefined) {
  const onListen = (): void => {};
  if (path !== undefined) Deno.serve({ path, onListen }, fetch);
  console.log(`port ${Deno.serve({ ...address, onListen }, fetch).addr.port}.`);
} else {
  if (path !== undefined) Bun?.serve({ unix: path, fetch });
  console.log(`port ${Bun?.serve({ ...address, fetch }).port}.`);
}
