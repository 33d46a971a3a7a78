/**
 * Signals from the first moment on.
 *
 * Until a process handles a signal, the signal has its default effect: HUP and USR1 end it, TTIN and TTOU stop it, and
 * on Node USR1 opens the inspector. Modules take tens of milliseconds to load. So `cli/main.ts` imports this module
 * alone, and loads the rest when the handlers are there. A signal that comes meanwhile is
 * held until somebody takes it.
 *
 * What holds, and what does not, depends on who started the process:
 *
 *     a user    HUP, USR1, TTIN, TTOU and WINCH are held. TERM, INT and QUIT end the process as they end any other,
 *               since there is nothing to finish yet; the launcher takes them before it opens the sockets.
 *     tsgi      TERM, INT and QUIT end the process with status 0, and so does the loss of its parent, with status 1.
 *               The others are held. Then the process says `hello` to its parent, which passes nothing on before.
 *
 * @module
 */

import process from "node:process";

/** The environment variable that tells a process which tsgi has started what it is. */
export const ROLE = "TSGI_ROLE";

/** The signals that stop the command. */
export const STOPS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

/** The signals after which it goes on. */
export const REQUESTS = ["SIGHUP", "SIGUSR1", "SIGTTIN", "SIGTTOU", "SIGWINCH"] as const;

/** A signal that the command knows. */
export type Signal = typeof STOPS[number] | typeof REQUESTS[number];

/** What a process that tsgi has started says first: from now on it may be sent signals. */
export interface HelloMessage {
  /** Which message it is. */
  readonly type: "hello";
}

/** A signal that a launcher passes on. As messages, signals keep their order and their number. */
export interface SignalMessage {
  /** Its name. */
  readonly signal: Signal;
}

type Handler = (name: Signal) => void;

const listeners = new Map<Signal, () => void>();
const handlers = new Map<Signal, Handler>();
let held: Signal[] = [];
let orphaned: () => void = () => {};

/** Holds the signals; to be called before anything else is loaded. */
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

/** Holds the signals that stop the command too, until somebody takes them: from now on there is something to finish. */
export function holdStops(): void {
  for (const name of STOPS) listen(name);
}

/** Handles signals from now on, and those that are held first. */
export function takeSignals(names: readonly Signal[], handler: Handler): void {
  for (const name of names) {
    handlers.set(name, handler);
    listen(name);
  }
  const taken = held.filter((name) => names.includes(name));
  held = held.filter((name) => !names.includes(name));
  for (const name of taken) handler(name);
}

/** Gives signals their default effect again, also those that are held: this process is not going to serve. */
export function freeSignals(): void {
  for (const [name, listener] of listeners) process.off(name, listener);
  listeners.clear();
  for (const name of held.splice(0)) process.kill(process.pid, name);
}

/** Does this when the process that has started this one is gone. */
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
