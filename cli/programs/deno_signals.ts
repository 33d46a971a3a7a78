/**
 * Replaces `Deno.addSignalListener`, so that its listeners are held as those of `process.on` are. See
 * `held_signals.ts`.
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

/** Makes Deno's own functions call those of `process`, which are replaced, for the signals that are held. */
export function captureDenoSignals(): Restore {
  const { Deno } = globalThis as unknown as { readonly Deno: DenoGlobal };
  const { addSignalListener, removeSignalListener } = Deno;
  const by = (method: "on" | "off", original: SignalMethod): SignalMethod => (name, listener) =>
    isHeld(name) ? void process[method](name as StopSignal, listener) : original(name, listener);
  Deno.addSignalListener = by("on", addSignalListener);
  Deno.removeSignalListener = by("off", removeSignalListener);
  return () => void Object.assign(Deno, { addSignalListener, removeSignalListener });
}
