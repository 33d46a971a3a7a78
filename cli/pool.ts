/**
 * The pool of worker processes: decides how many run and which of them stop.
 *
 * Each worker belongs to a generation. A reload begins a new generation. A worker is *fresh* if it is of the current
 * generation and not full (due for replacement). Fresh workers count toward the wanted number. The others serve on
 * until fresh ones are ready in their place. Of surplus workers, the pool stops those that boot before those that
 * serve. So never fewer workers serve than were wanted.
 *
 * A generation is *proven* once one of its workers is ready. Until then the last proven generation is the *fallback*:
 * its workers serve on, and the pool replaces one that dies by another with the same settings. A worker of an unproven
 * generation that fails to load is not replaced yet. Once another of that generation is ready, the generation is
 * proven, and the pool tries again. When all have failed, the pool gives the generation up, and the workers of the
 * fallback are fresh again, as many as before. So a reload whose application does not load changes nothing.
 *
 * A worker that dies before it is ready, or soon after, counts as a crash. The pool replaces the first at once. After
 * more crashes in a row it waits, longer each time.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import { surpluses } from "./balance.ts";
import type { WorkerMessage } from "./child.ts";
import type { Log } from "./log.ts";
import { WorkerProcess } from "./worker_process.ts";

/** The exit status of a worker that cannot load the application, and of the command whose workers do not start. */
export const LOAD_FAILED = 3;

const YOUNG = 5000; // ms after a worker was ready in which its end counts as a crash
const FIRST_WAIT = 500; // ms to wait after the second crash in a row; doubled at each further one
const LONGEST_WAIT = 10_000; // ms
const CHECK = 250; // ms between looks at the heartbeats
const BALANCE = 6; // checks between two balances, so that each worker has sent a heartbeat since the last one

/** Settings of the pool, which a reload may change. */
export interface PoolSettings {
  /** Seconds a worker may send no message; 0 for no limit. */
  readonly timeout: number;
  /** Seconds a worker has to load the application; 0 for no limit. */
  readonly bootTimeout: number;
  /** Seconds a worker has to stop. */
  readonly gracefulTimeout: number;
  /** Whether a worker gets SIGABRT before SIGKILL. */
  readonly aborts: boolean;
}

/** What the pool calls on the arbiter. */
export interface PoolOwner {
  /** Starts a worker of the current generation or, with `former`, of the last generation that loaded. */
  spawn(age: number, former: boolean): ChildProcess;
  /** Sends a signal to a worker. */
  signal(pid: number, name: NodeJS.Signals): void;
  /** The set of worker processes has changed. */
  changed(pids: readonly number[]): void;
  /** The current generation is proven: one of its workers is ready. */
  proved(): void;
  /** The files of a Python application. */
  files(files: readonly string[]): void;
  /** A worker has not loaded the application. */
  notLoaded(why: string): void;
  /** As many workers as are wanted are ready. */
  ready(): void;
  /** The current generation failed to load. With `proven`, the workers of the last proven generation serve on. */
  failed(proven: boolean): void;
  /** The pool is about to end a worker that has sent no message for `timeout`. */
  timedOut(pid: number): void;
  /** A worker is gone. */
  childExit(pid: number, age: number): void;
}

/** The last proven generation, while the current one is unproven. */
interface Fallback {
  readonly generation: number;
  readonly settings: PoolSettings;
  wanted: number;
}

/** The worker processes. */
export class Pool {
  /** How many are wanted. */
  #wanted = 0;
  #settings: PoolSettings;
  #generation = 0;
  #proven = -1;
  #fallback: Fallback | undefined;
  #failures = 0; // workers of an unproven generation that failed to load
  #outdated = false; // the serving workers are older than the last reload
  #ages = 0;
  #crashes = 0;
  #retryAt = 0;
  #stopped = false;
  #checkedAt: number = performance.now();
  readonly #log: Log;
  readonly #owner: PoolOwner;
  readonly #workers = new Map<number, WorkerProcess>();
  readonly #timer: ReturnType<typeof setInterval>;
  #emptied: (() => void) | undefined;
  #looks = 0;

  /** Makes a pool without workers; `want` starts them. */
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

  /** Whether any generation has ever been proven. */
  get proven(): boolean {
    return this.#proven >= 0;
  }

  /** A message about how many workers serve, and whether they run outdated code. */
  get strength(): string {
    const serving = this.#all().filter(({ state }) => state === "ready").length;
    const text = `${serving} of ${this.#fallback?.wanted ?? this.#wanted} workers serve`;
    return this.#outdated ? `${text}, and the files on disk are newer than what they have loaded` : text;
  }

  /** Changes the wanted number of workers. */
  want(count: number): void {
    if (this.#fallback !== undefined) this.#fallback.wanted = Math.max(0, this.#fallback.wanted + count - this.#wanted);
    this.#wanted = count;
    this.#manage();
  }

  /** Begins a new generation of `count` workers. */
  renew(count: number, settings: PoolSettings): void {
    if (this.proven) {
      this.#fallback ??= { generation: this.#proven, settings: this.#settings, wanted: this.#wanted };
      this.#outdated = true;
    }
    this.#settings = settings;
    this.#wanted = count;
    this.#generation = this.#ages + 1; // larger than any before
    this.#failures = 0;
    this.#crashes = 0;
    this.#retryAt = 0;
    for (const worker of this.#all()) {
      if (worker.state === "booting" && worker.generation !== this.#fallback?.generation) this.#stop(worker);
    }
    this.#manage();
  }

  /** Tells all workers to reopen their logs. */
  reopenLogs(): void {
    for (const worker of this.#all()) worker.reopenLogs();
  }

  /** Tells all workers how many Python processes are wanted. */
  resize(processes: number): void {
    for (const worker of this.#all()) worker.resize(processes);
  }

  /** Stops all workers, but not the pool: the arbiter runs on. */
  stopWorkers(): void {
    this.#wanted = 0;
    this.#failures = 0;
    if (this.#fallback !== undefined) this.#fallback.wanted = 0;
    for (const worker of this.#all()) this.#stop(worker);
  }

  /** Stops the pool and all workers; settles when they are gone. `SIGQUIT` stops them at once. */
  stop(name: "SIGTERM" | "SIGQUIT"): Promise<void> {
    this.#stopped = true;
    this.#wanted = 0;
    for (const worker of this.#all()) this.#stop(worker, name);
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

  #all(): WorkerProcess[] {
    return [...this.#workers.values()];
  }

  #isFresh(worker: WorkerProcess): boolean {
    return worker.generation === this.#generation && worker.state !== "stopping" && !worker.full;
  }

  /** Starts and stops workers until their number is the wanted one. */
  #manage(): void {
    if (this.#stopped) return;
    const fresh = this.#all().filter((worker) => this.#isFresh(worker));
    const ready = fresh.filter(({ state }) => state === "ready");
    const booting = fresh.filter(({ state }) => state === "booting");
    this.#spawn(this.#wanted - fresh.length - this.#failures, this.#generation);
    const surplus = [...booting.toReversed(), ...ready].slice(0, Math.max(0, fresh.length - this.#wanted));
    for (const worker of surplus) this.#stop(worker);
    if (this.#generation === this.#proven) this.#retire(ready.filter(({ state }) => state === "ready").length);
    else this.#keepFallback();
    if (ready.length >= this.#wanted && this.#wanted > 0) this.#owner.ready();
  }

  /** Stops workers that are not fresh, as far as `ready` fresh ones replace them. */
  #retire(ready: number): void {
    const old = this.#all().filter((worker) => worker.state !== "stopping" && !this.#isFresh(worker));
    const serving = old.filter(({ state }) => state === "ready");
    const dispensable = Math.max(0, ready + serving.length - this.#wanted);
    const booting = old.filter(({ state }) => state === "booting");
    for (const worker of [...booting, ...serving.slice(0, dispensable)]) this.#stop(worker);
  }

  /** Replaces workers of the fallback that have died. */
  #keepFallback(): void {
    if (this.#fallback === undefined) return;
    const { generation, wanted } = this.#fallback;
    const old = this.#all().filter((worker) => worker.state !== "stopping" && worker.generation !== this.#generation);
    this.#spawn(wanted - old.length, generation);
  }

  #spawn(count: number, generation: number): void {
    for (let missing = count; missing > 0 && performance.now() >= this.#retryAt; missing--) {
      this.#spawnOne(generation);
    }
  }

  #spawnOne(generation: number): void {
    const child = this.#start(generation !== this.#generation);
    if (child?.pid === undefined) return this.#notStarted();
    const { signal } = this.#owner;
    const worker = new WorkerProcess({ child, age: this.#ages - 1, generation, signal });
    this.#workers.set(worker.pid, worker);
    this.#log.info(`Booting worker with pid: ${worker.pid}`);
    child.on("message", (message) => this.#heard(worker, message as WorkerMessage));
    child.once("exit", (code, name) => this.#exited(worker, code, name));
    child.on("error", (error) => this.#log.debug(`Worker (pid:${worker.pid}): ${error.message}`));
    this.#tellPids();
  }

  /** Schedules another try: the process did not start, so no exit event will cause one. */
  #notStarted(): void {
    this.#crashed();
    if (this.#retryAt === 0) this.#retryAt = performance.now() + FIRST_WAIT;
  }

  #start(former: boolean): ChildProcess | undefined {
    const failed = (error: Error): void => this.#log.error(`Cannot start a worker: ${error.message}`);
    try {
      const child = this.#owner.spawn(this.#ages++, former);
      return child.pid === undefined ? void child.once("error", failed) : child;
    } catch (error) {
      failed(error as Error);
      return undefined;
    }
  }

  #heard(worker: WorkerProcess, message: WorkerMessage): void {
    worker.heard();
    switch (message.type) {
      case "hello":
        return worker.greeted();
      case "ready":
        if (!worker.becameReady()) return;
        this.#log.debug(`Worker is ready (pid:${worker.pid})`);
        if (worker.generation === this.#generation) this.#prove();
        return this.#manage();
      case "beat":
        worker.connections = message.connections;
        return;
      case "full":
        worker.full = true;
        return this.#manage();
      case "files":
        return this.#owner.files(message.files);
      case "failed":
        worker.explain();
        return this.#owner.notLoaded(message.why);
    }
  }

  /** Marks the current generation as proven. */
  #prove(): void {
    if (this.#proven === this.#generation) return;
    this.#proven = this.#generation;
    this.#fallback = undefined;
    this.#outdated = false;
    this.#owner.proved();
    for (; this.#failures > 0; this.#failures--) this.#crashed();
  }

  #stop(worker: WorkerProcess, name: "SIGTERM" | "SIGQUIT" = "SIGTERM"): void {
    worker.stop(name, this.#settings.gracefulTimeout);
  }

  #exited(worker: WorkerProcess, code: number | null, name: NodeJS.Signals | null): void {
    this.#workers.delete(worker.pid);
    this.#tellPids();
    this.#owner.childExit(worker.pid, worker.age);
    const how = name === null ? `exited with code ${code}` : `was ended by ${name}`;
    if (worker.state === "stopping") this.#log.info(`Worker exited (pid:${worker.pid})`);
    else if (worker.state === "booting") {
      const what = code === LOAD_FAILED ? "could not load the application" : `${how} before it was ready`;
      this.#bootFailed(worker, what, worker.explained ? "debug" : "error");
    } else {
      this.#log.error(`Worker (pid:${worker.pid}) ${how}${this.#outdated ? `: ${this.strength}` : ""}`);
      // A SIGKILL from outside is not the application's fault, so it does not count as a crash.
      if (name !== "SIGKILL" && performance.now() - worker.readyAt < YOUNG) this.#crashed();
    }
    if (this.#workers.size === 0) this.#emptied?.();
    this.#manage();
  }

  /** Handles a worker that ended, or ran out of time, before it was ready. */
  #bootFailed({ pid, generation }: WorkerProcess, what: string, level: "debug" | "error" = "error"): void {
    const report = (more: string): void =>
      this.#log[more === "" ? level : "error"](`Worker (pid:${pid}) ${what}${more}`);
    const former = generation === this.#fallback?.generation;
    if (this.#stopped || (generation !== this.#generation && !former)) return report("");
    if (former || generation === this.#proven) {
      report(`: ${this.strength}`);
      return this.#crashed();
    }
    report("");
    this.#failures++;
    if (!this.#all().some((worker) => worker.state === "booting" && this.#isFresh(worker))) this.#giveUp();
  }

  /** Gives up the current generation, which does not load, and returns to the fallback. */
  #giveUp(): void {
    this.#failures = 0;
    this.#wanted = this.#fallback?.wanted ?? 0;
    this.#settings = this.#fallback?.settings ?? this.#settings;
    this.#generation = this.#fallback?.generation ?? this.#generation;
    this.#fallback = undefined;
    this.#owner.failed(this.proven);
  }

  #crashed(): void {
    this.#crashes++;
    if (this.#crashes < 2) return;
    const wait = Math.min(FIRST_WAIT * 2 ** (this.#crashes - 2), LONGEST_WAIT);
    this.#retryAt = performance.now() + wait;
    this.#log.error(`Workers have crashed ${this.#crashes} times in a row: the next one starts in ${wait / 1000} s`);
  }

  /** Checks the times of all workers; runs at an interval. */
  #check(): void {
    const now = performance.now();
    const late = now - this.#checkedAt - CHECK;
    this.#checkedAt = now;
    let steady = this.#workers.size > 0;
    for (const worker of this.#all()) {
      if (late > CHECK) worker.forgive(late); // the arbiter itself was suspended or blocked
      if (worker.state !== "ready" || now - worker.readyAt < YOUNG) steady = false;
      if (!worker.killIfDue(now)) this.#checkTime(worker, now);
    }
    if (steady) this.#crashes = 0;
    if (++this.#looks % BALANCE === 0) this.#balance();
    if (!this.#stopped && this.#retryAt > 0 && now >= this.#retryAt) {
      this.#retryAt = 0;
      this.#manage();
    }
  }

  /** Ends a worker that boots for too long or has sent no message for too long. */
  #checkTime(worker: WorkerProcess, now: number): void {
    const { timeout, bootTimeout, aborts } = this.#settings;
    if (worker.bootsTooLong(now, bootTimeout)) {
      this.#stop(worker);
      this.#bootFailed(worker, `has not loaded the application within ${bootTimeout} s (--boot-timeout)`);
      this.#manage();
    } else if (worker.isSilent(now, timeout)) {
      this.#log.critical(`WORKER TIMEOUT (pid:${worker.pid}): it has not answered for ${timeout} s`);
      this.#owner.timedOut(worker.pid);
      worker.abort(aborts);
    }
  }

  /** Tells workers that hold too many connections to close some. */
  #balance(): void {
    const ready = this.#all().filter(({ state, full }) => state === "ready" && !full);
    if (ready.length < 2 || this.#stopped) return;
    surpluses(ready.map(({ connections }) => connections)).forEach((shed, i) => ready[i]?.shed(shed));
  }

  #tellPids(): void {
    this.#owner.changed([...this.#workers.keys()]);
  }
}
