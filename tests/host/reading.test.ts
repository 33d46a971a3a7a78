/** How the sockets of `tsgi/node` read on Node.js: into memory that they share, which is lent for one call. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, it } from "vitest";
import { host } from "../../adapters/node.ts";
import type { Connection, TcpAddress, Transport } from "../../core/seams.ts";
import { until } from "../lifecycle/cell.ts";

/** A connection that notes what it receives. */
class Noted implements Connection {
  readonly transport: Transport;
  readonly memory = new Set<ArrayBufferLike>();
  text = "";
  over = "";

  constructor(transport: Transport) {
    this.transport = transport;
  }

  receive(bytes: Uint8Array): void {
    this.memory.add(bytes.buffer);
    this.text += host.latin1(bytes, 0, bytes.length);
  }

  ended(): void {
    this.over += "ended,";
    this.transport.end();
  }

  closed(): void {
    this.over += "closed";
  }

  drained(): void {}
  shutdown(): void {}
  tick(): void {}
}

async function connected(count: number): Promise<{ connections: Noted[]; clients: Socket[]; close(): Promise<void> }> {
  const connections: Noted[] = [];
  const listener = await host.listen({
    at: { transport: "tcp", hostname: "127.0.0.1", port: 0 },
    mode: undefined,
    backlog: undefined,
    reusePort: false,
    tls: undefined,
  }, (transport) => {
    const connection = new Noted(transport);
    connections.push(connection);
    return connection;
  }, () => {});
  const clients: Socket[] = [];
  for (let i = 0; i < count; i++) {
    clients.push(connect((listener.address as TcpAddress).port, "127.0.0.1"));
    await until("a connection", () => connections.length > i);
  }
  return { connections, clients, close: () => listener.close() };
}

it("16 sockets read into the same memory, and each gets its own bytes and its end", async () => {
  const { connections, clients, close } = await connected(2);
  expect(connections.map(({ transport }) => transport.givesInput)).toEqual([false, false]);
  const long = "x".repeat(300_000);
  for (const [i, client] of clients.entries()) client.write(`${i}${long}`);
  for (const client of clients) client.end("!");
  await until("the ends", () => connections.every(({ over }) => over === "ended,closed"));
  expect(connections.map(({ text }) => text)).toEqual([`0${long}!`, `1${long}!`]);
  expect(new Set(connections.flatMap(({ memory }) => [...memory])).size).toBe(1);
  await close();
});

it("16 a paused socket that reads into shared memory gets nothing until it is resumed, then all, then the end", async () => {
  const { connections: [connection], clients: [client], close } = await connected(1);
  if (connection === undefined || client === undefined) throw new Error("not connected");
  connection.transport.pause();
  client.write("first");
  client.end("second");
  await once(client, "finish");
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  expect([connection.text, connection.over]).toEqual(["", ""]);
  connection.transport.resume();
  await until("the end", () => connection.over !== "");
  expect([connection.text, connection.over.split(",")[0]]).toEqual(["firstsecond", "ended"]);
  client.destroy();
  await close();
});
