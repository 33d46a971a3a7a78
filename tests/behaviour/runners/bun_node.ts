/** Bun with the Node adapter, pinned. */

import { serve } from "../../../adapters/node.ts";
import { announce } from "../apps/app.ts";

await announce(async ({ app, options }) => {
  const server = await serve(app, { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...options });
  return server.address.port;
});
