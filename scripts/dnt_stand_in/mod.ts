/**
 * Stands in for `jsr:@deno/dnt` where JSR cannot be reached. It accepts the options that dnt 0.42 documents, as far as
 * they matter for a package without CommonJS, tests and shims. Its `build` does what dnt does: it checks types and
 * compiles with TypeScript 5 and dnt's compiler options, writes the files to the same paths, and merges the manifest in
 * the same way. It does not fetch code from other registries, and it installs nothing.
 *
 * `deno.json` maps the name to the real dnt, and `import_map.json` maps it to this file.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { readManifest, root, sourcesOf } from "../package/manifest.ts";
import { compilers, newestNode } from "../pack/hosts.ts";

/** An entry of `exports`, or a command. */
export interface EntryPoint {
  /** The default is an export. */
  readonly kind?: "bin" | "export";
  /** For an export `"."` or `"./node"`, for a command its name. */
  readonly name: string;
  readonly path: string;
}

/** The options of {@linkcode build}. */
export interface BuildOptions {
  readonly entryPoints: readonly (string | EntryPoint)[];
  readonly outDir: string;
  /** Replacements for globals of Deno. */
  readonly shims: Readonly<Record<string, never>>;
  readonly typeCheck?: "both" | "single" | false;
  readonly test?: boolean;
  readonly declaration?: "inline" | "separate" | false;
  readonly scriptModule?: "cjs" | "umd" | false;
  readonly skipNpmInstall?: boolean;
  /** `package.json`; its `exports` override those of the entry points. */
  readonly package: { readonly name: string; readonly version: string; readonly [field: string]: unknown };
  readonly compilerOptions?: {
    readonly target?: "ES2021" | "ES2022" | "ES2023" | "Latest";
    readonly lib?: readonly ("ES2021" | "ES2022" | "ES2023" | "ESNext" | "DOM" | "DOM.Iterable")[];
    readonly sourceMap?: boolean | "inline";
    readonly noImplicitReturns?: boolean;
    readonly noUncheckedIndexedAccess?: boolean;
    readonly skipLibCheck?: boolean;
  };
}

/** The names of all options. The real dnt silently ignores an option that it does not know. */
const OPTIONS = [
  "entryPoints",
  "outDir",
  "shims",
  "typeCheck",
  "test",
  "declaration",
  "scriptModule",
  "skipNpmInstall",
];
const MORE_OPTIONS = ["package", "compilerOptions"];
const COMPILER_OPTIONS = [
  "target",
  "lib",
  "sourceMap",
  "noImplicitReturns",
  "noUncheckedIndexedAccess",
  "skipLibCheck",
];

/** Makes an empty folder. */
export function emptyDir(path: string): Promise<void> {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return Promise.resolve();
}

/** Builds a package from modules. */
export function build(options: BuildOptions): Promise<void> {
  refuseUnknown(options, [...OPTIONS, ...MORE_OPTIONS]);
  refuseUnknown(options.compilerOptions ?? {}, COMPILER_OPTIONS);
  if (options.scriptModule !== false || options.test !== false || options.declaration !== "inline") {
    throw new Error("The stand-in makes modules with declarations beside them, and runs no tests");
  }
  const outDir = resolve(options.outDir);
  const entryPoints = options.entryPoints.map((entry) =>
    typeof entry === "string" ? { name: ".", path: entry } : entry
  );
  writeFileSync(join(outDir, "package.json"), JSON.stringify(packageJson(options.package, entryPoints), null, 2));
  compile(outDir, entryPoints.map(({ path }) => path), options.compilerOptions ?? {});
  for (const { path } of entryPoints.filter(({ kind }) => kind === "bin")) {
    const file = join(outDir, "esm", path.replace(/\.ts$/, ".js"));
    writeFileSync(file, `#!/usr/bin/env node\n${readFileSync(file, "utf8")}`);
  }
  return Promise.resolve();
}

function refuseUnknown(options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`dnt has no option ${unknown.join(", ")}`);
}

/** Merges the manifest as dnt does: the given fields override those of the entry points. */
function packageJson(given: BuildOptions["package"], entryPoints: readonly EntryPoint[]): object {
  const place = ({ path }: EntryPoint): string => `./esm/${path.replace(/^\.\//, "").replace(/\.ts$/, ".js")}`;
  const of = (kind: string): EntryPoint[] => entryPoints.filter((entry) => (entry.kind ?? "export") === kind);
  return {
    module: place(of("export")[0] as EntryPoint),
    bin: Object.fromEntries(of("bin").map((entry) => [entry.name, place(entry)])),
    ...given,
    exports: {
      ...Object.fromEntries(of("export").map((entry) => [entry.name, { import: place(entry) }])),
      ...(given["exports"] as object | undefined),
    },
  };
}

function compile(outDir: string, files: readonly string[], given: NonNullable<BuildOptions["compilerOptions"]>): void {
  const sources = join(outDir, "src");
  for (const path of sourcesOf(readManifest())) {
    cpSync(join(root, path), join(sources, path), { recursive: true });
  }
  const compilerOptions = {
    strict: true,
    isolatedModules: true,
    useDefineForClassFields: true,
    experimentalDecorators: true,
    module: "ESNext",
    moduleResolution: "Bundler",
    skipLibCheck: true,
    declaration: true,
    declarationMap: true,
    noEmitOnError: true,
    ...given,
    rootDir: sources,
    outDir: join(outDir, "esm"),
    paths: { chokidar: [join(root, "node_modules", "chokidar", "index.d.ts")] }, // dnt installs it
    // dnt changes the specifiers in the sources before it compiles them, and installs the types.
    rewriteRelativeImportExtensions: true,
    types: ["node"],
    typeRoots: [join(root, "node_modules/@types")],
  };
  const config = join(outDir, "tsconfig.json");
  const paths = files.map((path) => join(sources, path));
  writeFileSync(config, JSON.stringify({ compilerOptions, files: paths }));
  const args = [compilers["5.9"] as string, "--project", config, "--pretty", "false"];
  const { status, stdout } = spawnSync(newestNode.binary, args, { cwd: dirname(config), encoding: "utf8" });
  rmSync(config);
  if (status === 0) return;
  process.stderr.write(stdout);
  throw new Error("TypeScript 5 refuses the sources");
}
