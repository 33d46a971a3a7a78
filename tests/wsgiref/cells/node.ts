/** The behaviour suite's applications, each with a validator around it, through the Node adapter. @module */

import { serve } from "../../../adapters/node.ts";
import { validator } from "../../../wsgiref/validate.ts";
import { announce } from "../../behaviour/apps/app.ts";

await announce(async ({ app, options }) => {
  const server = await serve(validator(app), { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...options });
  return server.address.port;
});
