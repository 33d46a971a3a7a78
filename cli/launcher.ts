/**
 * The launcher: opens the sockets, passes them to the arbiter, and then only forwards signals and the exit status.
 *
 * No runtime can listen on a socket without accepting from it. So a process that opens a socket would take connections
 * from the workers. Therefore the launcher starts the arbiter with the socket and closes its own copy in the same turn
 * of the event loop; the arbiter never opens it as a server. So no process accepts a connection that it would drop. The
 * launcher also cleans up after an arbiter that was killed.
 *
 * The launcher sends signals to the arbiter as messages. It holds them until the arbiter has sent `hello`, because
 * before that a signal could end the arbiter. It writes the pidfile once it handles signals itself.
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

const HELLO_TIME = 10_000; // ms that an arbiter has to send hello when the command shall stop
const CLEANUP = 3000; // ms that workers have to end by themselves after the arbiter's end

/**
 * Starts an arbiter with sockets at the addresses, and stays until it ends.
 *
 * @param main URL of the program.
 * @returns the exit status.
 * @throws {ListenError} (as a rejection) when it cannot listen on an address.
 * @throws {PidfileError} (as a rejection) when the pidfile belongs to a running process, or cannot be written.
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

/** Holds signals until the arbiter handles them, then forwards them. */
class SignalQueue {
  readonly #waiting: Signal[] = [];
  #child: ChildProcess | undefined;
  #greeted = false;

  /** Handles the signals from now on. */
  constructor() {
    takeSignals([...STOPS, ...REQUESTS], (name) => {
      this.#waiting.push(name);
      if (this.#greeted) this.flush();
      else this.#limit();
    });
  }

  /** Whether a signal to stop has come that was not forwarded. */
  get stops(): boolean {
    return this.#waiting.some(isStop);
  }

  /** Sets the arbiter to which signals are forwarded. */
  to(child: ChildProcess): void {
    this.#child = child;
    this.#limit();
  }

  /** Forwards the held signals, and later ones at once: the arbiter has sent its hello. */
  flush(): void {
    this.#greeted = true;
    for (const signal of this.#waiting.splice(0)) {
      const message: SignalMessage = { signal };
      if (this.#child?.connected === true) this.#child.send(message, () => {});
    }
  }

  /** Kills an arbiter that shall stop and does not send hello in time. It has no workers, so nothing is lost. */
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
 * Mode and owner of Unix sockets, chosen so that the web server can connect. As with gunicorn, they belong to the
 * workers' user and group. Over HTTP everybody may connect. Over the other protocols a client can claim to be any user,
 * so there only the owner and the group may connect.
 */
export function socketFile(
  settings: Pick<Settings, "socketMode" | "protocol" | "umask" | "user" | "group">,
): SocketFile {
  const { socketMode, protocol, umask } = settings;
  const mode = socketMode ?? ((protocol === "http" ? 0o777 : 0o660) & ~(umask ?? 0));
  return { mode, ...identityOf(settings) };
}

/** Kills the workers that a killed arbiter has left and that do not end by themselves. */
async function endOrphans(workers: readonly number[]): Promise<void> {
  const end = performance.now() + CLEANUP;
  while (workers.some(alive) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  for (const pid of workers.filter(alive)) signal(pid, "SIGKILL");
}
