/**
 * The arbiter's view of a worker: the child process, its last messages, and how the arbiter ends it.
 *
 * A worker is in one of these states:
 *
 *     BOOTING   started, loads the application           READY when it says so; gone when it fails
 *     READY     serves, and sends heartbeats             STOPPING; gone when it dies or is killed
 *     STOPPING  told to stop, finishes its requests      gone
 *
 * The arbiter learns of changes late: a worker that it regards as booting may have accepted a connection already. So
 * the arbiter stops a booting worker with TERM too. TERM ends the worker at once unless it listens. A booting worker
 * has a short time to end. If it reports within that time that it is ready, it gets the time of a serving worker.
 *
 * Until a worker has sent `hello`, it may not handle signals yet, so that even USR1 could end it. So the arbiter holds
 * USR1 until the hello, and sends it as a message: see `nodeCommand` in `cli/child.ts`.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import type { HeardMessage, ResizeMessage, ShedMessage } from "./child.ts";
import type { SignalMessage } from "./signals.ts";

const QUICK = 1000; // ms that a worker has to end after SIGQUIT, which cuts running requests
const BOOT_GRACE = 2000; // ms that a booting worker has to end
const BEHIND = 1000; // ms beyond gracefulTimeout, at which a worker cuts its requests by itself
const ABORT_GRACE = 1000; // ms from SIGABRT to SIGKILL

/** Options of a worker. */
export interface WorkerOptions {
  /** The running process. */
  readonly child: ChildProcess;
  /** How many workers were started before it. */
  readonly age: number;
  /** The generation that it belongs to. */
  readonly generation: number;
  /** Sends a signal to it. */
  signal(pid: number, name: NodeJS.Signals): void;
}

/** A worker process. */
export class WorkerProcess {
  /** The process. */
  readonly child: ChildProcess;
  /** Its process id. */
  readonly pid: number;
  /** How many workers were started before it. */
  readonly age: number;
  /** The generation that it belongs to. */
  readonly generation: number;
  /** Whether it has asked to be replaced. */
  full = false;
  /** Whether it has said why it does not load the application. */
  explained = false;
  /** The open connections that its last heartbeat reported. */
  connections = 0;
  /** When it reported that it is ready. */
  readyAt = 0;
  #state: "booting" | "ready" | "stopping" = "booting";
  #startedAt: number = performance.now();
  #heardAt: number = this.#startedAt;
  #killAt = Infinity;
  #lateGrace = 0; // ms that it gets to stop if it reports ready after the stop
  #greeted = false;
  #reopens = false;
  #sheds = false;
  #aborted = false;
  readonly #signal: (pid: number, name: NodeJS.Signals) => void;

  /** Wraps a process that has just been started. */
  constructor({ child, age, generation, signal }: WorkerOptions) {
    this.child = child;
    this.pid = child.pid as number;
    this.age = age;
    this.generation = generation;
    this.#signal = signal;
  }

  /** Its state. */
  get state(): "booting" | "ready" | "stopping" {
    return this.#state;
  }

  /** Notes that a message has come. */
  heard(): void {
    this.#heardAt = performance.now();
  }

  /** Notes the worker's hello: it handles signals from now on. */
  greeted(): void {
    this.#greeted = true;
    if (this.#reopens) this.reopenLogs();
  }

  /** Notes that the worker is ready; returns whether that changed its state. A stopping worker stays stopping. */
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

  /** Notes that the worker has said why it does not load the application, and lets it end. */
  explain(): void {
    this.explained = true;
    this.#send({ heard: true });
  }

  /** Tells it to reopen its logs, or does so after its hello: it may have opened them before that. */
  reopenLogs(): void {
    this.#reopens = !this.#greeted;
    if (this.#greeted) this.#send({ signal: "SIGUSR1" });
  }

  /** Tells it how many connections to close. */
  shed(count: number): void {
    if (count === 0 && !this.#sheds) return;
    this.#sheds = count > 0; // a last message with 0 cancels what it has not closed yet
    this.#send({ shed: count });
  }

  /** Tells it how many Python processes are wanted. */
  resize(processes: number): void {
    this.#send({ processes });
  }

  #send(message: ShedMessage | HeardMessage | ResizeMessage | SignalMessage): void {
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

  /** Kills it if its time to stop is over; returns whether it did. */
  killIfDue(now: number): boolean {
    if (now < this.#killAt) return false;
    this.kill();
    return true;
  }

  /** Whether it has been booting for too long. */
  bootsTooLong(now: number, seconds: number): boolean {
    return seconds > 0 && this.#state === "booting" && now - this.#startedAt >= seconds * 1000;
  }

  /** Whether it has sent no message for too long, and `abort` has not been called yet. */
  isSilent(now: number, seconds: number): boolean {
    return seconds > 0 && this.#state !== "booting" && !this.#aborted && now - this.#heardAt >= seconds * 1000;
  }

  /** Ends a worker that does not answer: with SIGABRT and later SIGKILL if `gently`, else with SIGKILL. */
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

  /** Extends its times by the milliseconds for which the arbiter did not run: its messages of that time are unread. */
  forgive(late: number): void {
    this.#startedAt += late;
    this.#heardAt += late;
    this.#killAt += late;
  }
}
