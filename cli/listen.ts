/**
 * Opens listening sockets for other processes. They are passed on as descriptors, and this process never accepts from
 * them.
 *
 * Node and Bun expose the descriptor of a server. Deno does not, so it is looked up: /proc has the listening sockets of
 * this process, and without /proc (macOS) `lsof` lists them.
 *
 * A Unix socket is bound under a temporary name, see `adapters/unix_path.ts`. The reason is that closing a server
 * removes the name that it was bound under, while workers still use the socket.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { lookup } from "node:dns/promises";
import { type AddressInfo, createServer, isIP, type ListenOptions, type Server } from "node:net";
import process from "node:process";
import type { SocketFile, UnixPath } from "../adapters/unix_path.ts";
import { ListenError, listenError } from "../core/errors.ts";
import { type Bind, bindText, placeOf } from "./bind.ts";

/** A listening socket. */
export interface OpenSocket {
  /** Its descriptor in this process. */
  readonly fd: number;
  /** Its address; with port 0 in the setting, the port that the system chose. */
  readonly bind: Bind;
}

/** Listening sockets. */
export interface OpenSockets {
  /** In the order of the addresses. */
  readonly sockets: readonly OpenSocket[];
  /** Closes the sockets in this process; processes that have inherited them keep them. */
  close(): void;
  /** Removes the paths of Unix sockets, unless something else is at a path now. */
  release(): void;
}

/**
 * Opens listening sockets. The caller passes them on and closes them in the same turn of the event loop, so that
 * nothing is accepted here.
 *
 * @param file Mode and owner of Unix sockets.
 * @throws {ListenError} (as a rejection) for the first address that it cannot listen on.
 */
export async function openSockets(
  binds: readonly Bind[],
  backlog: number | null,
  file: SocketFile = {},
): Promise<OpenSockets> {
  if (backlog !== null && process.versions.bun !== undefined) {
    throw new ListenError(bindText(binds[0] as Bind), "Bun takes no backlog, its own is 512", "ENOTSUP");
  }
  const targets = await Promise.all(binds.map((bind) => target(bind, file)));
  // Loaded before anything listens: from then on, each turn of the event loop could accept a connection.
  const proc = process.versions.deno === undefined ? undefined : await import("../adapters/proc_sockets.ts");
  const servers: Server[] = [];
  const sockets: OpenSocket[] = [];
  const close = (): void => servers.forEach((server) => server.close());
  const release = (): void => targets.forEach(({ unix }) => unix?.release());
  try {
    for (const { bind, unix, options } of targets) {
      if (options === undefined) {
        sockets.push({ fd: (bind as Bind & { kind: "fd" }).fd, bind });
        continue;
      }
      const server = createServer();
      await listening(server, { bind, unix, options: backlog === null ? options : { ...options, backlog } });
      servers.push(server);
      const fd = toldBy(server) ?? found(bind, unix?.temporary, sockets, proc as ProcSockets);
      sockets.push({ fd, bind: boundTo(server, bind) });
      unix?.publish();
    }
  } catch (error) {
    release();
    close();
    throw error;
  }
  return { sockets, close, release };
}

type ProcSockets = typeof import("../adapters/proc_sockets.ts");

/** An address, and how to listen there. */
interface Target {
  readonly bind: Bind;
  readonly unix?: UnixPath | undefined;
  /** Undefined for a descriptor that already listens. */
  readonly options?: ListenOptions;
}

async function target(bind: Bind, file: SocketFile): Promise<Target> {
  switch (bind.kind) {
    case "fd":
      return { bind };
    case "unix": {
      const unix = await (await import("../adapters/unix_path.ts")).UnixPath.claim(bind.path, file);
      return { bind, unix, options: { path: unix.temporary } };
    }
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

function listening(server: Server, { bind, unix, options }: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(bind, error)));
    const listen = (): unknown => server.listen(options as ListenOptions, resolve);
    try {
      if (unix === undefined) listen();
      else unix.bind(listen);
    } catch (error) {
      reject(cannotListen(bind, error));
    }
  });
}

function cannotListen(bind: Bind, error: unknown): ListenError {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return listenError(placeOf(bind), code, error);
}

/** The address with its real port. */
function boundTo(server: Server, bind: Bind): Bind {
  return bind.kind === "tcp" ? { ...bind, port: (server.address() as AddressInfo).port } : bind;
}

/** The descriptor of a server, if the runtime exposes it. */
function toldBy(server: Server): number | undefined {
  const told = (server as unknown as { _handle?: { fd?: unknown } })._handle?.fd;
  return typeof told === "number" && told > 2 ? told : undefined;
}

/** Looks up the descriptor that listens at `bind`. For a Unix socket, `name` is the path that was bound. */
function found(bind: Bind, name: string | undefined, taken: readonly OpenSocket[], proc: ProcSockets): number {
  const { listed, problem } = descriptors(name, proc);
  const fd = listed.find((one) => !taken.some((socket) => socket.fd === one));
  if (fd !== undefined) return fd;
  const reason = `Deno does not tell the descriptor of a socket, and ${problem}`;
  throw new ListenError(bindText(bind), reason, "ENOTSUP");
}

/** The listening descriptors of this process, and the reason to report if the one wanted is not among them. */
function descriptors(name: string | undefined, proc: ProcSockets): { listed: number[]; problem: string } {
  try {
    return { listed: [...proc.listeningDescriptors().keys()], problem: "/proc does not have it" };
  } catch {
    const { pid } = process;
    const list = (...args: string[]) =>
      spawnSync("lsof", ["-nP", "-a", "-p", String(pid), "-F", "ftTn", ...args], { encoding: "utf8", timeout: 10_000 });
    const output = name === undefined ? list("-iTCP", "-sTCP:LISTEN") : list("-U");
    return {
      listed: descriptorsFromLsof(output.stdout ?? "", name?.slice(Math.max(0, name.lastIndexOf("/")))),
      problem: output.error === undefined
        ? `lsof does not list it: ${output.stderr.trim() || `exit status ${output.status}`}`
        : `without /proc the command lsof is needed: ${output.error.message}`,
    };
  }
}

/** The descriptors in the output of `lsof -F fn`, only those whose name ends with `suffix`. */
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
