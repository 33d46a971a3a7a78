/**
 * Installs signal handlers before anything else is loaded.
 *
 * Until a process handles a signal, the signal has its default effect: HUP and USR1 end the process, TTIN and TTOU
 * suspend it, and on Node USR1 opens the inspector. Modules take tens of milliseconds to load. So `cli/main.ts` imports
 * only this module at first, and loads the rest when the handlers are installed. A signal that comes in between is held
 * until a handler takes it.
 *
 * Which signals are held depends on who started the process:
 *
 *     a user    HUP, USR1, TTIN, TTOU and WINCH are held. TERM, INT and QUIT keep their default effect and end the
 *               process: it has nothing to finish yet. The launcher handles them before it opens the sockets.
 *     tsgi      TERM, INT and QUIT end the process with status 0. The loss of its parent ends it with status 1. The
 *               other signals are held. Then the process sends `hello` to its parent, which forwards signals only
 *               after that.
 *
 * @module
 */

import process from "node:process";

/** The environment variable that tells a process started by tsgi whether it is the arbiter or a worker. */
export const ROLE = "TSGI_ROLE";

/** The signals that stop the command. */
export const STOPS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

/** The signals that do not stop the command. */
export const REQUESTS = ["SIGHUP", "SIGUSR1", "SIGTTIN", "SIGTTOU", "SIGWINCH"] as const;

/** A signal that the command handles. */
export type Signal = typeof STOPS[number] | typeof REQUESTS[number];

/** The first message of a process that tsgi has started: from now on it handles signals. */
export interface HelloMessage {
  /** Which message it is. */
  readonly type: "hello";
}

/** A signal that a parent sends as a message. Unlike signals, messages keep their order and their number. */
export interface SignalMessage {
  /** Its name. */
  readonly signal: Signal;
}

type Handler = (name: Signal) => void;

const listeners = new Map<Signal, () => void>();
const handlers = new Map<Signal, Handler>();
let held: Signal[] = [];
let orphaned: () => void = () => {};

/** Holds the signals. Call it before anything else is loaded. */
export function holdSignals(): void {
  const ofTsgi = process.env[ROLE] !== undefined;
  for (const name of ofTsgi ? [...STOPS, ...REQUESTS] : REQUESTS) listen(name);
  process.on("disconnect", () => orphaned());
  if (process.versions.deno !== undefined) {
    void import("./deno_inspector.ts").then(({ keepInspectorClosed }) => keepInspectorClosed());
  }
  if (!ofTsgi) return;
  for (const name of STOPS) handlers.set(name, () => process.exit(0));
  orphaned = () => process.exit(1);
  process.on("message", (message) => {
    const { signal } = message as Partial<SignalMessage>;
    if (signal !== undefined) arrived(signal);
  });
  const hello: HelloMessage = { type: "hello" };
  if (process.connected === true) process.send?.(hello, () => {});
}

/** Holds the signals that stop the command too. Call it once the process has something to finish. */
export function holdStops(): void {
  for (const name of STOPS) listen(name);
}

/** Handles signals from now on, and first the held ones. */
export function takeSignals(names: readonly Signal[], handler: Handler): void {
  for (const name of names) {
    handlers.set(name, handler);
    listen(name);
  }
  const taken = held.filter((name) => names.includes(name));
  held = held.filter((name) => !names.includes(name));
  for (const name of taken) handler(name);
}

/** Gives signals their default effect again, the held ones included. For a process that will not serve. */
export function freeSignals(): void {
  for (const [name, listener] of listeners) process.off(name, listener);
  listeners.clear();
  for (const name of held.splice(0)) process.kill(process.pid, name);
}

/** Sets the handler for the end of the parent process. */
export function whenOrphaned(handler: () => void): void {
  orphaned = handler;
}

function listen(name: Signal): void {
  if (listeners.has(name)) return;
  const listener = (): void => arrived(name);
  listeners.set(name, listener);
  process.on(name, listener);
}

function arrived(name: Signal): void {
  const handler = handlers.get(name);
  if (handler === undefined) held.push(name);
  else handler(name);
}
