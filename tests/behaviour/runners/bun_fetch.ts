/** Bun.serve with the fetch adapter: the host parses and serializes. */

import { toFetch } from "../../../adapters/fetch.ts";
import { announce } from "../apps/app.ts";

type Handler = (request: Request, info: unknown) => Response | Promise<Response>;
declare const Bun: {
  serve(options: { hostname: string; port: number; fetch: Handler; idleTimeout: number }): { readonly port: number };
};

await announce(({ app, options }) => {
  const handler = toFetch(app, options) as unknown as Handler;
  return Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 60, fetch: handler }).port;
});
