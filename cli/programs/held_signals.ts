/**
 * Delays signals that stop a program until no new request can come.
 *
 * A worker that stops still answers requests for a moment, because clients send them over open connections. A program
 * that got the signal at once would refuse these requests, as Fastify does with 503, or close its database while they
 * run. So the program's signal listeners are added to a separate emitter, and the worker emits the signal there when it
 * is time. A program sees only its own listeners. So packages that check for other listeners find the same ones as
 * without the command.
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

/** Whether the listeners of this event go to the separate emitter. */
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

/** Holds a program's listeners for signals that stop it. */
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

  /** Emits a signal to the program's listeners. */
  tell(name: StopSignal): void {
    // In a turn of its own, so that an error of a listener is an uncaught exception of the program.
    setImmediate(() => this.#emitter.emit(name, name, constants.signals[name]));
  }

  /** Moves the listeners to the process: the module is not a program. */
  restore(): void {
    this.#restores.forEach((restore) => restore());
    for (const name of this.#emitter.eventNames()) {
      for (const listener of this.#emitter.rawListeners(name)) process.on(name as StopSignal, listener as () => void);
    }
  }
}
