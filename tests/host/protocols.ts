/**
 * A server of the protocol that the first argument names, on the adapter that the second names, at the path that the
 * third gives or at a port. It prints its port, and ends with its standard input.
 */

import process from "node:process";
import { serve as netServe } from "../../adapters/node.ts";
import { type Application, type Protocol, serve as nativeServe, type ServeOptions } from "../../mod.ts";

const [, , protocol, adapter, path, allowIps] = process.argv;

const app: Application = async (environ, startResponse) => {
  const body = await environ["wsgi.input"].read();
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return [
    `${environ.REQUEST_METHOD} ${environ.PATH_INFO} ${environ.SERVER_NAME} ${environ.REMOTE_ADDR} ${body.length}`,
  ];
};

const serve = adapter === "net" ? netServe : nativeServe;
const server = await serve(app, {
  protocol: protocol as Protocol,
  ...(path === undefined || path === "" ? { port: 0 } : { path }),
  ...(allowIps === undefined ? {} : { allowIps: [allowIps] }),
  onListen: (address) => console.log(`port ${address.transport === "tcp" ? address.port : 0}`),
} as ServeOptions);
await server.finished;
