/**
 * The compared CGI scripts, as data: how tsgi is packaged, and the first line of the script.
 *
 * Nearly all the time of a request is start-up: that of the runtime, then loading and compiling. So the same
 * application is served from the TypeScript sources, from the built package, which is a few files of modules, and from
 * one file that `bun build` makes of application and package. Each runs with and without a cache of compiled code. A
 * read-only cache was filled before, and the web server's user cannot write it. `nothing` is a script that writes the
 * response by hand, and so shows the cost of the runtime itself. On Deno that depends on which API it uses.
 *
 * @module
 */

import type { Runtime } from "../../tests/server_process.ts";

/** What a script consists of. */
export type Packaging = "sources" | "package" | "esm file" | "cjs file" | "bytecode" | "nothing" | "nothing, node:fs";

/** A CGI script. */
export interface Variant {
  readonly name: string;
  /** null: Python's wsgiref. */
  readonly runtime: Runtime | null;
  readonly packaging: Packaging;
  readonly cache: "none" | "writable" | "read-only";
  /** The first line; `$CACHE` is the directory of the cache. */
  readonly shebang: string;
}

const NODE = "#!/usr/bin/env -S node";
const NODE_CACHED = "#!/usr/bin/env -S NODE_COMPILE_CACHE=$CACHE node";
const DENO = "#!/usr/bin/env -S DENO_DIR=$CACHE deno run -A --no-lock";
const BUN = "#!/usr/bin/env -S bun --no-env-file";

function variant(
  runtime: Runtime,
  packaging: Packaging,
  shebang: string,
  cache: Variant["cache"] = "none",
): Variant {
  const kept = cache === "none" ? "" : `, ${cache} cache`;
  return { name: `${runtime}, ${packaging}${kept}`, runtime, packaging, shebang, cache };
}

/** All of them; the first is what the others are compared with. */
export const variants: readonly Variant[] = [
  { name: "Python wsgiref", runtime: null, packaging: "sources", cache: "none", shebang: "#!/usr/bin/python3" },
  variant("node", "nothing, node:fs", NODE),
  variant("node", "sources", NODE),
  variant("node", "sources", NODE_CACHED, "writable"),
  variant("node", "package", NODE),
  variant("node", "package", NODE_CACHED, "writable"),
  variant("node", "package", NODE_CACHED, "read-only"),
  variant("node", "esm file", NODE),
  variant("node", "cjs file", NODE),
  variant("node", "cjs file", NODE_CACHED, "read-only"),
  variant("deno", "nothing", DENO, "writable"),
  variant("deno", "nothing, node:fs", DENO, "writable"),
  variant("deno", "sources", DENO, "writable"),
  variant("deno", "package", DENO, "writable"),
  variant("deno", "package", DENO, "read-only"),
  variant("deno", "esm file", `${DENO} --no-config`, "writable"),
  variant("deno", "esm file", `${DENO} --no-config`, "read-only"),
  variant("bun", "nothing, node:fs", BUN),
  variant("bun", "sources", BUN),
  variant("bun", "package", BUN),
  variant("bun", "esm file", BUN),
  variant("bun", "bytecode", BUN),
];
