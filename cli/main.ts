/**
 * The `tsgi` command: `tsgi -w 4 myapp.ts:app`.
 *
 *     node cli/main.ts -w 4 myapp.ts:app
 *     deno run -A cli/main.ts -w 4 myapp.ts:app
 *     bun run cli/main.ts -w 4 myapp.ts:app
 *
 * This module installs signal handlers first and loads the program after that: see `cli/signals.ts`.
 *
 * @module
 */

import { holdSignals } from "./signals.ts";

holdSignals();
const { runProgram } = await import("./program.ts"); // an import declaration would load it before holdSignals()
await runProgram(import.meta.url);
