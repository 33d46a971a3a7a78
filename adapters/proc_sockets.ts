/**
 * Finds the listening sockets of this process on Linux. /proc/self/net lists sockets by inode, and the links in
 * /proc/self/fd give the inode of each descriptor.
 *
 * @module
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { SocketKind } from "../core/seams.ts";

const TCP_LISTEN = "0A"; // state of /proc/net/tcp
const ACCEPTS = 0x10000; // flag of /proc/net/unix

/**
 * Returns the listening sockets among the descriptors of this process, from number 3 on.
 *
 * @throws when there is no /proc.
 */
export function listeningDescriptors(): Map<number, SocketKind> {
  const kinds = new Map<string, SocketKind>();
  for (const name of ["tcp", "tcp6"]) {
    for (const row of rows(name)) if (row[3] === TCP_LISTEN) kinds.set(row[9] as string, "tcp");
  }
  for (const row of rows("unix")) {
    if ((parseInt(row[3] as string, 16) & ACCEPTS) !== 0) kinds.set(row[6] as string, "unix");
  }
  const found = new Map<number, SocketKind>();
  for (const name of readdirSync("/proc/self/fd")) {
    const kind = kinds.get(inodeOf(name) ?? "");
    if (kind !== undefined && Number(name) >= 3) found.set(Number(name), kind);
  }
  return found;
}

/** Returns the kind of a listening descriptor; undefined when the system does not reveal it. */
export function kindOfDescriptor(fd: number): SocketKind | undefined {
  try {
    return listeningDescriptors().get(fd);
  } catch {
    return undefined; // not Linux
  }
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
