/** The behaviour suite's applications, each with a validator around it, through the host-finding `serve`. @module */

import { validator } from "../../../wsgiref/validate.ts";
import { serve } from "../../../mod.ts";
import { announce } from "../../behaviour/apps/app.ts";

await announce(async ({ app, options }) => {
  const server = await serve(validator(app), { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...options });
  return server.address.port;
});
