/**
 * The arbiter, the master process: keeps the pool of workers and handles signals.
 *
 *     TERM      stop; running requests have gracefulTimeout
 *     INT QUIT  stop at once
 *     HUP       read the configuration anew, and replace the workers by new ones, which load the application anew
 *     USR1      reopen the logs
 *     TTIN TTOU add a worker, remove a worker
 *     WINCH     stop the workers, but not the arbiter; ignored at a terminal, which sends it when its window changes
 *
 * The arbiter holds the listening sockets as descriptors and never opens them as servers, see `cli/launcher.ts`.
 *
 * @module
 */

import { closeSync } from "node:fs";
import { Socket } from "node:net";
import process from "node:process";
import { errorText } from "../core/errors.ts";
import type { AccessRecord } from "../core/gateway/access_log.ts";
import { VERSION } from "../core/version.ts";
import { accessFormat } from "./access_json.ts";
import { type Bind, bindText } from "./bind.ts";
import { type ArbiterMessage, FIRST_SOCKET, packSettings, runtimeName, signal, spawnSelf } from "./child.ts";
import type { Given } from "./command_line.ts";
import { needRestart, processCount, type Resolved, resolveSettings, within, workerCount } from "./config.ts";
import { enterAgain } from "./directory.ts";
import { checkForwarded } from "./forwarded.ts";
import { LoadReports } from "./load_reports.ts";
import { LogFile } from "./log_file.ts";
import { closeLog, openLog, standardOf } from "./log_open.ts";
import { Log } from "./log.ts";
import { LOAD_FAILED, Pool, type PoolSettings } from "./pool.ts";
import { checkPython } from "./python.ts";
import { watchCode } from "./code_watcher.ts";
import type { ServerInfo } from "./settings/hooks.ts";
import { type Key, settingOf, type Settings } from "./settings/mod.ts";
import { flagOf } from "./settings/setting.ts";
import { REQUESTS, type Signal, STOPS, takeSignals, whenOrphaned } from "./signals.ts";
import { notify } from "./systemd.ts";
import { checkTls } from "./tls.ts";
import { identityOf } from "./user.ts";

/** Options of an arbiter. */
export interface ArbiterOptions {
  /** URL of the program. */
  readonly main: string;
  /** The command line. */
  readonly commandLine: Given;
  /** The directory in which the configuration file is looked for. */
  readonly directory: string;
  /** The addresses of the sockets, which are descriptors 3 and up. */
  readonly binds: readonly Bind[];
  /** The settings, and the configuration file. */
  readonly resolved: Resolved;
}

const AS_FIRST = "This is process 1, which is to wait for orphans and does not: they stay as zombies. " +
  "Run it under an init: `docker run --init`, `init: true` of compose, or tini";

/** Whether the command is process 1 of the system or the container: its launcher or, if there is none, the arbiter. */
export function startedAsFirst({ pid, ppid, connected }: Pick<typeof process, "pid" | "ppid" | "connected">): boolean {
  return (connected === true ? ppid : pid) === 1; // only a launcher has a channel to its arbiter
}

/** Runs the arbiter; settles with the exit status once all workers are gone. */
export async function runArbiter(options: ArbiterOptions): Promise<number> {
  const arbiter = new Arbiter(options);
  return await arbiter.run();
}

class Arbiter {
  readonly #options: ArbiterOptions;
  readonly #log: Log;
  readonly #pool: Pool;
  readonly #info: ServerInfo;
  #resolved: Resolved;
  #current: Resolved; // of the pool's current generation: an unfinished reload does not change them
  #proved: Resolved; // of the last generation that loaded the application
  #served = false; // all workers have been ready at least once
  #told = false; // ready() has reported that all workers are ready
  #stopping = false;
  readonly #reports: LoadReports;
  #status = 0;
  #processes: number; // of a Python application
  #watched: ReadonlySet<string> = new Set(); // its files
  #reloading: Promise<void> = Promise.resolve();
  #reloadWaits = false; // a reload is queued and has not begun
  #unwatch: () => void = () => {};
  #finish: (status: number) => void = () => {};

  constructor(options: ArbiterOptions) {
    this.#options = options;
    this.#resolved = options.resolved;
    this.#current = options.resolved;
    this.#proved = options.resolved;
    this.#processes = processCount(this.#settings);
    this.#log = new Log(this.#settings, identityOf(this.#settings));
    this.#reports = new LoadReports(this.#log);
    this.#info = { pid: process.pid, log: (message) => this.#log.info(message) };
    this.#pool = new Pool(
      {
        spawn: (age, former) => this.#spawn(age, former ? this.#proved : this.#current),
        signal,
        changed: (workers) => this.#tell({ type: "workers", workers }),
        proved: () => {
          this.#proved = this.#current;
          this.#reports.showStart();
        },
        files: (files) => void this.#watchMore(files),
        notLoaded: (why) => this.#reports.add(why),
        ready: () => this.#ready(),
        failed: (proven) => this.#failed(proven),
        timedOut: (pid) => this.#logTimeout(pid),
        childExit: (pid, age) => {
          const worker = { pid, age, log: (message: string) => this.#log.info(message) };
          this.#call("childExit", () => this.#settings.childExit?.(this.#info, worker));
        },
      },
      this.#log,
      poolSettings(this.#settings),
    );
  }

  get #settings(): Settings {
    return this.#resolved.settings;
  }

  async run(): Promise<number> {
    const finished = new Promise<number>((resolve) => this.#finish = resolve);
    takeSignals(STOPS, (name) => this.#signalled(name));
    whenOrphaned(() => this.#stop("SIGTERM", "the launcher is gone"));
    const log = this.#log;
    log.info(`Starting tsgi ${VERSION}`);
    await this.#call("onStarting", () => this.#settings.onStarting?.(this.#info));
    const { certfile } = this.#settings;
    const protocol = certfile.length > 0 ? "https" : this.#settings.protocol;
    const where = this.#options.binds.map((bind) => `${bind.kind === "tcp" ? `${protocol}://` : ""}${bindText(bind)}`);
    log.info(`Listening at: ${where.join(", ")} (${process.pid})`);
    log.info(`Using runtime: ${runtimeName()}`);
    if (startedAsFirst(process)) log.warning(AS_FIRST);
    this.#prepareLogs();
    if (this.#settings.reload) await this.#watch();
    if (!this.#stopping) this.#pool.want(workerCount(this.#settings));
    takeSignals(REQUESTS, (name) => this.#signalled(name)); // only now: these signals act on workers
    return await finished;
  }

  #signalled(name: Signal): void {
    if (this.#stopping && name !== "SIGINT" && name !== "SIGQUIT" && name !== "SIGUSR1") return;
    this.#reports.showStart();
    if (name !== "SIGWINCH") this.#log.info(`Handling signal: ${name.slice(3).toLowerCase()}`);
    switch (name) {
      case "SIGTERM":
        return this.#stop("SIGTERM");
      case "SIGINT":
      case "SIGQUIT":
        return this.#stop("SIGQUIT");
      case "SIGHUP":
        this.#reopenLogs();
        return void this.reload();
      case "SIGUSR1":
        return this.#reopenLogs();
      case "SIGTTIN":
        return this.#scale(1);
      case "SIGTTOU":
        return this.#scale(-1);
      case "SIGWINCH":
        if (process.stderr.isTTY || process.stdout.isTTY) return this.#log.debug("SIGWINCH of a terminal is ignored");
        this.#log.info("Handling signal: winch: the workers stop");
        return this.#pool.stopWorkers();
    }
  }

  /** Adds or removes a worker or, of a Python application, one of its processes; never the last one. */
  #scale(by: 1 | -1): void {
    const { wanted } = this.#pool;
    const isPython = this.#settings.python !== null && wanted > 0; // after WINCH there is no worker
    const count = isPython ? this.#processes : wanted;
    if (count + by < 1) return;
    if (!isPython) return this.#pool.want(count + by);
    this.#processes = count + by;
    this.#pool.resize(this.#processes);
  }

  /** Reloads the configuration and the workers, one reload at a time. Calls while one is queued share that reload. */
  reload(): Promise<void> {
    if (this.#reloadWaits) return this.#reloading;
    this.#reloadWaits = true;
    return this.#reloading = this.#reloading.then(() => this.#reload());
  }

  async #reload(): Promise<void> {
    this.#reloadWaits = false;
    const log = this.#log;
    if (this.#stopping) return;
    log.info("Hang up: reloading");
    this.#reports.forget();
    notify(log, "RELOADING=1");
    let next: Resolved;
    try {
      enterAgain();
      const reading = resolveSettings(this.#options.commandLine, this.#options.directory);
      next = await within(reading, this.#settings.bootTimeout);
      identityOf(next.settings);
      checkForwarded(next.settings);
      checkPython(next.settings);
      await checkTls(next.settings);
    } catch (error) {
      log.error(`The configuration stays as it was: ${(error as Error).message}`);
      notify(log, "READY=1");
      return;
    }
    const fixed = needRestart(this.#settings, next.settings);
    for (const key of fixed) log.warning(`${nameOf(key)} has changed: that takes effect at the next start`);
    const kept = Object.fromEntries(fixed.map((key) => [key, this.#settings[key]]));
    const resolved = this.#resolved = { ...next, settings: { ...next.settings, ...kept } };
    log.change(this.#settings, identityOf(this.#settings));
    await this.#call("onReload", () => this.#settings.onReload?.(this.#info));
    this.#prepareLogs();
    this.#told = false;
    this.#resolved = this.#current = resolved; // again: #failed() may have put the former ones back
    this.#processes = processCount(this.#settings);
    if (!this.#stopping) this.#pool.renew(workerCount(this.#settings), poolSettings(this.#settings));
  }

  #spawn(age: number, { settings, file }: Resolved): ReturnType<typeof spawnSelf> {
    enterAgain(); // a deploy may have switched the link and removed the old directory
    const { binds } = this.#options;
    const env = settings.env.map((assignment) => {
      const at = assignment.indexOf("=");
      return [assignment.slice(0, at), assignment.slice(at + 1)];
    });
    return spawnSelf(this.#options.main, {
      role: {
        role: "worker",
        settings: packSettings(settings.python === null ? settings : { ...settings, workers: this.#processes }),
        configFile: hasWorkerHooks(settings) ? file : null,
        binds,
        age,
      },
      sockets: binds.map(() => "inherit"),
      env: Object.fromEntries(env),
      ...identityOf(settings),
    });
  }

  #ready(): void {
    if (this.#told) return;
    this.#told = true;
    this.#reports.forget();
    const { wanted } = this.#pool;
    const python = this.#settings.python === null ? "" : `, with Python processes: ${this.#processes}`;
    this.#log.info(`All workers are ready (${wanted}${python})`);
    notify(this.#log, "--ready", `--status=${wanted} workers${python}`);
    if (!this.#served) this.#call("whenReady", () => this.#settings.whenReady?.(this.#info));
    this.#served = true;
  }

  #failed(proven: boolean): void {
    if (proven) {
      this.#resolved = this.#current = this.#proved;
      this.#told = true;
      this.#log.change(this.#settings, identityOf(this.#settings));
      this.#log.error(`The new workers did not start: the old ones serve on; ${this.#pool.strength}`);
      notify(this.#log, "READY=1");
    } else if (this.#settings.reload) {
      this.#reports.showStart();
      this.#log.error("Waiting for a change of the code");
    } else {
      this.#status = LOAD_FAILED;
      this.#stop("SIGQUIT", "the workers did not start", this.#reports.giveUp());
    }
  }

  #stop(name: "SIGTERM" | "SIGQUIT", reason?: string, quiet = false): void {
    if (this.#stopping) {
      if (name === "SIGQUIT") void this.#pool.stop(name);
      return;
    }
    this.#stopping = true;
    this.#unwatch();
    if (!quiet) this.#log.info(`Shutting down${reason === undefined ? "" : `: ${reason}`}`);
    notify(this.#log, "STOPPING=1");
    this.#closeSockets();
    this.#pool.stop(name).then(async () => {
      await this.#call("onExit", () => this.#settings.onExit?.(this.#info));
      if (!quiet) this.#log.info("Shutting down: done");
      await this.#log.flush();
      this.#finish(this.#status);
    });
  }

  /** Closes the arbiter's copies of the sockets: while one is open, clients could queue that nobody would accept. */
  #closeSockets(): void {
    this.#options.binds.forEach((_bind, i) => {
      try {
        if (process.versions.deno === undefined) closeSync(FIRST_SOCKET + i);
        else {
          // Deno's closeSync closes only descriptors that Deno has opened, so a stream takes the descriptor over first. A
          // server would do that too, but it could accept a connection that belongs to a worker or to systemd.
          const options = { fd: FIRST_SOCKET + i, readable: false, writable: false };
          new Socket(options).on("error", () => {}).destroy();
        }
      } catch (error) {
        this.#log.debug(`Closing a socket: ${(error as Error).message}`);
      }
    });
  }

  async #watch(): Promise<void> {
    const { wsgiApp, reloadExtraFile, reloadEngine } = this.#settings;
    const unwatch = await watchCode({
      spec: wsgiApp,
      extra: [...reloadExtraFile, ...this.#watched],
      engine: reloadEngine,
      changed: ([first, ...more]) => {
        this.#log.info(`Worker reloading: ${first} modified${more.length === 0 ? "" : `, and ${more.length} more`}`);
        void this.reload();
      },
      failed: (message) => this.#log.warning(message),
    });
    this.#unwatch();
    if (this.#stopping) unwatch();
    else this.#unwatch = unwatch;
  }

  /** Watches the files of a Python application too, which are known once a process has imported them. */
  async #watchMore(files: readonly string[]): Promise<void> {
    if (files.every((file) => this.#watched.has(file))) return;
    this.#watched = new Set([...this.#watched, ...files]);
    await this.#watch();
  }

  /** Reopens the logs in every process, old workers of a reload included: these may serve, and write, for long. */
  #reopenLogs(): void {
    this.#log.reopen();
    this.#prepareLogs();
    this.#pool.reopenLogs();
  }

  /** Gives the access log to the workers' user: workers open it too. For the error log, opening it did the same. */
  #prepareLogs(): void {
    const { accessLogfile } = this.#settings;
    if (accessLogfile === null || standardOf(accessLogfile, 1) !== undefined) return;
    try {
      closeLog(openLog(accessLogfile, 1, identityOf(this.#settings)));
    } catch (error) {
      this.#log.warning(`Cannot prepare the access log for the workers: ${(error as Error).message}`);
    }
  }

  /** Logs `"- worker-timeout:4711 -" 504` to the access log: the requests of a worker that hung have no line there. */
  #logTimeout(pid: number): void {
    const { accessLogfile, timeout } = this.#settings;
    if (accessLogfile === null) return;
    const environ = { REQUEST_METHOD: "-", REQUEST_URI: `worker-timeout:${pid}`, SERVER_PROTOCOL: "-" };
    const rest = { status: 504, headers: [], bytes: 0, duration: timeout * 1000, complete: false };
    const record = { environ: environ as unknown as AccessRecord["environ"], ...rest };
    const failed = (why: string): void => this.#log.error(`Cannot write the access log: ${why}`);
    try {
      const owner = identityOf(this.#settings);
      const lost = (_lines: number, why: string): void => failed(why);
      const access = new LogFile({ path: accessLogfile, standard: 1, owner, delay: 0, lost, failed });
      access.write(`${accessFormat(this.#settings, access.mostLine)(record)}\n`);
      void access.close();
    } catch (error) {
      failed((error as Error).message);
    }
  }

  /** Calls a hook. An error that it throws is logged and has no other effect. */
  async #call(name: Key, hook: () => unknown): Promise<void> {
    try {
      await hook();
    } catch (error) {
      this.#log.error(`Hook ${name}: ${errorText(error)}`);
    }
  }

  #tell(message: ArbiterMessage): void {
    if (process.connected === true) process.send?.(message, () => {});
  }
}

function poolSettings(settings: Settings): PoolSettings {
  return {
    timeout: settings.timeout,
    bootTimeout: settings.bootTimeout,
    gracefulTimeout: settings.gracefulTimeout,
    aborts: settings.workerAbort !== null,
  };
}

function hasWorkerHooks({ postFork, workerInt, workerAbort }: Settings): boolean {
  return postFork !== null || workerInt !== null || workerAbort !== null;
}

function nameOf(key: Key): string {
  return settingOf(key).kind.code === true ? key : flagOf(key);
}
