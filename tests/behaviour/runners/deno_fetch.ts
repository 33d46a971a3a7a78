/** Deno.serve with the fetch adapter: the host parses and serializes. */

import { toFetch } from "../../../adapters/fetch.ts";
import { announce } from "../apps/app.ts";

type Handler = (request: Request, info: unknown) => Response | Promise<Response>;
declare const Deno: {
  serve(
    options: { hostname: string; port: number; onListen: () => void },
    handler: Handler,
  ): { readonly addr: { readonly port: number } };
};

await announce(({ app, options }) => {
  const handler = toFetch(app, options) as unknown as Handler;
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler).addr.port;
});
