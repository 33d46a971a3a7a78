/**
 * The launcher: opens the sockets, hands them to the arbiter, and then only passes on signals and the exit status.
 *
 * A runtime that listens also accepts, so whoever opens a socket would take connections from the workers. The launcher
 * closes it in the turn in which the arbiter, which never opens it, has been started with it; so the socket, and what
 * waits in its queue, belongs to nobody that could drop it. It also cleans up behind an arbiter that was killed.
 *
 * @module
 */

import process from "node:process";
import type { SocketFile } from "../adapters/unix_path.ts";
import { alive, type ArbiterMessage, signal, spawnSelf } from "./child.ts";
import { openSockets } from "./listen.ts";
import type { Settings } from "./settings/mod.ts";
import { identityOf } from "./user.ts";

/** The signals that an arbiter knows. */
export const SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGTTIN", "SIGTTOU", "SIGWINCH"] as const;

const CLEANUP = 3000; // ms that workers have to end by themselves when the arbiter is gone

/**
 * Starts an arbiter with sockets at the addresses, and stays until it ends.
 *
 * @param main URL of the program.
 * @returns the exit status.
 * @throws {ListenError} (as a rejection) when an address cannot be had.
 * @throws {PidfileError} (as a rejection) when the pidfile is that of a process that runs.
 */
export async function launch(
  main: string,
  settings: Settings,
  args: readonly string[],
  directory: string,
): Promise<number> {
  const pidfile = settings.pid === null ? undefined : new (await import("./pidfile.ts")).Pidfile(settings.pid);
  const open = await openSockets(settings.bind, settings.backlog, socketFile(settings));
  const binds = open.sockets.map(({ bind }) => bind);
  try {
    pidfile?.create(process.pid);
  } catch (error) {
    open.release();
    open.close();
    throw error;
  }
  const child = spawnSelf(main, {
    role: { role: "arbiter", args, directory, binds },
    sockets: open.sockets.map(({ fd }) => fd),
  });
  open.close(); // in the same turn: nothing was accepted here
  const { pid } = child;
  let workers: readonly number[] = [];
  child.on("message", (message) => workers = (message as ArbiterMessage).workers);
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (pid !== undefined) signal(pid, name);
    });
  }
  const status = await new Promise<number>((resolve) => {
    child.once("error", () => resolve(1));
    child.once("exit", (code, name) => resolve(code ?? (name === null ? 1 : -1)));
  });
  await endOrphans(workers);
  open.release();
  pidfile?.remove();
  return status < 0 ? 1 : status;
}

/**
 * What Unix sockets are to have, so that the web server can connect: as gunicorn's do, they belong to the workers' user
 * and group, and over HTTP everybody may connect. Over the other protocols whoever connects can claim to be any user, so
 * there only the owner and the group may.
 */
export function socketFile(
  settings: Pick<Settings, "socketMode" | "protocol" | "umask" | "user" | "group">,
): SocketFile {
  const { socketMode, protocol, umask } = settings;
  const mode = socketMode ?? ((protocol === "http" ? 0o777 : 0o660) & ~(umask ?? 0));
  return { mode, ...identityOf(settings) };
}

/** Kills what an arbiter that was killed has left and that does not end by itself. */
async function endOrphans(workers: readonly number[]): Promise<void> {
  const end = performance.now() + CLEANUP;
  while (workers.some(alive) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  for (const pid of workers.filter(alive)) signal(pid, "SIGKILL");
}
