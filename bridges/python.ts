/**
 * The bridge for Python: Flask, Django and every other WSGI application of Python, in real CPython processes.
 *
 * tsgi does what a web server does: HTTP, TLS, time-outs, slow clients. The Python processes run the application. A slow
 * client holds none of them: a request has its whole body before it gets a thread, and a response is taken from the
 * thread as fast as it comes.
 *
 * - `bridges/python/child.py` is the side of Python. `frames.ts` has the frames between the two sides.
 * - `call.ts` is one request, `link.ts` the connection of one thread, `python_process.ts` one process.
 * - `introduction.ts` has what comes before a process is known: the path of its program, the first frame of a connection.
 * - `pool.ts` keeps the processes, `dispatcher.ts` gives requests to threads.
 * - `spooled_buffer.ts` holds bodies: in memory, and in a file where they are long.
 *
 * @module
 */

import { describe, OptionError } from "../core/errors.ts";
import { ApplicationError, named } from "../core/contract/application.ts";
import type { ApplicationFunction, Body, Environ, StartResponse } from "../core/contract/types.ts";
import { statSync } from "node:fs";
import process from "node:process";
import { interpreter } from "./python/interpreter.ts";
import { Pool } from "./python/pool.ts";
import { bufferedBody, liveBody, NO_BODY } from "./python/request_body.ts";

export { PythonError, PythonLoadError, PythonProcessError } from "./python/errors.ts";

/** Options of {@linkcode fromPython}. */
export interface FromPythonOptions {
  /**
   * The interpreter, or the folder of a virtualenv. Default: that of the variable `VIRTUAL_ENV`, else `python3`.
   */
  readonly python?: string;
  /** The working directory of the processes, from which modules are imported. Default: that of this process. */
  readonly cwd?: string;
  /** Environment variables of the processes, added to those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Number of processes. Default 1. */
  readonly processes?: number;
  /** Threads in each process, each of which serves one request at a time. Default 1. */
  readonly threads?: number;
  /** Bytes of a body that are held in memory; what is longer goes to a file. Default 1 MiB. */
  readonly bufferLimit?: number;
  /** Bytes of a response that are held in a file; beyond them the thread waits for the client. Default 1 GiB. */
  readonly spoolLimit?: number;
  /**
   * Whether a request gets a thread only when its whole body is there. Then a slow upload holds no thread. False passes
   * blocks on as they arrive, for uploads that the application processes while they last. Default true.
   */
  readonly bufferRequests?: boolean;
  /** Requests that may wait for a thread. For one more, the answer is 503. Default 1000. */
  readonly queueLimit?: number;
  /** Seconds that a request may wait for a thread. Then 503; 0 for any time. Default 30. */
  readonly queueTimeout?: number;
  /**
   * Seconds in which a thread with a request may do nothing visible. Then the answer is 504, and the process is ended
   * and replaced. The time in which it waits for the client does not count; 0 for any time. Default 30.
   */
  readonly timeout?: number;
  /** Seconds that a process has to load the application; 0 for any time. Default 120. */
  readonly bootTimeout?: number;
  /** Requests after which a process is replaced; 0 never. Default 0. */
  readonly maxRequests?: number;
  /** At most so many requests more, by chance. Default 0. */
  readonly maxRequestsJitter?: number;
  /**
   * Receives messages about processes with their level, and text that the application writes outside of its requests,
   * without a level. Default: standard error.
   */
  readonly log?: (text: string, level?: "info" | "warning") => void;
  /** Receives the files of the application's modules, whenever there are new ones. */
  readonly onFiles?: (files: readonly string[]) => void;
}

/** A Python application: an application of tsgi with the processes that serve it. */
export interface PythonApplication extends ApplicationFunction {
  /**
   * Settles when the application is loaded. Requests that come before wait.
   *
   * @throws {PythonLoadError} (as a rejection) with the traceback.
   */
  readonly ready: Promise<void>;
  /** The ids of the processes that serve. */
  readonly pids: readonly number[];
  /**
   * Loads the application anew: starts new processes, which take over once all have loaded it.
   *
   * @throws {PythonLoadError} (as a rejection) with the traceback; the old processes serve on.
   */
  reload(): Promise<void>;
  /** Changes the number of processes. */
  resize(processes: number): void;
  /**
   * Says that the program is about to end: a SIGTERM that has reached a process too replaces it no longer. Requests are
   * served as before, until `close()` or the end of the program.
   */
  drain(): void;
  /** Ends the processes; settles when they are gone. Running requests have `timeout` seconds, by default 30. */
  close(options?: { readonly timeout?: number }): Promise<void>;
}

/**
 * Makes an application of a Python one. The processes start at once; `close()` ends them, as does the end of this
 * process, however it comes. They keep this process alive only until `ready` settles, and while a request, `reload()` or
 * `close()` runs.
 *
 * @param application What to import: `MODULE`, `MODULE:NAME`, or `MODULE:FACTORY(...)` with literals of Python as
 *   arguments. The default name is `application`.
 * @param options See {@linkcode FromPythonOptions}.
 * @throws {ApplicationError} when `application` has another form.
 * @throws {OptionError} for an unknown option, an option with a value it cannot have, or a `cwd` that does not exist.
 *
 * @example
 * ```ts
 * import { serve } from "tsgi";
 * import { fromPython } from "tsgi/bridges/python";
 *
 * const app = fromPython("wsgiref.simple_server:demo_app", { threads: 2 });
 * await app.ready;
 * const server = await serve(app, { port: 0, onListen: () => {} });
 * const response = await fetch(`http://127.0.0.1:${server.address.port}/`);
 * console.assert((await response.text()).startsWith("Hello world!"));
 * await server.shutdown({ timeout: 0 });
 * await app.close();
 * ```
 */
export function fromPython(application: string, options: FromPythonOptions = {}): PythonApplication {
  if (typeof application !== "string" || !SPEC.test(application)) {
    throw new ApplicationError(
      `fromPython: expected MODULE, MODULE:NAME or MODULE:FACTORY(...), such as "mysite.wsgi:application", got ${
        describe(application)
      }`,
    );
  }
  const { python, env, bufferRequests, ...rest } = checked(options);
  const environment = { ...process.env, ...env };
  const pool = new Pool(
    { ...rest, application, python: interpreter(python, environment), env: environment },
    new URL("./python/child.py", import.meta.url),
  );
  const app = (environ: Environ, startResponse: StartResponse): Promise<Body> => {
    const input = environ["wsgi.input"];
    if (input.ended) return pool.call(environ, startResponse, NO_BODY);
    if (!bufferRequests) return pool.call(environ, startResponse, liveBody(input));
    return bufferedBody(environ, rest.bufferLimit, pool.folder).then((body) => pool.call(environ, startResponse, body));
  };
  return Object.defineProperties(named(app, application), {
    ready: { value: pool.ready },
    pids: { get: () => pool.pids },
    reload: { value: () => pool.reload() },
    resize: { value: (processes: number) => pool.resize(wholeFrom(1, "processes", processes)) },
    drain: { value: () => pool.drain() },
    close: { value: ({ timeout = 30 }: { timeout?: number } = {}) => pool.close(timeout) },
  }) as unknown as PythonApplication;
}

const SPEC = /^[^\s:()/]+(?::[^\W\d][\w.]*(?:\(.*\))?)?$/s;
const MIB = 1024 * 1024;

/** Options with a value each; `python` and `env` stay as they are. */
type Checked = Required<Omit<FromPythonOptions, "python">> & Pick<FromPythonOptions, "python">;

function checked(options: FromPythonOptions): Checked {
  const defaults: Required<Omit<FromPythonOptions, "python">> = {
    cwd: process.cwd(),
    env: {},
    processes: 1,
    threads: 1,
    bufferLimit: MIB,
    spoolLimit: 1024 * MIB,
    bufferRequests: true,
    queueLimit: 1000,
    queueTimeout: 30,
    timeout: 30,
    bootTimeout: 120,
    maxRequests: 0,
    maxRequestsJitter: 0,
    log: (text) => process.stderr.write(text),
    onFiles: () => {},
  };
  const least: Readonly<Record<string, number>> = { processes: 1, threads: 1 };
  for (const [name, value] of Object.entries(options)) {
    if (name === "python" || value === undefined) continue;
    if (!Object.hasOwn(defaults, name)) {
      throw new OptionError(
        name,
        `there is no such option of fromPython; it has python, ${Object.keys(defaults).join(", ")}`,
      );
    }
    const usual = defaults[name as keyof typeof defaults];
    if (typeof value !== typeof usual) throw new OptionError(name, `a ${typeof usual}`, value);
    if (typeof usual !== "number") continue;
    if (/[Tt]imeout$/.test(name)) {
      if (!((value as number) >= 0)) throw new OptionError(name, "seconds from 0", value);
    } else wholeFrom(least[name] ?? 0, name, value as number);
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const all = { ...defaults, ...given };
  // Else spawn() would say of the interpreter that it does not exist.
  if (statSync(all.cwd, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new OptionError("cwd", "a folder that exists", all.cwd);
  }
  return all;
}

function wholeFrom(least: number, name: string, value: number): number {
  if (value !== Infinity && !(Number.isSafeInteger(value) && value >= least)) {
    throw new OptionError(name, `a whole number from ${least}`, value);
  }
  return value;
}
