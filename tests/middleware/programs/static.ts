/**
 * Serves a folder in several ways, each behind a validator, and prints the ports in one line of JSON.
 *
 * @module
 */

import process from "node:process";
import { sendFile, staticFiles } from "../../../middleware/mod.ts";
import { type ApplicationFunction, serve } from "../../../mod.ts";
import { validator } from "../../../wsgiref/validate.ts";

const folder = process.argv[2] as string;

const inner: ApplicationFunction = (environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return [`inner ${environ.REQUEST_METHOD} ${environ.PATH_INFO}`];
};

const ways: Readonly<Record<string, { readonly app: ApplicationFunction; readonly scriptName?: string }>> = {
  plain: { app: staticFiles(folder) },
  mounted: { app: staticFiles(folder, { listing: true, dotfiles: [".well-known"] }), scriptName: "/app" },
  passing: { app: staticFiles(folder, { next: inner, index: false }) },
  sending: {
    app: (environ, startResponse) => sendFile(environ, startResponse, `${folder}${environ.PATH_INFO}`),
  },
};

const ports: Record<string, number> = {};
for (const [name, { app, scriptName = "" }] of Object.entries(ways)) {
  const server = await serve(validator(app), { hostname: "127.0.0.1", port: 0, scriptName, onListen: () => {} });
  ports[name] = server.address.port;
}
console.log(JSON.stringify(ports));
