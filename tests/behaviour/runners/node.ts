/** Node through the host-finding `serve`: it must pick node:net. */

import { serve } from "../../../mod.ts";
import { announce } from "../apps/app.ts";

await announce(async ({ app, options }) => {
  const server = await serve(app, { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...options });
  return server.address.port;
});
