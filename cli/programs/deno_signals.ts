/**
 * `Deno.addSignalListener`: a program that hears of signals by it hears of them as by `process.on`. See `held_signals.ts`.
 *
 * @module
 */

import process from "node:process";
import { isHeld, type StopSignal } from "./held_signals.ts";
import type { Restore } from "./program.ts";

type SignalMethod = (name: string, listener: () => void) => void;

interface DenoGlobal {
  addSignalListener: SignalMethod;
  removeSignalListener: SignalMethod;
}

/** Has Deno's own calls do what those of `process` do, which are replaced. */
export function captureDenoSignals(): Restore {
  const { Deno } = globalThis as unknown as { readonly Deno: DenoGlobal };
  const { addSignalListener, removeSignalListener } = Deno;
  const by = (method: "on" | "off", original: SignalMethod): SignalMethod => (name, listener) =>
    isHeld(name) ? void process[method](name as StopSignal, listener) : original(name, listener);
  Deno.addSignalListener = by("on", addSignalListener);
  Deno.removeSignalListener = by("off", removeSignalListener);
  return () => void Object.assign(Deno, { addSignalListener, removeSignalListener });
}
