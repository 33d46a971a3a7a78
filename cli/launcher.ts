/**
 * The launcher: opens the sockets, hands them to the arbiter, and then only passes on signals and the exit status.
 *
 * A runtime that listens also accepts, so whoever opens a socket would take connections from the workers. The launcher
 * closes it in the turn in which the arbiter, which never opens it, has been started with it; so the socket, and what
 * waits in its queue, belongs to nobody that could drop it. It also cleans up behind an arbiter that was killed.
 *
 * @module
 */

import { unlinkSync } from "node:fs";
import process from "node:process";
import type { Bind } from "./bind.ts";
import { type ArbiterMessage, signal, spawnSelf } from "./child.ts";
import { openSockets } from "./listen.ts";
import { Pidfile } from "./pidfile.ts";
import type { Settings } from "./settings/mod.ts";

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
  const pidfile = settings.pid === null ? undefined : new Pidfile(settings.pid);
  const open = await openSockets(settings.bind, settings.backlog);
  const binds = open.sockets.map(({ bind }) => bind);
  try {
    pidfile?.create(process.pid);
  } catch (error) {
    open.close();
    release(binds);
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
  release(binds);
  pidfile?.remove();
  return status < 0 ? 1 : status;
}

/** Kills what an arbiter that was killed has left and that does not end by itself. */
async function endOrphans(workers: readonly number[]): Promise<void> {
  const end = performance.now() + CLEANUP;
  while (workers.some(alive) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  for (const pid of workers.filter(alive)) signal(pid, "SIGKILL");
}

/** Whether a process of this id is there. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Removes the Unix sockets. */
export function release(binds: readonly Bind[]): void {
  for (const bind of binds) {
    if (bind.kind !== "unix") continue;
    try {
      unlinkSync(bind.path);
    } catch {
      // It is gone already.
    }
  }
}
