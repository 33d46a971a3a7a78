/**
 * Finds the listening sockets of this process on Linux. /proc/self/net lists sockets by inode, and the links in
 * /proc/self/fd give the inode of each descriptor.
 *
 * @module
 */

import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Address, SocketKind } from "../core/seams.ts";

const TCP_LISTEN = "0A"; // state of /proc/net/tcp
const ACCEPTS = 0x10000; // flag of /proc/net/unix

/** A listening socket, as the system describes it. */
export interface ListeningSocket {
  /** Its kind. */
  readonly kind: SocketKind;
  /** Its address. The path of a Unix socket is empty if the socket is not found there: it may have been renamed. */
  readonly address: Address;
}

/**
 * Returns the listening sockets among the descriptors of this process, from number 3 on.
 *
 * @throws when there is no /proc.
 */
export function listeningDescriptors(): Map<number, ListeningSocket> {
  const sockets = new Map<string, ListeningSocket>(); // by inode
  for (const name of ["tcp", "tcp6"]) {
    for (const row of rows(name)) {
      if (row[3] !== TCP_LISTEN) continue;
      sockets.set(row[9] as string, { kind: "tcp", address: tcpAddress(row[1] as string) });
    }
  }
  for (const row of rows("unix")) {
    if ((parseInt(row[3] as string, 16) & ACCEPTS) === 0) continue;
    const path = row.slice(7).join(" ");
    sockets.set(row[6] as string, {
      kind: "unix",
      address: { hostname: "", port: 0, path: isSocket(path) ? path : "" },
    });
  }
  const found = new Map<number, ListeningSocket>();
  for (const name of readdirSync("/proc/self/fd")) {
    const socket = sockets.get(inodeOf(name) ?? "");
    if (socket !== undefined && Number(name) >= 3) found.set(Number(name), socket);
  }
  return found;
}

/** Returns the listening socket of a descriptor; undefined when the system does not reveal it. */
export function socketOfDescriptor(fd: number): ListeningSocket | undefined {
  try {
    return listeningDescriptors().get(fd);
  } catch {
    return undefined; // not Linux
  }
}

/** Reads `0100007F:1F90`: words of four bytes in the byte order of the machine, and the port. */
function tcpAddress(text: string): Address {
  const [words, port] = text.split(":") as [string, string];
  const bytes = new Uint8Array(Uint32Array.from(words.match(/.{8}/g) ?? [], (word) => parseInt(word, 16)).buffer);
  const address = { port: parseInt(port, 16) };
  if (bytes.length === 4) return { hostname: bytes.join("."), ...address };
  const groups = Array.from({ length: 8 }, (_, i) => new DataView(bytes.buffer).getUint16(2 * i).toString(16));
  return { hostname: new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1), ...address };
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
