/**
 * The `tsgi` command: `tsgi -w 4 myapp.ts:app`.
 *
 *     node cli/main.ts -w 4 myapp.ts:app
 *     deno run -A cli/main.ts -w 4 myapp.ts:app
 *     bun run cli/main.ts -w 4 myapp.ts:app
 *
 * This module installs signal handlers first and loads the program after that: see `cli/signals.ts`. On a
 * runtime that is too old nothing else is loaded.
 *
 * @module
 */

import process from "node:process";
import { holdSignals } from "./signals.ts";

holdSignals();
// An import declaration would load it before holdSignals().
const { runProgram } = await import("./program.ts").catch((error: Error) => {
  if (error.name === "OldRuntimeError") process.exit(1); // it has been printed
  throw error;
});
await runProgram(import.meta.url);
