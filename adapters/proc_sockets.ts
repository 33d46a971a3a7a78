/**
 * Finds the listening sockets of this process on Linux. /proc/self/net lists sockets by inode, and the links in
 * /proc/self/fd give the inode of each descriptor.
 *
 * @module
 */

import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Address, Descriptor } from "../core/seams.ts";

const TCP_LISTEN = "0A"; // state of /proc/net/tcp
const ACCEPTS = 0x10000; // flag of /proc/net/unix

/**
 * Returns the addresses of the listening sockets among the descriptors of this process, from number 3 on. The path of a
 * Unix socket is empty if the socket is not found there: it may have been renamed.
 *
 * @throws when there is no /proc.
 */
export function listeningDescriptors(): Map<number, Address> {
  const sockets = new Map<string, Address>(); // by inode
  for (const name of ["tcp", "tcp6"]) {
    for (const row of rows(name)) {
      if (row[3] !== TCP_LISTEN) continue;
      sockets.set(row[9] as string, tcpAddress(row[1] as string));
    }
  }
  for (const row of rows("unix")) {
    if ((parseInt(row[3] as string, 16) & ACCEPTS) === 0) continue;
    const path = row.slice(7).join(" ");
    sockets.set(row[6] as string, { transport: "unix", path: isSocket(path) ? path : "" });
  }
  const found = new Map<number, Address>();
  for (const name of readdirSync("/proc/self/fd")) {
    const socket = sockets.get(inodeOf(name) ?? "");
    if (socket !== undefined && Number(name) >= 3) found.set(Number(name), socket);
  }
  return found;
}

/** Adds the address to a descriptor, if the system reveals it. */
export function located(at: Descriptor): Descriptor {
  try {
    return { ...at, address: listeningDescriptors().get(at.fd) };
  } catch {
    return at; // not Linux
  }
}

/** Reads `0100007F:1F90`: words of four bytes in the byte order of the machine, and the port. */
function tcpAddress(text: string): Address {
  const [words, port] = text.split(":") as [string, string];
  const bytes = new Uint8Array(Uint32Array.from(words.match(/.{8}/g) ?? [], (word) => parseInt(word, 16)).buffer);
  const of = (hostname: string): Address => ({ transport: "tcp", hostname, port: parseInt(port, 16) });
  if (bytes.length === 4) return of(bytes.join("."));
  const groups = Array.from({ length: 8 }, (_, i) => new DataView(bytes.buffer).getUint16(2 * i).toString(16));
  return of(new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1));
}

function isSocket(path: string): boolean {
  return path.startsWith("/") && lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

function inodeOf(descriptor: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1];
  } catch {
    return undefined; // the descriptor of the /proc/self/fd listing itself, already closed
  }
}

/** Reads a socket table and splits its rows into columns. */
function rows(name: string): string[][] {
  try {
    const lines = readFileSync(`/proc/self/net/${name}`, "utf8").split("\n").slice(1);
    return lines.filter((line) => line !== "").map((line) => line.trim().split(/\s+/));
  } catch (error) {
    if (name === "tcp6") return []; // a system without IPv6
    throw error;
  }
}
