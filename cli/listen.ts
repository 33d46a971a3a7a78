/**
 * Listening sockets for others: opened here, passed on as descriptors, never accepted from.
 *
 * Node and Bun tell the descriptor of a server. Deno does not, so it is looked up: the listening sockets of this
 * process are in /proc, and without /proc (macOS) `lsof` lists them.
 *
 * A Unix socket is bound under another name and then renamed: closing a server here removes the name it was bound
 * under, and clients of a server that died find either the old socket or the new one.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { lookup } from "node:dns/promises";
import { readdirSync, readFileSync, readlinkSync, renameSync } from "node:fs";
import { type AddressInfo, createServer, isIP, type ListenOptions, type Server } from "node:net";
import process from "node:process";
import { claimPath } from "../adapters/unix_path.ts";
import { ListenError, listenError } from "../core/errors.ts";
import { type Bind, bindText } from "./bind.ts";

/** A listening socket. */
export interface OpenSocket {
  /** Its descriptor in this process. */
  readonly fd: number;
  /** Its address; the port is the real one. */
  readonly bind: Bind;
}

/** Listening sockets. */
export interface OpenSockets {
  /** In the order of the addresses. */
  readonly sockets: readonly OpenSocket[];
  /** Closes them here; who has got them keeps them. */
  close(): void;
}

/**
 * Opens listening sockets. The caller passes them on and closes them in the same turn of the event loop, so that
 * nothing is accepted here.
 *
 * @throws {ListenError} (as a rejection) for the first address that cannot be had.
 */
export async function openSockets(binds: readonly Bind[], backlog: number | null): Promise<OpenSockets> {
  if (backlog !== null && process.versions.bun !== undefined) {
    throw new ListenError(bindText(binds[0] as Bind), "Bun takes no backlog, its own is 512", "ENOTSUP");
  }
  const targets = await Promise.all(binds.map(target));
  const servers: Server[] = [];
  const sockets: OpenSocket[] = [];
  const close = (): void => servers.forEach((server) => server.close());
  try {
    for (const { bind, options } of targets) {
      if (options === undefined) {
        sockets.push({ fd: (bind as Bind & { kind: "fd" }).fd, bind });
        continue;
      }
      const server = createServer();
      await listening(server, bind, backlog === null ? options : { ...options, backlog });
      servers.push(server);
      sockets.push({ fd: descriptorOf(server, sockets, bind), bind: boundTo(server, bind, options) });
    }
  } catch (error) {
    close();
    throw error;
  }
  return { sockets, close };
}

async function target(bind: Bind): Promise<{ bind: Bind; options: ListenOptions | undefined }> {
  switch (bind.kind) {
    case "fd":
      return { bind, options: undefined };
    case "unix":
      await claimPath(bind.path);
      return { bind, options: { path: `${bind.path}.${process.pid}` } };
    case "tcp":
      return { bind, options: { host: isIP(bind.host) ? bind.host : await resolveHost(bind), port: bind.port } };
  }
}

async function resolveHost(bind: Bind & { kind: "tcp" }): Promise<string> {
  try {
    return (await lookup(bind.host)).address;
  } catch (error) {
    throw cannotListen(bind, error);
  }
}

function listening(server: Server, bind: Bind, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(bind, error)));
    try {
      server.listen(options, resolve);
    } catch (error) {
      reject(cannotListen(bind, error));
    }
  });
}

function cannotListen(bind: Bind, error: unknown): ListenError {
  const where = {
    hostname: bind.kind === "tcp" ? bind.host : "",
    port: bind.kind === "tcp" ? bind.port : 0,
    path: bind.kind === "unix" ? bind.path : undefined,
    fd: bind.kind === "fd" ? bind.fd : undefined,
  };
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return listenError({ ...where, mode: undefined, backlog: undefined, reusePort: false }, code, error);
}

/** The address with its real port; a Unix socket gets its name now. */
function boundTo(server: Server, bind: Bind, options: ListenOptions): Bind {
  if (bind.kind === "tcp") return { ...bind, port: (server.address() as AddressInfo).port };
  if (bind.kind === "unix") renameSync(options.path as string, bind.path);
  return bind;
}

function descriptorOf(server: Server, taken: readonly OpenSocket[], bind: Bind): number {
  const told = (server as unknown as { _handle?: { fd?: unknown } })._handle?.fd;
  if (typeof told === "number" && told > 2) return told;
  const { found, problem } = listeningDescriptors();
  const fd = found.find((one) => !taken.some((socket) => socket.fd === one));
  if (fd !== undefined) return fd;
  const reason = `Deno does not tell the descriptor of a socket, and ${problem}`;
  throw new ListenError(bindText(bind), reason, "ENOTSUP");
}

/** The descriptors of this process that listen, and why one may not be among them. */
function listeningDescriptors(): { found: number[]; problem: string } {
  try {
    return { found: descriptorsFromProc(), problem: "/proc does not have it" };
  } catch {
    const { pid } = process;
    const list = (...args: string[]) =>
      spawnSync("lsof", ["-nP", "-a", "-p", String(pid), "-F", "ftTn", ...args], { encoding: "utf8", timeout: 10_000 });
    const tcp = list("-iTCP", "-sTCP:LISTEN");
    const unix = list("-U");
    return {
      found: [...descriptorsFromLsof(tcp.stdout ?? ""), ...descriptorsFromLsof(unix.stdout ?? "", `.${pid}`)],
      problem: tcp.error === undefined
        ? `lsof does not list it: ${tcp.stderr.trim() || `exit status ${tcp.status}`}`
        : `without /proc the command lsof is needed: ${tcp.error.message}`,
    };
  }
}

const TCP_LISTEN = "0A"; // state of /proc/net/tcp
const ACCEPTS = 0x10000; // flag of /proc/net/unix

function descriptorsFromProc(): number[] {
  const inodes = new Set<string>();
  for (const name of ["tcp", "tcp6"]) {
    for (const line of rows(`/proc/self/net/${name}`)) {
      if (line[3] === TCP_LISTEN) inodes.add(line[9] as string);
    }
  }
  for (const line of rows("/proc/self/net/unix")) {
    if ((parseInt(line[3] as string, 16) & ACCEPTS) !== 0) inodes.add(line[6] as string);
  }
  return readdirSync("/proc/self/fd").filter((name) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${name}`))?.[1];
      return inode !== undefined && inodes.has(inode) && Number(name) >= 3;
    } catch {
      return false; // that of the folder itself, closed since
    }
  }).map(Number);
}

function rows(path: string): string[][] {
  try {
    return readFileSync(path, "utf8").split("\n").slice(1).filter((line) => line !== "").map((line) =>
      line.trim().split(/\s+/)
    );
  } catch (error) {
    if (path.endsWith("/tcp6")) return []; // a system without IPv6
    throw error;
  }
}

/** The descriptors in the output of `lsof -F fn`; with `suffix`, of those whose name ends with it. */
export function descriptorsFromLsof(output: string, suffix = ""): number[] {
  const found: number[] = [];
  let fd = NaN;
  for (const line of output.split("\n")) {
    if (line.startsWith("f")) fd = parseInt(line.slice(1), 10);
    const name = line.startsWith("n") ? line.slice(1).split(" ")[0] as string : undefined;
    if (name !== undefined && fd > 2 && name.endsWith(suffix)) found.push(fd);
  }
  return found;
}
