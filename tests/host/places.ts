/**
 * Serves at the places of the options in TSGI_SERVE, and tells their addresses; the response has the facts of the request.
 *
 *     <runtime> tests/host/places.ts <native | net>
 *
 * A request for /wait waits until one for /stop begins the end of the server. The process ends with it.
 *
 * @module
 */

import process from "node:process";
import { serve as netServe } from "../../adapters/node.ts";
import { type Application, serve as nativeServe, type ServeOptions, type Server } from "../../mod.ts";

const KEYS = ["SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "REMOTE_PORT", "HTTPS", "wsgi.url_scheme"];

let server: Server | undefined;
let release = (): void => {};

const app: Application = async (environ, startResponse) => {
  if (environ.PATH_INFO === "/wait") {
    await new Promise<void>((resolve) => {
      release = resolve;
      console.log("waits");
    });
  }
  if (environ.PATH_INFO === "/stop") {
    server?.shutdown({ timeout: 10 });
    release();
  }
  startResponse("200 OK", [["Content-Type", "application/json"]]);
  return JSON.stringify(Object.fromEntries(KEYS.map((key) => [key, environ[key]])));
};

const serve = process.argv[2] === "net" ? netServe : nativeServe;
try {
  const options: ServeOptions = {
    ...JSON.parse(process.env.TSGI_SERVE as string) as ServeOptions,
    onListen: (address, addresses) => console.log(`listens ${JSON.stringify([address, ...addresses])}`),
  };
  server = await serve(app, options);
  if (JSON.stringify(server.addresses[0]) !== JSON.stringify(server.address)) throw new Error("another first address");
  await server.finished;
} catch (error) {
  console.log(`listens not: ${(error as Error).name}: ${(error as Error).message}`);
}
