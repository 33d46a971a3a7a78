/**
 * A program for every kind of listening socket. Its arguments are the adapter (`native` or `net`) and the kind. It prints
 * each result on a line.
 */

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, rmSync, statSync, symlinkSync } from "node:fs";
import { request, type RequestOptions } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { serve as nodeServe } from "../../adapters/node.ts";
import { UnixPath } from "../../adapters/unix_path.ts";
import { type Application, serve as nativeServe, type ServeOptions, type Server, type TcpAddress } from "../../mod.ts";

const [, , adapter, kind] = process.argv;
const serve = adapter === "net" ? nodeServe : nativeServe;

const app: Application = (environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  const { SERVER_NAME, SERVER_PORT, REMOTE_ADDR = "none" } = environ;
  return [`${SERVER_NAME} ${SERVER_PORT} ${REMOTE_ADDR}`];
};

let requests = 0;
const counting: Application = (environ, startResponse) => {
  requests++;
  return app(environ, startResponse) as string[];
};

function get(options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ ...options, agent: false }, (response) => {
      let text = "";
      response.on("data", (part) => text += part).on("end", () => resolve(text));
    }).on("error", reject).end();
  });
}

/** The body of a response to a request behind a prefix of the PROXY protocol. */
async function relayed(port: number, prefix: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (part: string) => text += part);
  socket.write(`${prefix}GET / HTTP/1.0\r\nHost: a\r\n\r\n`);
  await once(socket, "close");
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

async function attempt(options: ServeOptions): Promise<Server | undefined> {
  try {
    return await serve(app, { onListen: () => {}, ...options });
  } catch (error) {
    console.log(`${(error as Error).name}: ${(error as Error).message.replace(path, "PATH")}`);
    return undefined;
  }
}

function portOf(server: Server | undefined): number {
  return (server?.address as TcpAddress).port;
}

const path = join(tmpdir(), `tsgi-test-${process.pid}.sock`);

switch (kind) {
  case "unix": {
    const server = await attempt({ path, mode: 0o640 });
    console.log(
      JSON.stringify(server?.address) === JSON.stringify({ transport: "unix", path }),
      (statSync(path).mode & 0o777).toString(8),
    );
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
  case "refused":
    await attempt({ path: process.argv[4] as string });
    break;
  case "succeeded": {
    // The path is removed and taken by another server, before the first one ends.
    const first = await attempt({ path });
    rmSync(path);
    const second = await attempt({ path });
    await first?.shutdown({ timeout: 0 });
    console.log(await get({ socketPath: path }));
    await second?.shutdown({ timeout: 0 });
    console.log(existsSync(path));
    break;
  }
  case "mode at bind": {
    // The mode between bind and listen, when the name is not public yet, and what becomes of the umask.
    process.umask(0o022);
    const claimed = await UnixPath.claim(path, { mode: 0o660 });
    const server = createServer();
    const mode = claimed.bind(() => {
      server.listen(claimed.temporary);
      return lstatSync(claimed.temporary).mode & 0o777;
    });
    console.log(mode.toString(8), process.umask().toString(8), existsSync(path));
    await once(server, "listening");
    claimed.publish();
    console.log(existsSync(claimed.temporary), existsSync(path));
    server.close();
    claimed.release();
    console.log(existsSync(path));
    break;
  }
  case "swapped": {
    // Another user of the directory replaces the new socket by a link.
    const precious = process.argv[4] as string;
    const claimed = await UnixPath.claim(path, { mode: 0o660, uid: process.getuid?.(), gid: process.getgid?.() });
    const server = createServer();
    claimed.bind(() => server.listen(claimed.temporary));
    await once(server, "listening");
    rmSync(claimed.temporary);
    symlinkSync(precious, claimed.temporary);
    try {
      claimed.publish();
    } catch (error) {
      console.log((error as Error).message.replaceAll(claimed.temporary, "TEMPORARY").replace(path, "PATH"));
    }
    console.log(existsSync(path), (statSync(precious).mode & 0o777).toString(8));
    rmSync(claimed.temporary, { force: true });
    server.close();
    break;
  }
  case "moved on": {
    // The working directory changes before the end.
    process.chdir(process.argv[4] as string);
    const server = await attempt({ path: "relative.sock" });
    console.log(existsSync("relative.sock"));
    process.chdir("/");
    await server?.shutdown({ timeout: 0 });
    console.log(existsSync(join(process.argv[4] as string, "relative.sock")));
    break;
  }
  case "resets": {
    // While this process waits, clients connect, send a request and reset the connection.
    const [, , , , policy, node, script] = process.argv as string[];
    const options = JSON.parse(policy as string) as ServeOptions;
    const server = await serve(counting, {
      ...options,
      port: 0,
      onListen: () => {},
      errorLog: (text) => console.log(text),
    });
    const port = portOf(server);
    const { status, stderr } = spawnSync(node as string, ["-e", script as string, String(port)]);
    if (status !== 0) throw new Error(String(stderr));
    // Behind all of those.
    const last = options.proxyProtocol === true ? await relayed(port, "PROXY UNKNOWN\r\n") : await get({ port });
    console.log(last.split(" ")[2] ?? "refused", requests);
    await server.shutdown({ timeout: 0 });
    break;
  }
  case "fd": {
    const where = process.argv[4] as string;
    const server = await attempt({ fd: 3, allowIps: ["127.0.0.1"] });
    const target = where.startsWith("/") ? { socketPath: where } : { port: Number(where) };
    if (server !== undefined) console.log(await get(target), JSON.stringify(server.address));
    await server?.shutdown({ timeout: 0 });
    break;
  }
  case "bad fd":
    await attempt({ fd: 99 });
    break;
  case "reusePort": {
    const first = await attempt({ port: 0, reusePort: true });
    if (first === undefined) break;
    const second = await attempt({ port: portOf(first), reusePort: true });
    console.log(portOf(first) === portOf(second));
    await Promise.all([first.shutdown({ timeout: 0 }), second?.shutdown({ timeout: 0 })]);
    break;
  }
  case "backlog": {
    const server = await attempt({ port: 0, backlog: 7 });
    if (server === undefined) break;
    const { execFileSync } = await import("node:child_process");
    const line = execFileSync("ss", ["-ltnH", "sport", "=", `:${portOf(server)}`]).toString();
    console.log(line.split(/\s+/)[2]);
    await server.shutdown({ timeout: 0 });
    break;
  }
}
