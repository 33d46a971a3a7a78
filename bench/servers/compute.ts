/**
 * An application that computes before it answers hello, and a program that serves it.
 *
 * The work is a fixed number of steps, not a time, so a server with less CPU time gets less done. A short function is
 * called many times: V8 and JavaScriptCore then take about equally long, a third of a millisecond in total. One long
 * loop might stay in a V8 compiler that is five times slower. The result is checked, so the work cannot be skipped.
 *
 * @module
 */

import { type Environ, isMain, serve, type StartResponse } from "../../mod.ts";
import { hello, ready } from "./jobs.ts";

const BLOCKS = 260;
const RESULT = 779655329;

/** A thousand steps of a linear congruential generator, modulo 2 ** 30. */
function block(seed: number): number {
  let x = seed;
  for (let i = 0; i < 1000; i++) x = (Math.imul(x, 1664525) + 1013904223) & 0x3fffffff;
  return x;
}

/** The application. */
export function compute(environ: Environ, startResponse: StartResponse): string[] {
  let result = 1;
  for (let i = 0; i < BLOCKS; i++) result = block(result);
  if (result !== RESULT) throw new Error(`Computed ${result}, not ${RESULT}`);
  return hello(environ, startResponse);
}

if (isMain(import.meta)) await serve(compute, { port: 0, onListen: ({ port }) => ready(port) });
