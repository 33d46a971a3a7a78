/**
 * An application that computes before it says hello, and a program that serves it by itself.
 *
 * The work is a number of steps, not a time: a server that has a core for less time gets less of it done. It is done in
 * blocks, by a function that is called often: V8 and JavaScriptCore then take about as long, a third of a millisecond
 * together, while one long loop may stay with a compiler of V8's that is five times slower. The result is known, so
 * nobody can leave the work out.
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
