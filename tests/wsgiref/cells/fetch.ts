/** The behaviour suite's applications, each with a validator around it, on the fetch server of this runtime. @module */

import { toFetch } from "../../../adapters/fetch.ts";
import { validator } from "../../../wsgiref/validate.ts";
import { announce } from "../../behaviour/apps/app.ts";

type Handler = (request: Request, info: unknown) => Response | Promise<Response>;

interface Hosts {
  readonly Deno?: {
    serve(
      options: { hostname: string; port: number; onListen: () => void },
      handler: Handler,
    ): { readonly addr: { readonly port: number } };
  };
  readonly Bun?: {
    serve(options: { hostname: string; port: number; fetch: Handler; idleTimeout: number }): { readonly port: number };
  };
}

const { Deno, Bun } = globalThis as unknown as Hosts;

await announce(({ app, options }) => {
  const fetch = toFetch(validator(app), options) as unknown as Handler;
  const address = { hostname: "127.0.0.1", port: 0 };
  if (Deno !== undefined) return Deno.serve({ ...address, onListen: () => {} }, fetch).addr.port;
  if (Bun !== undefined) return Bun.serve({ ...address, idleTimeout: 60, fetch }).port;
  throw new Error("This runtime has no fetch server");
});
