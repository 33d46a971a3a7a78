/**
 * A worker: loads the application and serves it on the sockets it was given, until it is told to stop.
 *
 *     TERM      stop; running requests have gracefulTimeout
 *     INT QUIT  stop at once
 *     USR1      open the logs anew
 *     ABRT      it is about to be killed: the hook workerAbort
 *
 * It beats as long as its event loop runs. When the arbiter dies, the channel closes, and the worker stops too.
 *
 * @module
 */

import process from "node:process";
import { host } from "../adapters/node.ts";
import { errorText } from "../core/errors.ts";
import type { ApplicationFunction } from "../core/gateway/types.ts";
import { type Server, startServer } from "../core/server.ts";
import type { ServeOptions } from "../core/options.ts";
import { type Format, parseFormat } from "./access_format.ts";
import { Balance } from "./balance.ts";
import type { Bind } from "./bind.ts";
import { FIRST_SOCKET, type Role, type ShedMessage, unpackSettings, type WorkerMessage } from "./child.ts";
import { readConfigFile } from "./config.ts";
import { BatchedLog } from "./log_file.ts";
import { Log } from "./log.ts";
import { LOAD_FAILED } from "./pool.ts";
import type { ListenCapture } from "./programs/capture.ts";
import { holdExit } from "./programs/exit.ts";
import type { WorkerInfo } from "./settings/hooks.ts";
import type { Settings } from "./settings/mod.ts";
import { loadApp, loadFailure } from "./spec.ts";

const ORPHAN_TIME = 2; // seconds that requests have when the arbiter is gone
const EXIT_GRACE = 500; // ms behind a time-out, after which the process ends whatever holds it
const LAST_LINES = 300; // ms that the access log has at the end
const RELOAD_DRAIN = 0.1; // seconds: a browser is not to be shown the old code for longer
const MOST_BEAT = 1000; // ms

/** Runs a worker, until the process exits. */
export async function runWorker(role: Role & { role: "worker" }): Promise<void> {
  const settings = unpackSettings<Settings>(role.settings);
  const log = new Log(settings);
  const worker = new Worker(settings, log, role);
  process.on("uncaughtException", (error) => {
    log.critical(`Uncaught: ${errorText(error)}`);
    worker.exit(1);
  });
  process.on("unhandledRejection", (error) => {
    log.critical(`Unhandled rejection: ${errorText(error)}`);
    worker.exit(1);
  });
  await worker.run();
}

class Worker {
  readonly #settings: Settings;
  readonly #log: Log;
  readonly #role: Role & { role: "worker" };
  readonly #info: WorkerInfo;
  readonly #balance: Balance = new Balance();
  #access: BatchedLog | undefined;
  #servers: readonly Server[] = [];
  #stopping = false;
  #capture: ListenCapture | undefined; // of a program
  #exitProcess: (code: number) => void = (code) => process.exit(code);
  #requests = 0;
  #most = Infinity;

  constructor(settings: Settings, log: Log, role: Role & { role: "worker" }) {
    this.#settings = settings;
    this.#log = log;
    this.#role = role;
    this.#info = { pid: process.pid, age: role.age, log: (message) => log.info(message) };
  }

  async run(): Promise<void> {
    this.#listenToSignals(await this.#hooks());
    let app: ApplicationFunction;
    try {
      app = await this.#load();
    } catch (error) {
      this.#log.error(loadFailure(error));
      return this.exit(LOAD_FAILED);
    }
    const { accessLogfile } = this.#settings;
    try {
      if (accessLogfile !== null) this.#access = new BatchedLog(accessLogfile);
      const serving = this.#counted(app);
      // Other protocols are spoken by web servers, which share out their requests themselves.
      const sockets = this.#settings.protocol === "http" ? this.#balance.host(host) : host;
      this.#servers = await Promise.all(
        this.#role.binds.map((bind, i) =>
          startServer(sockets, describing(serving, bind, this.#settings), this.#options(FIRST_SOCKET + i))
        ),
      );
    } catch (error) {
      this.#log.error((error as Error).message);
      return this.exit(1);
    }
    if (this.#stopping) return this.#stop(this.#settings.gracefulTimeout);
    this.#tell({ type: "ready" });
    const every = Math.min(MOST_BEAT, (this.#settings.timeout || Infinity) * 250);
    setInterval(() => this.#tell({ type: "beat", connections: this.#balance.connections }), every);
  }

  /** Loads the application. A program that listens by itself is told that it listens at the first address. */
  async #load(): Promise<ApplicationFunction> {
    const { wsgiApp, appType, extraListen } = this.#settings;
    const loaded = await loadApp(wsgiApp ?? "", {
      type: appType,
      capture: {
        bind: this.#role.binds[0] as Bind,
        extraListen,
        connections: () => this.#balance.connections,
        closed: () => this.#stopping || this.#stop(this.#settings.gracefulTimeout),
      },
    });
    this.#capture = loaded.capture;
    if (loaded.capture !== undefined) this.#exitProcess = holdExit(() => this.#stopping);
    return loaded.app;
  }

  /** The hooks of the configuration file that are called here. */
  async #hooks(): Promise<Pick<Settings, "workerInt" | "workerAbort">> {
    const given = this.#role.configFile === null ? undefined : await readConfigFile(this.#role.configFile);
    const hook = (name: "postFork" | "workerInt" | "workerAbort"): Settings["workerInt"] =>
      (given?.get(name) ?? null) as Settings["workerInt"];
    await this.#call("postFork", hook("postFork"));
    return { workerInt: hook("workerInt"), workerAbort: hook("workerAbort") };
  }

  #listenToSignals({ workerInt, workerAbort }: Pick<Settings, "workerInt" | "workerAbort">): void {
    process.on("SIGTERM", () => this.#stop(this.#settings.gracefulTimeout));
    for (const name of ["SIGINT", "SIGQUIT"] as const) {
      process.on(name, async () => {
        await this.#call("workerInt", workerInt);
        this.#stop(0);
      });
    }
    process.on("SIGUSR1", () => {
      this.#log.reopen();
      this.#access?.reopen();
    });
    for (const name of ["SIGHUP", "SIGTTIN", "SIGTTOU"] as const) process.on(name, () => {}); // the arbiter's affair
    if (workerAbort !== null) process.on("SIGABRT", () => this.#call("workerAbort", workerAbort));
    process.on("message", (message) => this.#balance.shed((message as ShedMessage).shed));
    process.on("disconnect", () => this.#stop(Math.min(ORPHAN_TIME, this.#settings.gracefulTimeout)));
  }

  #options(fd: number): ServeOptions {
    const all = this.#settings;
    const format = this.#access === undefined ? null : parseFormat(all.accessLogformat);
    return {
      fd,
      ...(all.backlog === null ? {} : { backlog: all.backlog }),
      handleSignals: false,
      onListen: () => {},
      errorLog: (text) => this.#log.raw(text),
      ...(format === null ? {} : { accessLog: this.#logger(format) }),
      multiprocess: this.#role.multiprocess,
      protocol: all.protocol,
      ...(all.allowIps === null ? {} : { allowIps: all.allowIps.includes("*") ? "*" : all.allowIps }),
      scriptName: all.scriptName,
      urlScheme: all.urlScheme,
      serverHeader: all.serverHeader,
      maxConnections: all.workerConnections,
      gracefulTimeout: all.gracefulTimeout,
      ...(all.keepAlive === null ? {} : { keepAliveTimeout: all.keepAlive }),
      headerTimeout: all.headerTimeout,
      bodyTimeout: all.bodyTimeout,
      writeTimeout: all.writeTimeout,
      requestTimeout: all.requestTimeout,
      drainIdle: all.reload ? Math.min(RELOAD_DRAIN, all.drainIdle) : all.drainIdle,
      limitRequestLine: all.limitRequestLine,
      limitRequestFields: all.limitRequestFields,
      limitRequestFieldSize: all.limitRequestFieldSize,
      limitRequestBody: all.limitRequestBody,
      maxRequestsPerConnection: all.maxRequestsPerConnection,
      headerMap: all.headerMap,
    };
  }

  #logger(format: Format): NonNullable<ServeOptions["accessLog"]> {
    return (record) => this.#access?.line(format(record));
  }

  /** The application, with its requests counted where that matters. */
  #counted(app: ApplicationFunction): ApplicationFunction {
    const { maxRequests, maxRequestsJitter } = this.#settings;
    if (maxRequests === 0) return app;
    this.#most = maxRequests + Math.floor(Math.random() * (maxRequestsJitter + 1));
    return (environ, startResponse) => {
      if (++this.#requests === this.#most) {
        this.#log.info("Autorestarting worker after current request.");
        this.#tell({ type: "full" });
      }
      return app(environ, startResponse);
    };
  }

  /** Stops, and exits. A later call with less time shortens it. */
  #stop(seconds: number): void {
    this.#stopping = true;
    if (this.#servers.length === 0) return seconds === 0 ? this.exit(0) : undefined; // it is still loading
    const done = Promise.all(this.#servers.map((server) => server.shutdown({ timeout: seconds })));
    done.then(() => this.#programEnds()).then(() => this.exit(0));
    setTimeout(() => this.exit(0), seconds * 1000 + EXIT_GRACE);
  }

  /** Tells a program that its server is closed, and gives what it does then a turn. */
  #programEnds(): Promise<void> {
    if (this.#capture === undefined) return Promise.resolve();
    this.#capture.finish();
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Ends the process. */
  exit(code: number): void {
    const end = (): void => this.#exitProcess(code);
    if (this.#access === undefined) return end();
    setTimeout(end, LAST_LINES); // of a log whose reader takes nothing
    this.#access.close().then(end);
  }

  async #call(name: string, hook: Settings["workerInt"]): Promise<void> {
    try {
      await hook?.(this.#info);
    } catch (error) {
      this.#log.error(`Hook ${name}: ${errorText(error)}`);
    }
  }

  #tell(message: WorkerMessage): void {
    if (process.connected === true) process.send?.(message, () => {}); // the arbiter may have died since
  }
}

/** Bun does not tell the address of a socket that it was given: there the environ says what it was opened with. */
function describing(app: ApplicationFunction, bind: Bind, { protocol, urlScheme }: Settings): ApplicationFunction {
  if (process.versions.bun === undefined || protocol !== "http" || bind.kind === "fd") return app;
  const unix = bind.kind === "unix";
  const host = unix ? "localhost" : bind.host;
  const port = unix ? (urlScheme === "https" ? "443" : "80") : String(bind.port);
  const wildcard = host === "0.0.0.0" || host === "::"; // then it is the address of the connection
  return (environ, startResponse) => {
    if (!wildcard) environ.SERVER_NAME = host;
    environ.SERVER_PORT = port;
    return app(environ, startResponse);
  };
}
