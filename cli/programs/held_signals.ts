/**
 * A program's own handlers of the signals that stop it, held until no new request can come.
 *
 * A worker that is told to stop still answers requests for a moment: clients send them over connections that they have
 * kept. A program that heard of the signal at once would refuse these, as Fastify does with 503, or close its database under
 * them. So the listeners go to an emitter of their own, and hear of the signal when the worker says so. A program sees its own
 * listeners only: packages that look whether there are others find what they find without the command.
 *
 * @module
 */

import { EventEmitter } from "node:events";
import { constants } from "node:os";
import process from "node:process";
import type { Restore } from "./program.ts";

/** A signal that stops a process. */
export type StopSignal = "SIGTERM" | "SIGINT" | "SIGQUIT";

const HELD: ReadonlySet<unknown> = new Set<StopSignal>(["SIGTERM", "SIGINT", "SIGQUIT"]);

/** Whether the listeners of this event are held. */
export function isHeld(name: unknown): boolean {
  return HELD.has(name);
}

const METHODS = [
  "on",
  "addListener",
  "once",
  "prependListener",
  "prependOnceListener",
  "off",
  "removeListener",
  "listeners",
  "rawListeners",
  "listenerCount",
] as const;

type Method = (name: unknown, ...rest: unknown[]) => unknown;

/** The listeners of a program for signals that stop it. */
export class HeldSignals {
  readonly #emitter = new EventEmitter();
  readonly #restores: readonly Restore[];

  /** Holds the listeners that are added from now on. */
  constructor() {
    this.#restores = METHODS.map((method) => this.#replace(method));
  }

  #replace(method: typeof METHODS[number]): Restore {
    const methods = process as unknown as Record<string, Method>;
    const own = Object.getOwnPropertyDescriptor(process, method);
    const original = methods[method] as Method;
    const emitter = this.#emitter;
    const held = emitter[method] as unknown as Method;
    const value = (name: unknown, ...rest: unknown[]): unknown => {
      if (!isHeld(name)) return original.call(process, name, ...rest);
      const result = held.call(emitter, name, ...rest);
      return result === emitter ? process : result;
    };
    Object.defineProperty(process, method, { configurable: true, writable: true, value });
    return () => {
      if (own === undefined) delete methods[method];
      else Object.defineProperty(process, method, own);
    };
  }

  /** Whether the program listens for a signal. */
  listensFor(name: StopSignal): boolean {
    return this.#emitter.listenerCount(name) > 0;
  }

  /** Tells the program of a signal. */
  tell(name: StopSignal): void {
    // In a turn of its own: what a listener throws is an uncaught exception of the program.
    setImmediate(() => this.#emitter.emit(name, name, constants.signals[name]));
  }

  /** It is no program: its listeners are the process's. */
  restore(): void {
    this.#restores.forEach((restore) => restore());
    for (const name of this.#emitter.eventNames()) {
      for (const listener of this.#emitter.rawListeners(name)) process.on(name as StopSignal, listener as () => void);
    }
  }
}
