/**
 * One Python process: its start, its connections and its end.
 *
 * The process gets a pipe as its standard input, which ends when tsgi ends, however that happens. It connects to the
 * socket of the pool: once for its reports, and once for each thread. Closing the connections of its idle threads stops
 * it gracefully.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import process from "node:process";
import type { Serving } from "./dispatcher.ts";
import { ERROR_TEXT, FILES, FrameReader, LOADED, NOT_LOADED, QUIT } from "./frames.ts";
import { Link } from "./link.ts";

const QUICK = 2; // ms that close() may take, for the thread to get its next request before
const REMEMBERED = 10_000; // ms for which a longer close() is remembered
const LAST_REPORT = 300; // ms in which the last report of a process arrives that has ended
const SIGNALLED = 2000; // ms from its SIGTERM to its replacement: a signal to the whole group or service ends tsgi before
const ABORT_GRACE = 500; // ms that a stuck process has to show where it is stuck

/** What a process tells the pool. */
export interface ProcessOwner {
  /** It has loaded the application. */
  loaded(of: PythonProcess): void;
  /** It has not. */
  notLoaded(of: PythonProcess, why: string): void;
  /** It is gone. */
  exited(of: PythonProcess, how: string): void;
  /** It asks to be replaced. */
  worn(of: PythonProcess, why: string): void;
  /** It has had a SIGTERM for a while. */
  signalled(of: PythonProcess): void;
  /** The files of its modules. */
  files(files: readonly string[]): void;
  /** A thread has sent its response. */
  ending(link: Link, of: PythonProcess): void;
  /** A thread waits for a request. */
  idle(link: Link, of: PythonProcess): void;
  /** A thread is gone. */
  lost(link: Link, of: PythonProcess): void;
  /** Takes text for `wsgi.errors` that belongs to no request. */
  errorText(text: string): void;
}

/** How a process is started. */
export interface Launch {
  /** The interpreter. */
  readonly python: string;
  /** The path of `child.py`. */
  readonly script: string;
  /** The path of the pool's socket. */
  readonly path: string;
  /** The application. */
  readonly application: string;
  /** The number of threads. */
  readonly threads: number;
  /** The working directory. */
  readonly cwd: string;
  /** The environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Requests until it is replaced. */
  readonly maxRequests: number;
}

/** A Python process. */
export class PythonProcess implements Serving {
  /** Its state: it loads the application, it serves, it finishes its requests, it is gone. */
  state: "booting" | "ready" | "stopping" | "gone" = "booting";
  /** Whether another process is to take its place. */
  worn: boolean = false;
  /** Whether the load that it belongs to serves. */
  serves: boolean = false;
  /** Whether a request is stuck in it. */
  stuck: boolean = false;
  /** When something of it was heard last. */
  heardAt: number = performance.now();
  /** When it was started. */
  readonly startedAt: number = performance.now();
  /** When it had loaded the application. */
  readyAt: number = Infinity;
  /** When it is to be killed. */
  killAt: number = Infinity;
  /** The connections of its threads. */
  readonly links: Set<Link> = new Set();
  /** Its id. */
  readonly id: string;
  /** The load that it belongs to. */
  readonly generation: number;
  readonly #child: ChildProcess;
  readonly #owner: ProcessOwner;
  readonly #maxRequests: number;
  #requests = 0;
  #aborted = false;
  #signalledAt: number | undefined;
  #slowCloseAt = -Infinity;

  /** Starts a process. */
  constructor(id: string, generation: number, launch: Launch, owner: ProcessOwner) {
    this.id = id;
    this.generation = generation;
    this.#owner = owner;
    this.#maxRequests = launch.maxRequests;
    const { application, path, threads } = launch;
    this.#child = spawn(launch.python, [launch.script, JSON.stringify({ id, application, path, threads })], {
      stdio: ["pipe", "inherit", "inherit"],
      cwd: launch.cwd,
      env: launch.env,
    });
    // The pool decides what keeps tsgi's process alive. On Deno, unref() throws if the child could not be started.
    if (this.pid !== undefined) this.#child.unref();
    (this.#child.stdin as Partial<Socket> | null)?.unref?.(); // on Node it is a socket
    this.#child.stdin?.on("error", () => {}); // it has ended
    this.#child.once("error", (error) => this.#exited(`could not be started: ${error.message}`));
    this.#child.once("exit", (code, signal) => {
      const how = signal === null ? `exited with code ${code}` : signal;
      // Its report may still be in the socket, with the reason.
      if (this.state === "booting") setTimeout(() => this.#exited(how), LAST_REPORT);
      else this.#exited(how);
    });
  }

  /** The process id; undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it may get requests. */
  get takesRequests(): boolean {
    return this.serves && this.state === "ready";
  }

  /** Whether its `close()` has been quick of late. */
  get eager(): boolean {
    return performance.now() - this.#slowCloseAt > REMEMBERED;
  }

  /** It gets a request. */
  begins(): void {
    if (++this.#requests === this.#maxRequests) this.#owner.worn(this, `${this.#requests} requests`);
  }

  /** Takes over the connection for reports. */
  control(socket: Socket): (bytes: Buffer) => void {
    socket.on("error", () => {});
    const reader = new FrameReader((type, content) => this.#report(type, content));
    return (bytes) => {
      this.heardAt = performance.now();
      reader.push(bytes);
    };
  }

  /** Takes over the connection of a thread. */
  link(socket: Socket): (bytes: Buffer) => void {
    const owner = this.#owner;
    if (this.state === "stopping" || this.state === "gone") socket.destroy();
    const link = new Link(socket, {
      ending: () => {
        if (this.state === "ready") owner.ending(link, this);
      },
      idle: (_link, ended) => {
        if (ended > QUICK) this.#slowCloseAt = performance.now();
        if (link.busy) return;
        if (this.state === "stopping") link.close();
        else owner.idle(link, this);
      },
      closed: () => {
        this.links.delete(link);
        owner.lost(link, this);
      },
      errorText: (text) => owner.errorText(text),
    });
    this.links.add(link);
    socket.on("error", () => {});
    socket.once("close", () => link.wasClosed());
    return (bytes) => {
      this.heardAt = performance.now();
      link.receive(bytes);
    };
  }

  /** Stops it as soon as its requests are finished, and kills it after `seconds`. */
  stop(seconds: number): void {
    if (this.state === "gone") return;
    this.killAt = Math.min(this.killAt, performance.now() + seconds * 1000);
    if (this.state === "booting") return this.kill("SIGKILL"); // before its threads are there
    this.state = "stopping";
    for (const link of this.links) if (!link.busy) link.close();
  }

  /** Its time is over. One that is stuck first shows where. */
  end(): void {
    this.kill(this.stuck && !this.#aborted ? "SIGABRT" : "SIGKILL");
    this.#aborted = true;
  }

  /** Kills it. With SIGABRT it first writes to standard error where it is. */
  kill(signal: "SIGABRT" | "SIGKILL"): void {
    if (this.state === "gone" || this.pid === undefined) return;
    if (this.state === "ready") this.state = "stopping";
    this.killAt = signal === "SIGABRT" ? performance.now() + ABORT_GRACE : Infinity;
    try {
      process.kill(this.pid, signal); // on Deno, ChildProcess.kill() makes a clean exit look like a death by a signal
    } catch {
      // It is gone: the exit event comes.
    }
  }

  #report(type: number, content: Buffer): void {
    if (type === FILES) return this.#owner.files(JSON.parse(content.toString()));
    if (type === QUIT) return this.#signalled();
    if (type === ERROR_TEXT) return this.#owner.errorText(content.toString());
    if (this.state !== "booting") return;
    if (type === LOADED) {
      this.state = "ready";
      this.readyAt = performance.now();
      this.#owner.files(JSON.parse(content.toString()));
      this.#owner.loaded(this);
    } else if (type === NOT_LOADED) {
      const [why, files] = JSON.parse(content.toString()) as [string, string[]];
      this.state = "stopping";
      this.#owner.files(files);
      this.#owner.notLoaded(this, why);
    }
  }

  /** It has got a SIGTERM. It says so again and again. */
  #signalled(): void {
    this.#signalledAt ??= performance.now();
    if (!this.worn && performance.now() - this.#signalledAt >= SIGNALLED) this.#owner.signalled(this);
  }

  #exited(how: string): void {
    if (this.state === "gone") return;
    const booting = this.state === "booting";
    this.state = "gone";
    for (const link of this.links) link.close();
    for (const link of [...this.links]) link.wasClosed(); // a process that it has forked may hold its connections
    if (booting) {
      this.#owner.notLoaded(this, `the Python process ${how.startsWith("SIG") ? "was ended by " : ""}${how}`);
    }
    this.#owner.exited(this, how);
  }
}
