/**
 * A worker: loads the application and serves it on the sockets that it inherits, until a signal stops it.
 *
 *     TERM      stop; running requests have gracefulTimeout
 *     INT QUIT  stop at once
 *     USR1      reopen the logs
 *     ABRT      call the hook workerAbort: the arbiter is about to kill the worker
 *
 * A worker that is told to stop while it loads the application ends at once. Once it may have accepted a connection, it
 * first reports that it is ready; the arbiter then gives it the time to finish its requests.
 *
 * A worker sends heartbeats as long as its event loop runs. When the arbiter dies, the channel closes, and the worker
 * stops too.
 *
 * @module
 */

import process from "node:process";
import { host } from "../adapters/node.ts";
import { errorText } from "../core/errors.ts";
import { named } from "../core/contract/application.ts";
import type { ApplicationFunction } from "../core/contract/types.ts";
import { type RunningServer, startServer } from "../core/server/server.ts";
import type { ListenEntry, ServeOptions } from "../core/server/serve_options.ts";
import { VERSION } from "../core/version.ts";
import type { Format } from "./access_format.ts";
import { accessFormat } from "./access_json.ts";
import { type Bind, placeOf } from "./bind.ts";
import {
  FIRST_SOCKET,
  type HeardMessage,
  type ResizeMessage,
  type Role,
  type ShedMessage,
  starterVersion,
  unpackSettings,
  type WorkerMessage,
} from "./child.ts";
import { readConfigFile, workerCount } from "./config.ts";
import type { Development } from "./dev/mod.ts";
import { type ConnectionLimits, connectionLimits, outOfDescriptors } from "./descriptors.ts";
import { LogFile } from "./log_file.ts";
import { fixedPath } from "./log_open.ts";
import { Log } from "./log.ts";
import { LOAD_FAILED } from "./pool.ts";
import type { ListenCapture } from "./programs/capture.ts";
import { takeSend, whenUncaught } from "./programs/own_process.ts";
import { inUseHint } from "./programs/program.ts";
import type { WorkerInfo } from "./settings/hooks.ts";
import type { Settings } from "./settings/mod.ts";
import { logging } from "./settings/logging.ts";
import { serveOptions } from "./settings/served.ts";
import { loadPython, type PythonServed } from "./python.ts";
import { takeSignals, whenOrphaned } from "./signals.ts";
import { loadApp, loadFailure } from "./application.ts";
import { tlsOptions } from "./tls.ts";
import { Turns } from "./turns.ts";

const ORPHAN_TIME = 2; // seconds that running requests have when the arbiter is gone
const EXIT_GRACE = 500; // ms beyond the time to stop, at which the process exits in any case
const LAST_LINES = 300; // ms to write the rest of the access log at the end
const FLUSH_AFTER = 100; // ms that a line of the access log may wait to be written
const RELOAD_DRAIN = 0.1; // seconds of drainIdle with --reload, so that a browser soon sees the new code
const HEARING = 5000; // ms that the arbiter has to take the reason why the application does not load
const MOST_BEAT = 1000; // ms between two heartbeats, at most
const EXHAUSTED_BEATS = 3; // heartbeats in a row without a free descriptor; not on Deno, which never accepts again

/** Runs a worker until the process exits. */
export async function runWorker(role: Role & { role: "worker" }): Promise<void> {
  const settings = unpackSettings<Settings>(role.settings);
  settings.errorLogfile = fixedPath(settings.errorLogfile);
  if (settings.accessLogfile !== null) settings.accessLogfile = fixedPath(settings.accessLogfile);
  const log = new Log(settings);
  const worker = new Worker(settings, log, role);
  whenUncaught((what, error) => {
    log.critical(`${what}: ${errorText(error)}${inUseHint(error)}`);
    worker.exit(1);
  });
  await worker.run();
}

class Worker {
  readonly #settings: Settings;
  readonly #log: Log;
  readonly #role: Role & { role: "worker" };
  readonly #info: WorkerInfo;
  readonly #turns: Turns = new Turns();
  #exhausted = 0; // heartbeats in a row without a free descriptor
  #access: LogFile | undefined;
  #development: Development | undefined;
  #server: RunningServer | undefined;
  #full = false;
  #listens = false; // it listens or is about to
  #stopTime: number | undefined; // seconds that running requests have; undefined until the worker stops
  #workerInt: Settings["workerInt"] = null;
  #capture: ListenCapture | undefined; // if the application is a program
  #python: PythonServed | undefined; // if it is a Python one
  readonly #tell: (message: WorkerMessage) => void = takeSend();
  #heard: () => void = () => {}; // the arbiter has got the reason why the application does not load
  #beats: ReturnType<typeof setInterval> | undefined;
  #requests = 0;
  #most = Infinity;

  constructor(settings: Settings, log: Log, role: Role & { role: "worker" }) {
    this.#settings = settings;
    this.#log = log;
    this.#role = role;
    this.#info = { pid: process.pid, age: role.age, log: (message) => log.info(message) };
  }

  async run(): Promise<void> {
    this.#listenToSignals();
    const arbiter = starterVersion();
    if (arbiter !== VERSION) {
      this.#log.warning(`This worker is of tsgi ${VERSION}, its arbiter of ${arbiter}: restart the command`);
    }
    await this.#loadHooks();
    let app: ApplicationFunction;
    try {
      app = await this.#load();
    } catch (error) {
      return this.#notLoaded(loadFailure(error));
    }
    // Signals that came while modules ran are handled before the worker listens: after TERM it never listens.
    await new Promise((resolve) => setImmediate(resolve));
    const { accessLogfile } = this.#settings;
    try {
      if (accessLogfile !== null) this.#access = this.#openAccess(accessLogfile);
      if (this.#settings.dev) {
        this.#development = (await import("./dev/mod.ts")).development(this.#settings, this.#role.age);
      }
      const serving = this.#counted(this.#development?.wrap(app) ?? app);
      this.#listens = true;
      const { served, open } = this.#limitConnections();
      const alone = workerCount(this.#settings) === 1;
      const accepted = (): void => alone ? undefined : this.#turns.accepted();
      const admission = { most: open, refused: () => this.#refused(), accepted };
      const errorPage = this.#development?.errorPage;
      const options = { ...this.#options(), maxConnections: served };
      this.#server = await startServer(host, serving, options, { admission, errorPage });
    } catch (error) {
      this.#log.error((error as Error).message);
      return this.exit(1);
    }
    this.#tell({ type: "ready" });
    if (this.#stopTime !== undefined) return this.#stop(this.#stopTime);
    const every = Math.min(MOST_BEAT, (this.#settings.timeout || Infinity) * 250);
    let last = performance.now();
    this.#beats = setInterval(() => {
      const now = performance.now();
      this.#beat(now - last - every);
      last = now;
    }, every);
  }

  /** Ends the process. The arbiter logs the reason: all workers have the same, and it is to be read once. */
  #notLoaded(why: string): void {
    this.#heard = () => this.exit(LOAD_FAILED);
    this.#tell({ type: "failed", why });
    setTimeout(() => {
      this.#log.error(why);
      this.exit(LOAD_FAILED);
    }, HEARING);
  }

  /** Loads the application. A program that listens by itself sees the first address as the one it listens on. */
  async #load(): Promise<ApplicationFunction> {
    const { wsgiApp, appType, appArgs, extraListen, python } = this.#settings;
    if (python !== null) {
      return this.#python = await loadPython(this.#settings, {
        report: (level, message) => this.#log.report(level, message),
        raw: (text) => this.#log.raw(text),
        files: (files) => this.#settings.reload && this.#tell({ type: "files", files }),
      });
    }
    const bind = this.#role.binds[0] as Bind; // a descriptor may have had another number in the launcher
    const loaded = await loadApp(wsgiApp ?? "", {
      type: appType,
      args: appArgs,
      capture: {
        bind: bind.kind === "fd" ? { kind: "fd", fd: FIRST_SOCKET } : bind,
        extraListen,
        connections: () => this.#connections,
        closed: () => {
          if (this.#stopTime === undefined) this.#stop(this.#settings.gracefulTimeout);
        },
        stopping: () => this.#stopTime !== undefined,
      },
    });
    this.#capture = loaded.capture;
    return loaded.app;
  }

  get #connections(): number {
    return this.#server?.connections ?? 0;
  }

  /** Sends a heartbeat; `late` is the milliseconds by which the timer was late, since the event loop was blocked. */
  #beat(late: number): void {
    this.#turns.late(late);
    // Clients of the other protocols are web servers, which distribute their requests themselves.
    const connections = this.#settings.protocol === "http" ? this.#connections : 0;
    this.#tell({ type: "beat", connections });
    this.#exhausted = outOfDescriptors() ? this.#exhausted + 1 : 0;
    if (this.#exhausted > (process.versions.deno === undefined ? EXHAUSTED_BEATS : 0)) this.#cannotAccept();
  }

  /** Limits the connections by the number of descriptors. */
  #limitConnections(): ConnectionLimits {
    const { workerConnections, backlog } = this.#settings;
    const { limit, ...limits } = connectionLimits(workerConnections, backlog);
    const { served } = limits;
    if (served < workerConnections) {
      const why = `a process may have ${limit} open files (ulimit -n)`;
      this.#log.info(`At most ${served} connections at a time, not ${workerConnections}: ${why}`);
    }
    return limits;
  }

  /** A connection was refused. Deno accepts none any more once waiting connections have taken all descriptors. */
  #refused(): void {
    if (process.versions.deno !== undefined && outOfDescriptors()) this.#cannotAccept();
  }

  /** Asks to be replaced, because no descriptor is left to accept a connection with. */
  #cannotAccept(): void {
    if (this.#full) return;
    this.#full = true;
    this.#log.error("No file descriptor is left to accept connections with (ulimit -n): this worker is replaced");
    this.#tell({ type: "full" });
  }

  /** Calls the hook postFork, and keeps the other worker hooks of the configuration file. */
  async #loadHooks(): Promise<void> {
    const given = this.#role.configFile === null ? undefined : await readConfigFile(this.#role.configFile);
    const hook = (name: "postFork" | "workerInt" | "workerAbort"): Settings["workerInt"] =>
      (given?.get(name) ?? null) as Settings["workerInt"];
    await this.#call("postFork", hook("postFork"));
    this.#workerInt = hook("workerInt");
    const abort = hook("workerAbort");
    if (abort !== null) process.on("SIGABRT", () => this.#call("workerAbort", abort));
  }

  #listenToSignals(): void {
    const { gracefulTimeout } = this.#settings;
    takeSignals(["SIGTERM"], () => this.#terminate(gracefulTimeout));
    takeSignals(["SIGINT", "SIGQUIT"], async (name) => {
      await this.#call("workerInt", this.#workerInt);
      this.#stop(0);
      this.#capture?.ending?.signalled(name as "SIGINT" | "SIGQUIT", 0);
    });
    takeSignals(["SIGUSR1"], () => {
      this.#log.reopen();
      this.#access?.reopen();
    });
    takeSignals(["SIGHUP", "SIGTTIN", "SIGTTOU", "SIGWINCH"], () => {}); // ignored: only the arbiter acts on them
    process.on("message", (message) => {
      const { shed, heard, processes } = message as Partial<ShedMessage & HeardMessage & ResizeMessage>;
      if (processes !== undefined) this.#python?.resize(processes);
      if (shed !== undefined) this.#server?.closeAfterNext(shed);
      if (heard === true) this.#heard();
    });
    whenOrphaned(() => this.#terminate(Math.min(ORPHAN_TIME, gracefulTimeout)));
  }

  /** Stops the worker; a program gets the signal when idle connections are closed. */
  #terminate(seconds: number): void {
    this.#stop(seconds);
    this.#capture?.ending?.signalled("SIGTERM", Math.min(seconds, this.#drainIdle) * 1000);
  }

  #options(): ServeOptions {
    const all = this.#settings;
    const tls = tlsOptions(all);
    const format = this.#access === undefined ? null : this.#format(this.#access.mostLine);
    return {
      ...serveOptions(all),
      listen: this.#role.binds.map((bind, i) => ({ fd: FIRST_SOCKET + i, ...described(bind) })),
      ...(tls === undefined ? {} : { tls }),
      drainIdle: this.#drainIdle,
      handleSignals: false,
      onListen: () => {},
      errorLog: (text) => this.#log.raw(text),
      ...(format === null ? {} : { accessLog: this.#logger(format) }),
      multiprocess: true, // even with one worker: a reload or TTIN may add another at any time
    };
  }

  get #drainIdle(): number {
    const { reload, drainIdle } = this.#settings;
    return reload ? Math.min(RELOAD_DRAIN, drainIdle) : drainIdle;
  }

  /** The format of the access log. That of development serves only if none was chosen. */
  #format(mostLine: number): Format {
    const { accessLogJson, accessLogformat } = this.#settings;
    const chosen = accessLogJson || accessLogformat !== logging.accessLogformat.default;
    const development = chosen ? undefined : this.#development?.accessLine;
    return development ?? accessFormat(this.#settings, mostLine);
  }

  #logger(format: Format): NonNullable<ServeOptions["accessLog"]> {
    return (record) => {
      if (this.#development?.hides(record.environ) !== true) this.#access?.write(`${format(record)}\n`);
    };
  }

  #openAccess(path: string): LogFile {
    return new LogFile({
      path,
      standard: 1,
      delay: FLUSH_AFTER,
      lost: (lines, why) => this.#log.error(`Lines of the access log were lost: ${lines} (${why})`),
      failed: (why) => this.#log.error(`Cannot reopen the access log: ${why}`),
    });
  }

  /** Wraps the application to count its requests, if maxRequests is set. */
  #counted(app: ApplicationFunction): ApplicationFunction {
    const { maxRequests, maxRequestsJitter } = this.#settings;
    if (maxRequests === 0 || this.#python !== undefined) return app; // Python processes are replaced one by one
    this.#most = maxRequests + Math.floor(Math.random() * (maxRequestsJitter + 1));
    return named((environ, startResponse) => {
      if (++this.#requests === this.#most) {
        this.#log.info("Autorestarting worker after current request.");
        this.#tell({ type: "full" });
      }
      return app(environ, startResponse);
    }, app.name);
  }

  /** Stops serving, then exits. A later call with less time shortens the time to stop. */
  #stop(seconds: number): void {
    if (!this.#listens) return this.exit(0); // it has no connections yet
    this.#stopTime = Math.min(this.#stopTime ?? Infinity, seconds);
    if (this.#server === undefined) return; // run() calls this again as soon as it listens
    this.#python?.drain();
    this.#server.shutdown({ timeout: seconds }).then(() => this.#programEnds()).then(() => this.exit(0));
    setTimeout(() => this.exit(0), seconds * 1000 + EXIT_GRACE).unref();
  }

  /**
   * Ends the processes of a Python application; tells a program that its server is closed, and waits for what the program
   * does then, within the time to stop.
   */
  async #programEnds(): Promise<void> {
    this.#beats?.unref();
    await this.#python?.close({ timeout: this.#stopTime as number });
    await this.#capture?.finish();
  }

  /** Ends the process. */
  exit(code: number): void {
    const end = (): void => void this.#log.flush().then(() => (this.#capture?.ending ?? process).exit(code));
    if (this.#access === undefined) return end();
    setTimeout(end, LAST_LINES); // in case the log's reader takes nothing
    this.#access.close().then(end);
  }

  async #call(name: string, hook: Settings["workerInt"]): Promise<void> {
    try {
      await hook?.(this.#info);
    } catch (error) {
      this.#log.error(`Hook ${name}: ${errorText(error)}`);
    }
  }
}

/** Where an inherited descriptor listens. Not every runtime can find that out, and the arbiter has opened it. */
function described(bind: Bind): Pick<ListenEntry, "fdAddress"> {
  const at = placeOf(bind);
  return at.transport === "fd" ? {} : { fdAddress: at };
}
