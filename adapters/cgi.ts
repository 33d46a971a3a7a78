/**
 * The host CGI: a process that a web server starts for one request, on Node.js, Deno and Bun.
 *
 * The request is in the environment and on standard input, the response goes to standard output (RFC 3875). The
 * process ends by itself once the response is written and the body closed: with 0, with 1 when the response is not the
 * application's or not complete, and with 143 when the web server has ended it.
 *
 * @module
 */

import { read, readFileSync, write, writeSync } from "node:fs";
import process from "node:process";
import { runScript } from "../core/cgi/script.ts";
import type { Application } from "../core/gateway/types.ts";
import { type ServeOptions, settings } from "../core/options.ts";
import type { Connection, Transport } from "../core/seams.ts";
import type { Server } from "../core/server.ts";
import { latin1 } from "./latin1.ts";
import { type PromisedSocket, PromisedTransport } from "./promised_socket.ts";

const [STDIN, STDOUT, STDERR] = [0, 1, 2] as const;
const GRACE = 100; // ms
const RETRY = 2; // ms, where a stream that does not block has nothing to give or no room
const ORPHAN_CHECK = 2000; // ms

/**
 * Answers the request of this process, and ends it.
 *
 * @param app A function, a class, or an object with `wsgiApp` (PEP 3333, "The Application/Framework Side").
 * @param options Those of `serve`; the ones about listening, connections and time say nothing here.
 * @returns the exit code; the process ends in the next turn of the event loop.
 * @throws {OptionError} (as a rejection) for an option with a value it cannot have.
 * @throws {ApplicationError} (as a rejection) when `app` is no application.
 *
 * @example
 * ```ts
 * import { runCgi } from "tsgi/cgi";
 *
 * // `serve` of "tsgi" does this by itself where a web server has started the program.
 * export const script = (): Promise<number> =>
 *   runCgi((environ, startResponse) => {
 *     startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *     return `Hello from ${environ.SCRIPT_NAME}\n`;
 *   });
 * console.assert(typeof script === "function");
 * ```
 */
export async function runCgi(app: Application, options: ServeOptions = {}): Promise<number> {
  const all = settings(options, { port: undefined, errorLog: writeErrors });
  let signalled = 0;
  const complete = await runScript(
    {
      latin1,
      turn: (callback) => void setImmediate(callback),
      variables,
      open: (accept) => openStreams(accept, (code) => signalled = code),
    },
    app,
    all,
  );
  const code = signalled || (complete ? 0 : 1);
  process.exitCode = code;
  setTimeout(() => process.exit(code), 0); // what the application left open does not keep the web server waiting
  return code;
}

/**
 * The same in the form of the other adapters: a server that has answered its only request.
 *
 * @param app A function, a class, or an object with `wsgiApp`.
 * @param options See {@linkcode runCgi}.
 * @throws {OptionError} (as a rejection) for an option with a value it cannot have.
 * @throws {ApplicationError} (as a rejection) when `app` is no application.
 */
export async function serve(app: Application, options?: ServeOptions): Promise<Server> {
  await runCgi(app, options);
  const finished = Promise.resolve();
  return { address: { hostname: "", port: 0 }, finished, shutdown: () => finished };
}

/** Standard input and output as one socket; settles once nothing more will be written. */
function openStreams(accept: (transport: Transport) => Connection, ended: (code: number) => void): Promise<void> {
  return new Promise((resolve) => {
    let writing: Promise<unknown> = Promise.resolve();
    const streams: PromisedSocket = {
      localAddr: {},
      remoteAddr: {},
      read: async (memory) => await transfer(read, STDIN, memory) || null,
      write: (bytes) => writing = writeOutput(bytes),
      closeWrite: () => Promise.resolve(resolve()),
      // A block that is on its way when the response is cut off gets out, unless the web server does not take it.
      close: () => {
        writing.catch(() => {}).finally(resolve);
        setTimeout(resolve, GRACE);
      },
    };
    const transport = new PromisedTransport(streams, accept);
    const stop = (code: number) => (): void => {
      ended(code);
      transport.destroy();
    };
    process.on("SIGTERM", stop(143)).on("SIGINT", stop(130));
    // A script that waits and writes nothing would outlive its web server. (And without any timer or socket Node ends
    // while it waits, and Bun spins.)
    const parent = process.ppid;
    setInterval(() => process.ppid === parent || stop(143)(), ORPHAN_CHECK);
  });
}

/** What Deno has beside node:fs. */
interface DenoOutput {
  readonly Deno?: { readonly stdout: { write(bytes: Uint8Array): Promise<number> } };
}

const { Deno } = globalThis as unknown as DenoOutput;

/** Writes to standard output. `write` of Deno's node:fs would stop the event loop until the web server reads. */
async function writeOutput(bytes: Uint8Array): Promise<number> {
  try {
    if (Deno !== undefined) return await Deno.stdout.write(bytes);
  } catch (error) {
    if ((error as Error).name !== "WouldBlock") throw error;
  }
  return await transfer(write, STDOUT, bytes);
}

/** One read or write, as soon as there is something to be had. */
function transfer(operation: typeof read | typeof write, fd: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const attempt = (): void =>
      (operation as typeof read)(fd, bytes, 0, bytes.length, null, (error, count) => {
        if (error === null || error === undefined) resolve(count);
        else if (error.code === "EAGAIN") setTimeout(attempt, RETRY);
        else if (error.code === "EOF") resolve(0);
        else reject(error);
      });
    attempt();
  });
}

function writeErrors(text: string): void {
  try {
    writeSync(STDERR, text);
  } catch {
    // Nobody reads it.
  }
}

/**
 * The environment as the web server gave it. Runtimes decode it as UTF-8, and lose or refuse what is none (a path may
 * hold any octet), so the bytes are taken where the system shows them: Linux.
 */
function variables(): (readonly [name: string, value: string])[] {
  const block = environmentBlock();
  const entries = block === null ? decodedEnvironment() : block.split("\0");
  return entries.filter((entry) => entry.includes("=")).map((entry) => {
    const at = entry.indexOf("=");
    return [entry.slice(0, at), entry.slice(at + 1)] as const;
  });
}

function environmentBlock(): string | null {
  try {
    const bytes = readFileSync("/proc/self/environ");
    return latin1(bytes, 0, bytes.length);
  } catch {
    return null; // another system; or Deno without permission
  }
}

function decodedEnvironment(): string[] {
  const entries: string[] = [];
  for (const name of Object.keys(process.env)) {
    try {
      const bytes = new TextEncoder().encode(process.env[name]);
      entries.push(`${name}=${latin1(bytes, 0, bytes.length)}`);
    } catch {
      // Deno: not UTF-8.
    }
  }
  return entries;
}
