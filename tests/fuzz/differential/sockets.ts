/**
 * The same observations through real sockets, for a sample: what runs in memory has to be what runs there.
 *
 * @module
 */

import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Application, serve } from "../../../mod.ts";
import { textOf } from "../target.ts";
import { nodeServer, noteNext, observationOf } from "./node_side.ts";
import type { Observation, ObservedRequest } from "./observation.ts";
import { FIELDS, observationOfTsgi, requestOf } from "./tsgi_side.ts";

const DEADLINE = 3000; // milliseconds until a connection shows what is expected
const TICK = 2; // milliseconds between two looks

/** A server behind a socket. */
export interface SocketServer {
  /** What it makes of a stream: `wanted`, as soon as it shows that, else what it shows at the deadline. */
  observe(bytes: Uint8Array, wanted: Observation): Promise<Observation>;
  close(): Promise<void>;
}

/** tsgi on a port. */
export async function tsgiOnPort(): Promise<SocketServer> {
  let requests: ObservedRequest[] = [];
  let log = "";
  const app: Application = async (environ, startResponse) => {
    const request = requestOf(environ, "");
    request.body = null;
    requests.push(request);
    request.body = textOf(await environ["wsgi.input"].read());
    startResponse("200 OK", []);
    return ["0"];
  };
  const server = await serve(app, {
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    errorLog: (text) => void (log += text),
    limitRequestFields: FIELDS,
  });
  return {
    observe: (bytes, wanted) => {
      requests = [];
      log = "";
      const mine = requests;
      return observe(server.address.port, bytes, wanted, (_sent, closed) => observationOfTsgi(mine, log, closed));
    },
    close: async () => await server.shutdown(),
  };
}

/** Node on a port. */
export async function nodeOnPort(): Promise<SocketServer> {
  nodeServer.listen(0, "127.0.0.1");
  await once(nodeServer, "listening");
  const { port } = nodeServer.address() as AddressInfo;
  return {
    observe: (bytes, wanted) => {
      const mine = noteNext();
      return observe(port, bytes, wanted, (sent, closed) => observationOf(mine, sent, closed || mine.code !== ""));
    },
    close: async () => {
      nodeServer.closeAllConnections();
      await new Promise((resolve) => nodeServer.close(resolve));
    },
  };
}

async function observe(
  port: number,
  bytes: Uint8Array,
  wanted: Observation,
  look: (sent: string, closed: boolean) => Observation,
): Promise<Observation> {
  let sent = "";
  let closed = false;
  const socket = connect(port, "127.0.0.1");
  socket.on("data", (part: Buffer) => void (sent += textOf(part)));
  socket.on("end", () => void (closed = true)).on("close", () => void (closed = true)).on("error", () => {});
  socket.write(bytes);
  const text = JSON.stringify(wanted);
  const began = performance.now();
  let observed = look(sent, closed);
  while (JSON.stringify(observed) !== text && performance.now() - began < DEADLINE) {
    await sleep(TICK);
    observed = look(sent, closed);
  }
  socket.destroy();
  return observed;
}
