/**
 * What Linux tells of the listening sockets of a process: /proc/self/net lists them by their inodes, and the links in
 * /proc/self/fd lead from a descriptor to its inode.
 *
 * @module
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { SocketKind } from "../core/seams.ts";

const TCP_LISTEN = "0A"; // state of /proc/net/tcp
const ACCEPTS = 0x10000; // flag of /proc/net/unix

/**
 * The listening sockets among the descriptors of this process, from number 3 on.
 *
 * @throws where there is no /proc.
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

/** The kind of a descriptor that listens; undefined where the system does not tell. */
export function kindOfDescriptor(fd: number): SocketKind | undefined {
  try {
    return listeningDescriptors().get(fd);
  } catch {
    return undefined; // no Linux
  }
}

function inodeOf(descriptor: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1];
  } catch {
    return undefined; // that of the folder itself, closed since
  }
}

/** The rows of a table of sockets, by columns. */
function rows(name: string): string[][] {
  try {
    const lines = readFileSync(`/proc/self/net/${name}`, "utf8").split("\n").slice(1);
    return lines.filter((line) => line !== "").map((line) => line.trim().split(/\s+/));
  } catch (error) {
    if (name === "tcp6") return []; // a system without IPv6
    throw error;
  }
}
