/**
 * The Python processes of one application: starts them, replaces those that end, are worn or stuck, and loads the
 * application anew.
 *
 * Every process belongs to a generation, which a reload begins. The processes of a new generation serve when all of them
 * have loaded the application; then the others finish their requests and end. If one of them does not load it, the new
 * generation ends, and the old one serves on.
 *
 * A process that ends soon after it was loaded, or does not load, counts as a crash. The first is replaced at once. After
 * more crashes in a row the pool waits, longer each time.
 *
 * The pool keeps tsgi's process alive only while it works: while it loads the application, has a request, or closes. Then
 * its timer holds the event loop. Its socket, its connections and its child processes never do.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setInterval } from "node:timers"; // on Deno the global one gives a number, without ref()
import type { Body, Environ, StartResponse } from "../../core/contract/types.ts";
import { type BodySource, type BufferLimits, Call } from "./call.ts";
import { Dispatcher } from "./dispatcher.ts";
import { PythonLoadError } from "./errors.ts";
import { CONTROL } from "./frames.ts";
import { introduce, scriptFile } from "./introduction.ts";
import type { Link } from "./link.ts";
import { type Launch, type ProcessOwner, PythonProcess } from "./python_process.ts";

const TICK = 250; // ms between two looks at the times
const YOUNG = 5000; // ms after the load in which the end of a process counts as a crash
const FIRST_WAIT = 500; // ms to wait after the second crash in a row; doubled at each further one
const LONGEST_WAIT = 10_000; // ms
const BEATS = 2000; // ms between two heartbeats of a process, and as much again
const OTHERS = 5; // seconds that the other requests of a process have in which one is stuck

/** Settings of a pool. */
export interface PoolOptions extends Omit<Launch, "script" | "path"> {
  /** The number of processes. */
  readonly processes: number;
  /** Bytes of a response in memory. */
  readonly bufferLimit: number;
  /** Bytes of a response in a file. */
  readonly spoolLimit: number;
  /** Requests that may wait for a thread. */
  readonly queueLimit: number;
  /** Seconds that they may wait. */
  readonly queueTimeout: number;
  /** Seconds without progress after which a request is given up. */
  readonly timeout: number;
  /** Seconds that a process has to load the application. */
  readonly bootTimeout: number;
  /** The most requests that are randomly added to `maxRequests`. */
  readonly maxRequestsJitter: number;
  /** Receives messages about processes, and text for `wsgi.errors` that belongs to no request. */
  readonly log: (text: string, level?: "info" | "warning") => void;
  /** Receives the files of the application when there are new ones. */
  readonly onFiles: (files: readonly string[]) => void;
}

/** A load of the application that has not finished. */
interface Loading {
  readonly generation: number;
  readonly resolve: () => void;
  readonly reject: (error: PythonLoadError) => void;
}

/** The Python processes of one application. */
export class Pool implements ProcessOwner {
  readonly #options: PoolOptions;
  readonly #dispatcher: Dispatcher;
  readonly #processes: Map<string, PythonProcess> = new Map();
  /** The folder of the socket, and of files that requests are spooled to. */
  readonly folder: string;
  readonly #server: Server;
  readonly #timer: NodeJS.Timeout;
  #holds = true; // the timer keeps tsgi's process alive
  readonly #limits: BufferLimits;
  #script: string | undefined; // known once the server listens
  #wanted: number;
  #ids = 0;
  #generation = 0; // the one that serves
  #loading: Loading | undefined;
  #newest = 0;
  #crashes = 0;
  #retryAt = 0;
  #failure: PythonLoadError | undefined; // nothing was ever loaded
  #stopping = false;
  #draining = false; // the program is about to end
  #emptied: (() => void) | undefined;
  #lastTick: number = performance.now();
  /** Settles when the application is loaded. */
  readonly ready: Promise<void>;

  /** Starts the processes. `script` is the URL of `child.py`. */
  constructor(options: PoolOptions, script: URL) {
    this.#options = options;
    this.#wanted = options.processes;
    this.#dispatcher = new Dispatcher(options, () => this.#wanted > 1);
    this.folder = mkdtempSync(join(tmpdir(), "tsgi-python-")); // which only this user may enter
    const { bufferLimit, spoolLimit } = options;
    this.#limits = { bufferLimit, spoolLimit, folder: this.folder };
    this.#timer = setInterval(() => this.#tick(), TICK);
    this.#server = createServer((socket) => introduce(socket, (kind, id) => this.#connected(socket, kind, id)));
    this.ready = this.#load();
    this.ready.catch(() => {}); // requests report it
    const failed = (error: Error): void => this.#notLoaded(error.message);
    this.#server.once("error", failed);
    this.#server.unref();
    this.#server.listen(this.#path, () => {
      scriptFile(script, this.folder).then((path) => {
        this.#script = path;
        this.#manage();
      }).catch(failed);
    });
  }

  /** The ids of the processes that serve. */
  get pids(): number[] {
    return [...this.#processes.values()].filter(({ takesRequests }) => takesRequests).map(({ pid }) => pid as number);
  }

  /** Passes a request to a thread. Gives what the application returns to the gateway. */
  call(environ: Environ, startResponse: StartResponse, body: BodySource): Promise<Body> {
    if (!this.#holds) this.#hold();
    const call = new Call(environ, startResponse, body, this.#limits);
    environ["tsgi.request"].onDeparture(() => call.abandon());
    if (this.#failure !== undefined) call.fail(this.#failure);
    else if (this.#stopping) call.refuse("503 Service Unavailable", "the Python processes are stopping");
    else this.#dispatcher.submit(call);
    return call.result;
  }

  /** Starts new processes, which replace the others once all have loaded the application. */
  reload(): Promise<void> {
    if (this.#stopping) return Promise.reject(new Error("the application is closed"));
    if (this.#loading !== undefined) return Promise.reject(new Error("the application is being loaded"));
    const loaded = this.#load();
    this.#manage();
    return loaded;
  }

  /** Changes the number of processes. */
  resize(count: number): void {
    this.#wanted = count;
    this.#manage();
  }

  /** The program is about to end: processes that have got its SIGTERM too are not replaced. */
  drain(): void {
    this.#draining = true;
  }

  /** Ends the processes; running requests have `seconds`. Settles when they are gone. */
  async close(seconds: number): Promise<void> {
    this.#hold();
    this.#stopping = true;
    this.#loading?.reject(new PythonLoadError(this.#options.application, "it was closed"));
    this.#loading = undefined;
    this.#dispatcher.refuseAll("503 Service Unavailable", "the Python processes are stopping");
    for (const one of this.#processes.values()) one.stop(seconds);
    if (this.#processes.size > 0) {
      await new Promise<void>((resolve) => {
        const before = this.#emptied;
        this.#emptied = () => (before?.(), resolve());
      });
    }
    clearInterval(this.#timer);
    this.#server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  // Calls by processes.

  /** A process has loaded the application. */
  loaded(of: PythonProcess): void {
    if (of.generation === this.#generation) {
      this.#log(`Python process (pid:${of.pid}) serves`, "info");
      this.#serve(of);
    } else if (of.generation !== this.#loading?.generation) return of.stop(0);
    const fresh = this.#of(this.#newest).filter(({ state }) => state === "ready");
    if (this.#loading !== undefined && fresh.length >= this.#wanted) {
      const { generation, resolve } = this.#loading;
      this.#loading = undefined;
      this.#generation = generation;
      for (const one of fresh) this.#serve(one);
      resolve();
    }
    this.#retire();
  }

  /** A process has not loaded the application. */
  notLoaded(of: PythonProcess, why: string): void {
    of.kill("SIGKILL");
    if (of.generation === this.#loading?.generation) return this.#notLoaded(why);
    if (this.#stopping || of.generation !== this.#generation) return;
    this.#log(`Python process (pid:${of.pid}) could not load the application: ${why.trimEnd()}`);
    this.#crashed();
  }

  /** A process is gone. */
  exited(of: PythonProcess, how: string): void {
    const expected = this.#stopping || of.killAt !== Infinity || of.readyAt === Infinity || of.worn;
    this.#processes.delete(of.id);
    if (!expected) {
      this.#log(`Python process (pid:${of.pid}) ended: ${how}`);
      // A SIGKILL from outside is not the application's fault.
      if (how !== "SIGKILL" && performance.now() - of.readyAt < YOUNG) this.#crashed();
    }
    if (this.#processes.size === 0) this.#emptied?.();
    this.#manage();
  }

  /** A process has had a SIGTERM for a while. */
  signalled(of: PythonProcess): void {
    if (!this.#draining) this.worn(of, "SIGTERM");
  }

  /** A process asks to be replaced. */
  worn(of: PythonProcess, why: string): void {
    if (of.state !== "ready" || of.worn) return;
    of.worn = true;
    this.#log(`Python process (pid:${of.pid}) is replaced: ${why}`);
    this.#manage();
  }

  /** Reports the files of the application. */
  files(files: readonly string[]): void {
    this.#options.onFiles(files);
  }

  /** A thread has sent its response. */
  ending(link: Link, of: PythonProcess): void {
    this.#dispatcher.ending(link, of);
  }

  /** A thread waits for a request. */
  idle(link: Link, of: PythonProcess): void {
    this.#dispatcher.idle(link, of);
  }

  /** A thread is gone. The request that it had begun fails; one that it had not goes to another. */
  lost(link: Link, of: PythonProcess): void {
    this.#dispatcher.remove(link);
    const { begun } = link;
    const call = link.takeBack();
    if (call === undefined || call.ended) return;
    if (!begun && !this.#stopping) return this.#dispatcher.again(call);
    call.refuse("502 Bad Gateway", `the Python process (pid:${of.pid}) ended before its response was complete`);
  }

  /** Takes text for `wsgi.errors` that belongs to no request. */
  errorText(text: string): void {
    this.#options.log(text);
  }

  // The processes.

  #log(text: string, level: "info" | "warning" = "warning"): void {
    this.#options.log(`tsgi: ${text}\n`, level);
  }

  get #path(): string {
    return join(this.folder, "socket");
  }

  #of(generation: number): PythonProcess[] {
    return [...this.#processes.values()].filter((one) => one.generation === generation);
  }

  /** Begins a generation. */
  #load(): Promise<void> {
    this.#hold();
    this.#newest++;
    this.#crashes = 0;
    this.#retryAt = 0;
    this.#failure = undefined;
    return new Promise((resolve, reject) => this.#loading = { generation: this.#newest, resolve, reject });
  }

  /** The generation that begins does not load. */
  #notLoaded(why: string): void {
    const error = new PythonLoadError(this.#options.application, why);
    const loading = this.#loading;
    this.#loading = undefined;
    for (const one of this.#of(this.#newest)) one.stop(0);
    if (this.#generation === 0) {
      this.#failure = error;
      this.#dispatcher.refuseAll("500 Internal Server Error", error.message);
    }
    loading?.reject(error);
  }

  #serve(one: PythonProcess): void {
    one.serves = true;
    this.#dispatcher.next();
  }

  /** Starts processes until there are as many as are wanted, and stops those that are too many. */
  #manage(): void {
    if (this.#stopping || this.#script === undefined) return;
    if (performance.now() >= this.#retryAt && this.#generation > 0) this.#fill(this.#generation);
    if (this.#loading !== undefined) this.#fill(this.#loading.generation);
    this.#retire();
  }

  #fill(generation: number): void {
    const present = this.#of(generation).filter(({ state, worn }) =>
      (state === "booting" || state === "ready") && !worn
    );
    for (let count = present.length; count < this.#wanted; count++) this.#start(generation);
    for (const one of present.slice(this.#wanted).toReversed()) this.#stop(one);
  }

  #start(generation: number): void {
    const id = String(++this.#ids);
    const { maxRequests, maxRequestsJitter } = this.#options;
    const most = maxRequests === 0 ? 0 : maxRequests + Math.floor(Math.random() * (maxRequestsJitter + 1));
    const launch = { ...this.#options, script: this.#script as string, path: this.#path, maxRequests: most };
    this.#processes.set(id, new PythonProcess(id, generation, launch, this));
  }

  /** Stops the processes of former generations, and worn ones as far as others serve in their place. */
  #retire(): void {
    for (const one of this.#processes.values()) {
      if (one.generation !== this.#generation && one.generation !== this.#loading?.generation) this.#stop(one);
    }
    const serving = this.#of(this.#generation).filter(({ state }) => state === "ready");
    const worn = serving.filter((one) => one.worn);
    for (const one of worn.slice(0, Math.max(0, serving.length - this.#wanted))) this.#stop(one);
  }

  #stop(one: PythonProcess): void {
    const { timeout } = this.#options;
    if (one.state === "ready" || one.state === "booting") one.stop(timeout === 0 ? Infinity : timeout);
  }

  #crashed(): void {
    if (++this.#crashes < 2) return;
    const wait = Math.min(FIRST_WAIT * 2 ** (this.#crashes - 2), LONGEST_WAIT);
    this.#retryAt = performance.now() + wait;
    this.#log(`Python processes have crashed ${this.#crashes} times in a row: the next one starts in ${wait / 1000} s`);
  }

  /** Keeps tsgi's process alive until a tick finds that there is nothing to do. */
  #hold(): void {
    this.#holds = true;
    this.#timer.ref();
  }

  get #works(): boolean {
    if (this.#stopping || this.#loading !== undefined || this.#dispatcher.waiting > 0) return true;
    return [...this.#processes.values()].some(({ links }) => [...links].some(({ busy }) => busy));
  }

  /** Looks at all times. */
  #tick(): void {
    const now = performance.now();
    const late = now - this.#lastTick > 2 * TICK; // this process was blocked: what the others sent was not read
    this.#lastTick = now;
    this.#dispatcher.expire(now);
    let steady = this.#processes.size > 0;
    for (const one of this.#processes.values()) {
      if (one.state !== "ready" || now - one.readyAt < YOUNG) steady = false;
      if (now >= one.killAt) one.end();
      else if (!late) this.#checkTimes(one, now);
    }
    if (steady) this.#crashes = 0;
    if (this.#retryAt > 0 && now >= this.#retryAt) {
      this.#retryAt = 0;
      this.#manage();
    }
    if (this.#holds && !this.#works) {
      this.#holds = false;
      this.#timer.unref();
    }
  }

  #checkTimes(one: PythonProcess, now: number): void {
    const { timeout, bootTimeout } = this.#options;
    if (one.state === "booting" && bootTimeout > 0 && now - one.startedAt > bootTimeout * 1000) {
      return this.notLoaded(one, `it took longer than ${bootTimeout} s (bootTimeout)`);
    }
    if (timeout === 0 || one.stuck || (one.state !== "ready" && one.state !== "stopping")) return;
    const stuck = [...one.links].filter((link) => link.stuckFor(now) > timeout * 1000);
    const silent = now - one.heardAt > timeout * 1000 + BEATS;
    if (stuck.length === 0 && !silent) return;
    one.stuck = true;
    this.#log(
      `Python process (pid:${one.pid}) is ended: ${silent ? "it" : "a request"} made no progress for ${timeout} s`,
    );
    for (const link of silent ? one.links : stuck) {
      link.call?.refuse("504 Gateway Timeout", `the application made no progress for ${timeout} s (timeout)`);
    }
    const others = !silent && [...one.links].some((link) => link.busy && !stuck.includes(link));
    one.stop(others ? OTHERS : 0);
    this.#manage();
  }

  /** Gives a connection to its process, and returns what reads it. */
  #connected(socket: Socket, kind: number, id: string): ((bytes: Buffer) => void) | undefined {
    const one = this.#processes.get(id);
    return kind === CONTROL ? one?.control(socket) : one?.link(socket);
  }
}
