/**
 * The compared programs, as data: runtime, modules, and cache.
 *
 * Our program listens with `serve` and exits. The other one imports the empty set and listens with the runtime's own
 * API. Both start and stop the runtime, open a port, and find and read the same number of files.
 *
 * @module
 */

import type { Runtime } from "../../tests/server_process.ts";

/** What is compared. */
export interface Comparison {
  readonly runtime: Runtime;
  /** The built package, or the TypeScript sources. */
  readonly modules: "package" | "sources";
  /** Cache of compiled code. */
  readonly cache: "none" | "kept";
}

/** All comparisons. Deno has a cache unless it is turned off; Bun has none for files of this size. */
export const comparisons: readonly Comparison[] = [
  { runtime: "node", modules: "package", cache: "none" },
  { runtime: "node", modules: "package", cache: "kept" },
  { runtime: "node", modules: "sources", cache: "none" },
  { runtime: "node", modules: "sources", cache: "kept" },
  { runtime: "deno", modules: "package", cache: "kept" },
  { runtime: "deno", modules: "package", cache: "none" },
  { runtime: "deno", modules: "sources", cache: "kept" },
  { runtime: "deno", modules: "sources", cache: "none" },
  { runtime: "bun", modules: "package", cache: "none" },
  { runtime: "bun", modules: "sources", cache: "none" },
];

const EXIT: Readonly<Record<Runtime, string>> = {
  node: "process.exit(0);\n",
  deno: "Deno.exit(0);\n", // access to `process` would load Node into Deno
  bun: "process.exit(0);\n",
};

const APPLICATION = `(environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return ["hello"];
}`;

/** A listener with the runtime's own means; `imports` come first in the program. */
const BARE: Readonly<Record<Runtime, { readonly imports: string; readonly listen: string }>> = {
  node: {
    imports: `import { createServer } from "node:net";\n`,
    listen: `await new Promise((resolve) => createServer(() => {}).listen({ host: "127.0.0.1", port: 0 }, resolve));\n`,
  },
  deno: { imports: "", listen: `Deno.listen({ hostname: "127.0.0.1", port: 0 });\n` },
  bun: { imports: "", listen: `Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });\n` },
};

/** A program that listens with tsgi, from `specifier`, and ends. */
export function ours(runtime: Runtime, specifier: string): string {
  return `import { serve } from "${specifier}";\nawait serve(${APPLICATION}, { port: 0 });\n${EXIT[runtime]}`;
}

/** The same program, but it does not exit. */
export function serving(specifier: string): string {
  return `import { serve } from "${specifier}";\nawait serve(${APPLICATION}, { port: 0 });\n`;
}

/** A program that imports an empty set from `specifier`, follows it, listens on its own, and ends. */
export function bare(runtime: Runtime, specifier: string, follow: string): string {
  return `${BARE[runtime].imports}import "${specifier}";\n${follow}${BARE[runtime].listen}${EXIT[runtime]}`;
}

/** A program that prints how long its steps take, in ms: until it runs, importing, serving. */
export function steps(runtime: Runtime, specifier: string): string {
  return `const begun = performance.now();
const { serve } = await import("${specifier}");
const imported = performance.now();
await serve(${APPLICATION}, { port: 0 });
const listening = performance.now();
console.log(JSON.stringify([begun, imported - begun, listening - imported]));
${EXIT[runtime]}`;
}
