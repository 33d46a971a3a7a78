/** A server with TLS: its options are the first argument, in JSON. Each response shows what the environ says. */

import process from "node:process";
import { serve, type ServeOptions } from "../../mod.ts";

const options = JSON.parse(process.argv[2] as string) as ServeOptions;
const SHOWN = /^(?:SSL_|HTTPS$|REMOTE_|SERVER_PORT$|wsgi\.url_scheme$)/;

await serve((environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "application/json"]]);
  return JSON.stringify(Object.fromEntries(Object.entries(environ).filter(([name]) => SHOWN.test(name))));
}, {
  ...(options.listen === undefined ? { port: 0 } : {}),
  ...options,
  onListen: (_address, addresses) => {
    console.log(`ports ${addresses.map((one) => one.transport === "tcp" ? one.port : 0).join(" ")}`);
  },
});
