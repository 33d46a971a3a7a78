/**
 * The launcher: opens the sockets, hands them to the arbiter, and then only passes on signals and the exit status.
 *
 * A runtime that listens also accepts, so whoever opens a socket would take connections from the workers. The launcher
 * closes it in the turn in which the arbiter, which never opens it, has been started with it; so the socket, and what
 * waits in its queue, belongs to nobody that could drop it. It also cleans up behind an arbiter that was killed.
 *
 * Signals go to the arbiter as messages, and wait here until it has said hello: before that, a signal could end it. The
 * pidfile is written when the launcher takes signals.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import process from "node:process";
import type { SocketFile } from "../adapters/unix_path.ts";
import { alive, type ArbiterMessage, signal, spawnSelf } from "./child.ts";
import { openSockets } from "./listen.ts";
import type { Settings } from "./settings/mod.ts";
import { REQUESTS, type Signal, type SignalMessage, STOPS, takeSignals } from "./signals.ts";
import { identityOf } from "./user.ts";

const HELLO_TIME = 10_000; // ms that an arbiter has to say hello when the command is to stop
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
  const signals = new SignalQueue();
  const pidfile = settings.pid === null ? undefined : new (await import("./pidfile.ts")).Pidfile(settings.pid);
  const open = await openSockets(settings.bind, settings.backlog, socketFile(settings));
  const binds = open.sockets.map(({ bind }) => bind);
  const abandon = (): void => {
    open.release();
    open.close();
  };
  if (signals.stops) {
    abandon();
    return 0;
  }
  try {
    pidfile?.create(process.pid);
  } catch (error) {
    abandon();
    throw error;
  }
  const child = spawnSelf(main, {
    role: { role: "arbiter", args, directory, binds },
    sockets: open.sockets.map(({ fd }) => fd),
  });
  open.close(); // in the same turn: nothing was accepted here
  signals.to(child);
  let workers: readonly number[] = [];
  child.on("message", (message: ArbiterMessage) => {
    if (message.type === "hello") signals.flush();
    else workers = message.workers;
  });
  const status = await new Promise<number>((resolve) => {
    child.once("error", () => resolve(1));
    child.once("exit", (code) => resolve(signals.stops ? 0 : code ?? 1));
  });
  await endOrphans(workers);
  open.release();
  pidfile?.remove();
  return status;
}

/** The signals that come, on their way to the arbiter. */
class SignalQueue {
  readonly #waiting: Signal[] = [];
  #child: ChildProcess | undefined;
  #greeted = false;

  /** Takes the signals from now on. */
  constructor() {
    takeSignals([...STOPS, ...REQUESTS], (name) => {
      this.#waiting.push(name);
      if (this.#greeted) this.flush();
      else this.#limit();
    });
  }

  /** Whether the command is to stop, and the arbiter has not been told. */
  get stops(): boolean {
    return this.#waiting.some(isStop);
  }

  /** Names the arbiter. */
  to(child: ChildProcess): void {
    this.#child = child;
    this.#limit();
  }

  /** The arbiter takes signals: it gets those that wait. */
  flush(): void {
    this.#greeted = true;
    for (const signal of this.#waiting.splice(0)) {
      const message: SignalMessage = { signal };
      if (this.#child?.connected === true) this.#child.send(message, () => {});
    }
  }

  /** An arbiter that is to stop and does not even say hello has no workers, and nothing to finish. */
  #limit(): void {
    const pid = this.#child?.pid;
    if (pid === undefined || !this.stops) return;
    setTimeout(() => {
      if (!this.#greeted) signal(pid, "SIGKILL");
    }, HELLO_TIME).unref();
  }
}

function isStop(name: Signal): boolean {
  return (STOPS as readonly Signal[]).includes(name);
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
