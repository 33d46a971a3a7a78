/**
 * The pool: worker processes, how many there should be, and which of them are to go.
 *
 * A worker is in one of these states:
 *
 *     BOOTING   started, loads the application           READY when it says so; gone when it fails
 *     READY     serves, and beats                        STOPPING; gone when it dies or is killed
 *     STOPPING  told to stop, finishes what runs         gone
 *
 * Each belongs to a generation: a reload begins a new one. A worker that is *fresh*, of the current generation and not
 * full, counts for the number wanted; others serve on until fresh ones are ready in their place, so that there are
 * never fewer that serve than were wanted. A generation is *proven* once a worker of it is ready. One that fails before
 * that is given up, and the workers of the last proven one are fresh again: a reload that does not load changes nothing.
 *
 * A worker that dies young is a crash. The first is replaced at once; more in a row wait, longer each time.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import { surpluses } from "./balance.ts";
import { type ShedMessage, signal, type WorkerMessage } from "./child.ts";
import type { Log } from "./log.ts";

/** The exit status of a worker when the application does not load, and of the command when its workers do not start. */
export const LOAD_FAILED = 3;

const YOUNG = 5000; // ms after it was ready in which the end of a worker is a crash
const FIRST_WAIT = 500; // ms after the second crash in a row, then twice as long each time
const LONGEST_WAIT = 10_000; // ms
const CHECK = 250; // ms between looks at the heartbeats
const BALANCE = 6; // looks between two balances, so that each worker has beaten since the last one
const ABORT_GRACE = 1000; // ms from SIGABRT to SIGKILL

/** What the pool is told to do, which a reload may change. */
export interface PoolSettings {
  /** Seconds a worker may be silent; 0 for any time. */
  readonly timeout: number;
  /** Seconds a worker has to stop. */
  readonly gracefulTimeout: number;
  /** Whether a worker gets SIGABRT before SIGKILL. */
  readonly aborts: boolean;
}

/** What the pool asks of the arbiter. */
export interface PoolOwner {
  /** Starts a worker of the current generation. */
  spawn(age: number): ChildProcess;
  /** The worker processes have changed. */
  changed(pids: readonly number[]): void;
  /** The current generation loads: a worker of it is ready. */
  proved(): void;
  /** All that were wanted are ready. */
  ready(): void;
  /** The current generation does not load; the last one that did goes on, if there is one. */
  failed(proven: boolean): void;
  /** A worker is about to be killed, for it has not answered. */
  timedOut(pid: number): void;
  /** A worker is gone. */
  childExit(pid: number, age: number): void;
}

/** A worker process. */
interface Worker {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly age: number;
  readonly generation: number;
  state: "booting" | "ready" | "stopping";
  full: boolean;
  readyAt: number;
  heardAt: number;
  connections: number;
  sheds: boolean;
  /** When it is to be killed. */
  killAt: number;
  aborted: boolean;
}

/** The worker processes. */
export class Pool {
  /** How many are wanted. */
  #wanted = 0;
  #settings: PoolSettings;
  #generation = 0;
  #proven = -1;
  #ages = 0;
  #crashes = 0;
  #retryAt = 0;
  #stopped = false;
  #checkedAt: number = performance.now();
  readonly #log: Log;
  readonly #owner: PoolOwner;
  readonly #workers = new Map<number, Worker>();
  readonly #timer: ReturnType<typeof setInterval>;
  #emptied: (() => void) | undefined;
  #looks = 0;

  /** A pool without workers: `want` starts them. */
  constructor(owner: PoolOwner, log: Log, settings: PoolSettings) {
    this.#owner = owner;
    this.#log = log;
    this.#settings = settings;
    this.#timer = setInterval(() => this.#check(), CHECK);
  }

  /** How many workers are wanted. */
  get wanted(): number {
    return this.#wanted;
  }

  /** Whether an application has ever been loaded. */
  get proven(): boolean {
    return this.#proven >= 0;
  }

  /** Wants another number of workers. */
  want(count: number): void {
    this.#wanted = count;
    this.#manage();
  }

  /** Begins a new generation of `count` workers. */
  renew(count: number, settings: PoolSettings): void {
    this.#settings = settings;
    this.#wanted = count;
    this.#generation = this.#ages + 1; // larger than any before
    this.#crashes = 0;
    this.#retryAt = 0;
    for (const worker of this.#workers.values()) {
      if (worker.state === "booting") this.#stop(worker, "SIGTERM");
    }
    this.#manage();
  }

  /** Passes a signal on to all workers. */
  signal(name: NodeJS.Signals): void {
    for (const worker of this.#workers.values()) signal(worker.pid, name);
  }

  /** Stops all workers but goes on: the arbiter stays. */
  stopWorkers(): void {
    this.#wanted = 0;
    for (const worker of this.#workers.values()) this.#stop(worker, "SIGTERM");
  }

  /** Stops all workers for good; settles when they are gone. `SIGQUIT` is at once. */
  stop(name: "SIGTERM" | "SIGQUIT"): Promise<void> {
    this.#stopped = true;
    this.#wanted = 0;
    for (const worker of this.#workers.values()) this.#stop(worker, name);
    return new Promise((resolve) => {
      const before = this.#emptied;
      this.#emptied = () => {
        clearInterval(this.#timer);
        before?.();
        resolve();
      };
      if (this.#workers.size === 0) this.#emptied();
    });
  }

  #manage(): void {
    if (this.#stopped) return;
    const fresh = [...this.#workers.values()].filter((worker) => this.#isFresh(worker));
    const ready = fresh.filter(({ state }) => state === "ready");
    for (let missing = this.#wanted - fresh.length; missing > 0 && performance.now() >= this.#retryAt; missing--) {
      this.#spawn();
    }
    const surplus = fresh.slice(0, Math.max(0, fresh.length - this.#wanted)); // the oldest
    for (const worker of surplus) this.#stop(worker, "SIGTERM");
    const old = [...this.#workers.values()].filter((worker) => worker.state === "ready" && !this.#isFresh(worker));
    const dispensable = Math.max(0, ready.length - surplus.length + old.length - this.#wanted);
    if (this.#generation === this.#proven) {
      for (const worker of old.slice(0, dispensable)) this.#stop(worker, "SIGTERM");
    }
    if (ready.length >= this.#wanted && this.#wanted > 0) this.#owner.ready();
  }

  #isFresh(worker: Worker): boolean {
    return worker.generation === this.#generation && worker.state !== "stopping" && !worker.full;
  }

  #spawn(): void {
    const child = this.#start();
    const pid = child?.pid;
    if (child === undefined || pid === undefined) return this.#notStarted();
    const worker: Worker = {
      child,
      pid,
      age: this.#ages - 1,
      generation: this.#generation,
      state: "booting",
      full: false,
      readyAt: 0,
      heardAt: 0,
      connections: 0,
      sheds: false,
      killAt: Infinity,
      aborted: false,
    };
    this.#workers.set(pid, worker);
    this.#log.info(`Booting worker with pid: ${pid}`);
    child.on("message", (message) => this.#heard(worker, message as WorkerMessage));
    child.once("exit", (code, name) => this.#exited(worker, code, name));
    child.on("error", (error) => this.#log.debug(`Worker (pid:${pid}): ${error.message}`));
    this.#tellPids();
  }

  /** There is no process whose end would lead to another try, so time does. */
  #notStarted(): void {
    this.#crashed();
    if (this.#retryAt === 0) this.#retryAt = performance.now() + FIRST_WAIT;
  }

  #start(): ChildProcess | undefined {
    const failed = (error: Error): void => this.#log.error(`Cannot start a worker: ${error.message}`);
    try {
      const child = this.#owner.spawn(this.#ages++);
      return child.pid === undefined ? void child.once("error", failed) : child;
    } catch (error) {
      failed(error as Error);
      return undefined;
    }
  }

  #heard(worker: Worker, message: WorkerMessage): void {
    worker.heardAt = performance.now();
    if (message.type === "ready" && worker.state === "booting") {
      worker.state = "ready";
      worker.readyAt = worker.heardAt;
      if (worker.generation === this.#generation && this.#proven !== this.#generation) {
        this.#proven = this.#generation;
        this.#owner.proved();
      }
      this.#log.debug(`Worker is ready (pid:${worker.pid})`);
      this.#manage();
    } else if (message.type === "beat") {
      worker.connections = message.connections;
    } else if (message.type === "full") {
      worker.full = true;
      this.#manage();
    }
  }

  #stop(worker: Worker, name: "SIGTERM" | "SIGQUIT"): void {
    const now = performance.now();
    const grace = name === "SIGQUIT" ? 1000 : this.#settings.gracefulTimeout * 1000 + 1000; // it cuts by itself before
    if (worker.state === "stopping" && name === "SIGTERM") return;
    const booting = worker.state === "booting";
    worker.state = "stopping";
    worker.killAt = Math.min(worker.killAt, now + grace);
    worker.heardAt = Math.max(worker.heardAt, now);
    signal(worker.pid, booting ? "SIGKILL" : name); // it serves nobody yet, and may not listen to signals
  }

  #exited(worker: Worker, code: number | null, name: NodeJS.Signals | null): void {
    this.#workers.delete(worker.pid);
    this.#tellPids();
    this.#owner.childExit(worker.pid, worker.age);
    const how = name === null ? `exited with code ${code}` : `was ended by ${name}`;
    if (worker.state === "stopping") this.#log.info(`Worker exited (pid:${worker.pid})`);
    else if (worker.state === "booting") this.#bootFailed(worker, code, how);
    else {
      this.#log.error(`Worker (pid:${worker.pid}) ${how}`);
      // Somebody else's SIGKILL is no fault of the application.
      if (name !== "SIGKILL" && performance.now() - worker.readyAt < YOUNG) this.#crashed();
    }
    if (this.#workers.size === 0) this.#emptied?.();
    this.#manage();
  }

  #bootFailed(worker: Worker, code: number | null, how: string): void {
    const what = code === LOAD_FAILED ? "could not load the application" : `${how} before it was ready`;
    this.#log.error(`Worker (pid:${worker.pid}) ${what}`);
    if (worker.generation !== this.#generation || this.#stopped) return;
    if (this.#proven === this.#generation) return this.#crashed();
    if (this.proven) this.#generation = this.#proven;
    else this.#wanted = 0;
    for (const other of this.#workers.values()) {
      if (other.state === "booting") this.#stop(other, "SIGTERM");
    }
    this.#owner.failed(this.proven);
  }

  #crashed(): void {
    this.#crashes++;
    if (this.#crashes < 2) return;
    const wait = Math.min(FIRST_WAIT * 2 ** (this.#crashes - 2), LONGEST_WAIT);
    this.#retryAt = performance.now() + wait;
    this.#log.error(`Workers have crashed ${this.#crashes} times in a row: the next one starts in ${wait / 1000} s`);
  }

  /** The clock of the pool. */
  #check(): void {
    const now = performance.now();
    const late = now - this.#checkedAt - CHECK;
    this.#checkedAt = now;
    let steady = this.#workers.size > 0;
    for (const worker of this.#workers.values()) {
      if (late > CHECK) worker.heardAt += late; // it was the arbiter that did not run
      if (worker.state !== "ready" || now - worker.readyAt < YOUNG) steady = false;
      if (now >= worker.killAt) this.#kill(worker);
      else this.#checkBeat(worker, now);
    }
    if (steady) this.#crashes = 0;
    if (++this.#looks % BALANCE === 0) this.#balance();
    if (!this.#stopped && this.#retryAt > 0 && now >= this.#retryAt) {
      this.#retryAt = 0;
      this.#manage();
    }
  }

  /** Has workers that hold too many connections let some go. */
  #balance(): void {
    const ready = [...this.#workers.values()].filter(({ state, full }) => state === "ready" && !full);
    if (ready.length < 2 || this.#stopped) return;
    surpluses(ready.map(({ connections }) => connections)).forEach((shed, i) => {
      const worker = ready[i] as Worker;
      if (shed === 0 && !worker.sheds) return;
      worker.sheds = shed > 0; // once more with 0, for what it has not let go
      const message: ShedMessage = { shed };
      if (worker.child.connected) worker.child.send(message, () => {});
    });
  }

  #checkBeat(worker: Worker, now: number): void {
    const { timeout, aborts } = this.#settings;
    if (timeout === 0 || worker.state === "booting" || worker.aborted || now - worker.heardAt < timeout * 1000) return;
    this.#log.critical(`WORKER TIMEOUT (pid:${worker.pid}): it has not answered for ${timeout} s`);
    worker.aborted = true;
    this.#owner.timedOut(worker.pid);
    if (!aborts) return this.#kill(worker);
    worker.killAt = now + ABORT_GRACE;
    signal(worker.pid, "SIGABRT");
  }

  #kill(worker: Worker): void {
    worker.killAt = Infinity;
    signal(worker.pid, "SIGKILL");
  }

  #tellPids(): void {
    this.#owner.changed([...this.#workers.keys()]);
  }
}
