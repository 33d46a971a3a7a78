/**
 * Measures the memory of an idle connection: the growth of resident memory with 5,000 open connections, per connection.
 *
 * Each connection has had one request answered and waits for the next, like those of browsers. Before that, the server
 * answers some requests over a few connections, so that one-time allocations do not count. This process opens all
 * connections, on 127.0.0.1. That takes 5,000 ports, and 5,000 descriptors on each side, which is checked first.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Contender } from "./contender.ts";
import { decode } from "./same.ts";

export const IDLE_CONNECTIONS = 5000;
const AT_A_TIME = 50;
const SETTLE = 1500; // ms
const SPARE = 200; // descriptors

/** The reason why so many connections cannot be opened, or null. */
export function tooFewDescriptors(): string | null {
  const soft = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
  const limit = soft === "unlimited" ? Infinity : Number(soft);
  return limit >= IDLE_CONNECTIONS + SPARE ? null : `ulimit -n is ${soft}, ${IDLE_CONNECTIONS + SPARE} are needed`;
}

/** Measures the resident memory that a server needs for each idle connection, in KiB. */
export async function idle(contender: Contender): Promise<number> {
  await closeAll(await openAll(contender.port, 4 * AT_A_TIME, 5));
  await pause(SETTLE);
  const before = contender.resident();
  const sockets = await openAll(contender.port, IDLE_CONNECTIONS, 1);
  await pause(SETTLE);
  const after = contender.resident();
  const lost = sockets.filter((socket) => socket.destroyed || socket.readableEnded).length;
  await closeAll(sockets);
  if (lost > 0) throw new Error(`${contender.name} closed ${lost} of ${IDLE_CONNECTIONS} idle connections`);
  return (after - before) / IDLE_CONNECTIONS;
}

async function openAll(port: number, count: number, requests: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    sockets.push(...await Promise.all(Array.from({ length: AT_A_TIME }, () => opened(port, requests))));
  }
  return sockets;
}

function opened(port: number, requests: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let left = requests;
    let text = "";
    const ask = (): void => void socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const socket = connect(port, "127.0.0.1", ask).setEncoding("latin1");
    socket.once("error", reject);
    socket.on("data", (part: string) => {
      text += part;
      if (decode(text, false) === null) return;
      text = "";
      if (--left === 0) resolve(socket);
      else ask();
    });
  });
}

async function closeAll(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(sockets.map((socket) =>
    new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
      socket.destroy();
    })
  ));
}
