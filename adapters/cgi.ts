/**
 * The host CGI: a process that a web server starts for one request, on Node.js, Deno and Bun.
 *
 * The request comes from the environment and standard input, and the response goes to standard output (RFC 3875). The
 * process exits by itself once the response is written and the body closed. Exit codes: 0 for success, 1 when the
 * response is incomplete or not the application's own, 143 when the web server has terminated the script.
 *
 * @module
 */

import { runScript } from "../core/server/script.ts";
import type { Application } from "../core/contract/types.ts";
import { settings } from "../core/server/options.ts";
import type { ServeOptions } from "../core/server/serve_options.ts";
import type { Connection, TcpAddress, Transport } from "../core/seams.ts";
import type { Server } from "../core/server/server.ts";
import { consoleToStandardError, type ScriptProcess, SIGNAL_CODES } from "./cgi_process.ts";
import { type PromisedSocket, PromisedTransport } from "./promised_socket.ts";

const GRACE = 100; // ms
const ORPHAN_CHECK = 2000; // ms
const MICROTASKS = 64;

/**
 * Answers the request of this process, then ends the process. From the call on, the console writes to standard error.
 *
 * @param app A function, a class, or an object with `wsgiApp` (PEP 3333, "The Application/Framework Side").
 * @param options Those of `serve`. The ones about listening, connections and timeouts have no effect here.
 * @returns the exit code. The process exits right after the code that awaits this promise has run.
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
  consoleToStandardError();
  const { script } =
    await ((globalThis as { Deno?: unknown }).Deno === undefined ? import("./cgi_node.ts") : import("./cgi_deno.ts"));
  const errorLog = (text: string): void => {
    try {
      script.errors(text);
    } catch {
      // Nobody reads standard error.
    }
  };
  let signalled = 0;
  const complete = await runScript(
    {
      latin1: script.latin1,
      turn: script.turn,
      variables: () => variables(script),
      open: (accept) => openStreams(script, accept, (code) => signalled = code),
    },
    app,
    settings(options, { port: undefined, errorLog }),
  );
  const code = signalled || (complete ? 0 : 1);
  endSoon(() => script.exit(code));
  return code;
}

/** Lets pending microtasks run, as far as they wait for no event. */
async function turns(): Promise<void> {
  for (let i = 0; i < MICROTASKS; i++) await undefined;
}

/**
 * Exits once the code that awaits the script has run, so that timers or sockets that the application left open do not
 * keep the web server waiting. (To wait for a turn of the event loop would cost each request a millisecond or more.)
 */
async function endSoon(exit: () => void): Promise<void> {
  await turns();
  exit();
}

/**
 * Does what {@linkcode runCgi} does, with the signature of the other adapters: the server it gives has answered its
 * only request.
 *
 * @param app A function, a class, or an object with `wsgiApp`.
 * @param options See {@linkcode runCgi}.
 * @throws {OptionError} (as a rejection) for an option with a value it cannot have.
 * @throws {ApplicationError} (as a rejection) when `app` is no application.
 *
 * @example
 * ```ts
 * import { serve } from "tsgi/cgi";
 *
 * export const script = async (): Promise<void> => {
 *   await serve((_environ, startResponse) => {
 *     startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *     return "hello\n";
 *   });
 * };
 * console.assert(typeof script === "function");
 * ```
 */
export async function serve(app: Application, options?: ServeOptions): Promise<Server<TcpAddress>> {
  await runCgi(app, options);
  const finished = Promise.resolve();
  return { address: { transport: "tcp", hostname: "", port: 0 }, addresses: [], finished, shutdown: () => finished };
}

/** Joins standard input and output into one socket. The promise settles once nothing more will be written. */
function openStreams(
  script: ScriptProcess,
  accept: (transport: Transport) => Connection,
  ended: (code: number) => void,
): Promise<void> {
  return new Promise((settle) => {
    let open = true;
    const resolve = (): void => {
      open = false;
      settle();
    };
    let writing: Promise<unknown> = Promise.resolve();
    const streams: PromisedSocket = {
      localAddr: {},
      remoteAddr: {},
      read: script.read,
      write: (bytes) => {
        const written = script.write(bytes);
        writing = written;
        return written;
      },
      closeWrite: () => Promise.resolve(resolve()),
      // When the response is cut off, a write in progress may finish, unless the web server does not read it within
      // GRACE.
      close: () => {
        writing.catch(() => {}).finally(resolve);
        setTimeout(resolve, GRACE);
      },
    };
    const stop = (code: number): void => {
      ended(code);
      transport.destroy();
    };
    // Before the transport, because its constructor calls the application: the web server may see that the client has
    // gone, and send the signal, while the application runs for the first time.
    script.onSignal(stop);
    const transport = new PromisedTransport(streams, accept, script.turn);
    watchParent(script, () => open, () => stop(SIGNAL_CODES.SIGTERM));
  });
}

/**
 * Stops a script whose web server has died. A script that waits and writes nothing would otherwise outlive it. (The
 * timer also keeps the event loop alive: without any timer or socket, Node exits while the script waits, and Bun
 * spins.) A response that needs no waiting gets no timer, because the first timer costs Deno as much as all the rest.
 */
async function watchParent(script: ScriptProcess, open: () => boolean, stop: () => void): Promise<void> {
  const parent = script.parent();
  await turns();
  if (open()) setInterval(() => script.parent() === parent || stop(), ORPHAN_CHECK);
}

/**
 * Returns the environment as the web server set it, as latin-1. A path may hold any octet, but runtimes decode the
 * environment as UTF-8, and lose or reject anything else. So the raw octets are read where the system provides them, on
 * Linux.
 */
function variables(script: ScriptProcess): (readonly [name: string, value: string])[] {
  const text = (bytes: Uint8Array): string => script.latin1(bytes, 0, bytes.length);
  const bytes = script.environmentBytes();
  if (bytes === null) {
    const encoder = new TextEncoder();
    return Object.entries(script.environment()).map(([name, value]) => [name, text(encoder.encode(value))]);
  }
  return text(bytes).split("\0").filter((entry) => entry.includes("=")).map((entry) => {
    const at = entry.indexOf("=");
    return [entry.slice(0, at), entry.slice(at + 1)];
  });
}
