/** A cell of the behaviour suite, by the sockets of the runtime, with all transparent middleware around every application. */

import { asFunction } from "../../../core/contract/application.ts";
import { type ApplicationFunction, serve } from "../../../mod.ts";
import { announce } from "../../behaviour/apps/app.ts";
import { transparent } from "../transparent.ts";

await announce(async ({ app, options }) => {
  const wrapped = transparent.reduceRight<ApplicationFunction>((inner, wrap) => wrap(inner), asFunction(app));
  const server = await serve(wrapped, { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...options });
  return server.address.port;
});
