/**
 * A worker as the arbiter sees it: a child process, what it has said, and how it is ended.
 *
 * A worker is in one of these states:
 *
 *     BOOTING   started, loads the application           READY when it says so; gone when it fails
 *     READY     serves, and beats                        STOPPING; gone when it dies or is killed
 *     STOPPING  told to stop, finishes what runs         gone
 *
 * What the arbiter knows is late: a worker that it believes is booting may have accepted a connection already. So a
 * booting worker gets TERM too, which ends it at once unless it listens. It has a short time; one that says in this time
 * that it is ready gets the time of one that serves.
 *
 * Before a worker has said hello, a signal that is not meant to end it could end it. So USR1 waits until then, and is a
 * message: see `nodeCommand` in `cli/child.ts`.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import type { ShedMessage } from "./child.ts";
import type { SignalMessage } from "./signals.ts";

const QUICK = 1000; // ms that a worker has which cuts what runs
const BOOT_GRACE = 2000; // ms that one has which serves nobody, as far as is known
const BEHIND = 1000; // ms behind gracefulTimeout, after which a worker cuts by itself
const ABORT_GRACE = 1000; // ms from SIGABRT to SIGKILL

/** How a worker is started and belongs. */
export interface WorkerOptions {
  /** The process, which runs. */
  readonly child: ChildProcess;
  /** How many workers there were before. */
  readonly age: number;
  /** The generation that it belongs to. */
  readonly generation: number;
  /** Sends it a signal. */
  signal(pid: number, name: NodeJS.Signals): void;
}

/** A worker process. */
export class WorkerProcess {
  /** The process. */
  readonly child: ChildProcess;
  /** Its id. */
  readonly pid: number;
  /** How many workers there were before. */
  readonly age: number;
  /** The generation that it belongs to. */
  readonly generation: number;
  /** Whether it wants to be replaced. */
  full = false;
  /** Connections that it holds. */
  connections = 0;
  /** When it said that it is ready. */
  readyAt = 0;
  #state: "booting" | "ready" | "stopping" = "booting";
  #startedAt: number = performance.now();
  #heardAt: number = this.#startedAt;
  #killAt = Infinity;
  #lateGrace = 0; // ms that it has if it turns out to serve
  #greeted = false;
  #reopens = false;
  #sheds = false;
  #aborted = false;
  readonly #signal: (pid: number, name: NodeJS.Signals) => void;

  /** A worker that has just been started. */
  constructor({ child, age, generation, signal }: WorkerOptions) {
    this.child = child;
    this.pid = child.pid as number;
    this.age = age;
    this.generation = generation;
    this.#signal = signal;
  }

  /** What it does. */
  get state(): "booting" | "ready" | "stopping" {
    return this.#state;
  }

  /** It has said something. */
  heard(): void {
    this.#heardAt = performance.now();
  }

  /** It takes signals. */
  greeted(): void {
    this.#greeted = true;
    if (this.#reopens) this.reopenLogs();
  }

  /** It serves; gives whether that is news, and not too late. */
  becameReady(): boolean {
    if (this.#state === "ready") return false;
    if (this.#state === "stopping") {
      if (this.#lateGrace > 0) this.#killAt = performance.now() + this.#lateGrace;
      this.#lateGrace = 0;
      return false;
    }
    this.#state = "ready";
    this.readyAt = performance.now();
    return true;
  }

  /** Has it open its logs anew. One that has not said hello may have opened them before, and does it when it has. */
  reopenLogs(): void {
    this.#reopens = !this.#greeted;
    if (this.#greeted) this.#send({ signal: "SIGUSR1" });
  }

  /** Tells it how many connections to let go. */
  shed(count: number): void {
    if (count === 0 && !this.#sheds) return;
    this.#sheds = count > 0; // once more with 0, for what it has not let go
    this.#send({ shed: count });
  }

  #send(message: ShedMessage | SignalMessage): void {
    if (this.child.connected) this.child.send(message, () => {});
  }

  /**
   * Tells it to stop.
   *
   * @param gracefulTimeout Seconds that running requests have.
   */
  stop(name: "SIGTERM" | "SIGQUIT", gracefulTimeout: number): void {
    if (this.#state === "stopping" && name === "SIGTERM") return;
    const serving = gracefulTimeout * 1000 + BEHIND;
    const booting = this.#state === "booting";
    const grace = name === "SIGQUIT" ? QUICK : booting ? BOOT_GRACE : serving;
    const now = performance.now();
    this.#lateGrace = booting && name === "SIGTERM" ? serving : 0;
    this.#killAt = Math.min(this.#killAt, now + grace);
    this.#heardAt = Math.max(this.#heardAt, now);
    this.#state = "stopping";
    this.#signal(this.pid, name);
  }

  /** Kills it when its time to stop is over; gives whether it is. */
  killIfDue(now: number): boolean {
    if (now < this.#killAt) return false;
    this.kill();
    return true;
  }

  /** Whether it takes longer to boot than it may. */
  bootsTooLong(now: number, seconds: number): boolean {
    return seconds > 0 && this.#state === "booting" && now - this.#startedAt >= seconds * 1000;
  }

  /** Whether it is silent for longer than it may be, and nothing has been done about it. */
  isSilent(now: number, seconds: number): boolean {
    return seconds > 0 && this.#state !== "booting" && !this.#aborted && now - this.#heardAt >= seconds * 1000;
  }

  /** Ends it, for it does not answer. */
  abort(gently: boolean): void {
    this.#aborted = true;
    if (!gently) return this.kill();
    this.#killAt = performance.now() + ABORT_GRACE;
    this.#signal(this.pid, "SIGABRT");
  }

  /** Kills it. */
  kill(): void {
    this.#killAt = Infinity;
    this.#signal(this.pid, "SIGKILL");
  }

  /** The arbiter itself did not run for this many milliseconds: what the worker said meanwhile is still to be read. */
  forgive(late: number): void {
    this.#startedAt += late;
    this.#heardAt += late;
    this.#killAt += late;
  }
}
