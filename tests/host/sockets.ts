/**
 * Every kind of listening socket, used by a program: arguments are the adapter (`native` or `net`) and the kind.
 * What happens is printed, a line each.
 */

import { existsSync, statSync } from "node:fs";
import { request, type RequestOptions } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { serve as nodeServe } from "../../adapters/node.ts";
import { type Application, serve as nativeServe, type ServeOptions, type Server } from "../../mod.ts";

const [, , adapter, kind] = process.argv;
const serve = adapter === "net" ? nodeServe : nativeServe;

const app: Application = (environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  const { SERVER_NAME, SERVER_PORT, REMOTE_ADDR = "none" } = environ;
  return [`${SERVER_NAME} ${SERVER_PORT} ${REMOTE_ADDR}`];
};

function get(options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ ...options, agent: false }, (response) => {
      let text = "";
      response.on("data", (part) => text += part).on("end", () => resolve(text));
    }).on("error", reject).end();
  });
}

async function attempt(options: ServeOptions): Promise<Server | undefined> {
  try {
    return await serve(app, { onListen: () => {}, ...options });
  } catch (error) {
    console.log(`${(error as Error).name}: ${(error as Error).message.replace(path, "PATH")}`);
    return undefined;
  }
}

const path = join(tmpdir(), `tsgi-test-${process.pid}.sock`);

switch (kind) {
  case "unix": {
    const server = await attempt({ path, mode: 0o640 });
    console.log(server?.address.path === path, (statSync(path).mode & 0o777).toString(8));
    console.log(await get({ socketPath: path }));
    await attempt({ path });
    await server?.shutdown({ timeout: 0 });
    console.log(existsSync(path));
    break;
  }
  case "dead unix": {
    // The path is left behind by a process that was killed: the test has made it.
    const dead = process.argv[4] as string;
    const server = await attempt({ path: dead });
    console.log(await get({ socketPath: dead }));
    await server?.shutdown({ timeout: 0 });
    break;
  }
  case "not a socket":
    await attempt({ path: process.argv[4] as string });
    break;
  case "fd": {
    const server = await attempt({ fd: 3 });
    if (server !== undefined) console.log(await get({ port: Number(process.argv[4]) }), JSON.stringify(server.address));
    await server?.shutdown({ timeout: 0 });
    break;
  }
  case "bad fd":
    await attempt({ fd: 99 });
    break;
  case "reusePort": {
    const first = await attempt({ port: 0, reusePort: true });
    if (first === undefined) break;
    const second = await attempt({ port: first.address.port, reusePort: true });
    console.log(first.address.port === second?.address.port);
    await Promise.all([first.shutdown({ timeout: 0 }), second?.shutdown({ timeout: 0 })]);
    break;
  }
  case "backlog": {
    const server = await attempt({ port: 0, backlog: 7 });
    if (server === undefined) break;
    const { execFileSync } = await import("node:child_process");
    const line = execFileSync("ss", ["-ltnH", "sport", "=", `:${server.address.port}`]).toString();
    console.log(line.split(/\s+/)[2]);
    await server.shutdown({ timeout: 0 });
    break;
  }
}
