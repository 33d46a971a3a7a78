/**
 * Bundles the modules of the built package into fewer files, because a runtime needs a third of a millisecond or more
 * to load each file.
 *
 * Each module is in exactly one file, so entry points share their classes. The users of a module decide its file, so
 * that no host loads the code of another: `core` is for all hosts, `server` for those with sockets, `http1` and `cgi`
 * for their wires, `node` for node:net, `tls` for those who want it. Each entry point has a file for its own modules. The bundler makes further files for modules that
 * several entry points share.
 *
 * The code stays as the compiler wrote it, names included, and so do the declarations.
 *
 * @module
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type OutputChunk, rolldown } from "rolldown";

const INTERNAL = "internal";

/** The files, each with a pattern for its modules. */
const FILES: readonly (readonly [name: string, modules: RegExp])[] = [
  [
    "core",
    /^core\/(?:contract\/.*|gateway\/(?!access_log\.).*|lifecycle\/.*|errors|grammar|ip_address|refusal|version|server\/(?:option_table|options|peer_policy))\.js$|^adapters\/(?:environment|latin1|batched_transport|peer)\.js$|^mod_shared\.js$/,
  ],
  [
    "server",
    /^core\/(?:wires\/(?:load|raw_socket)|server\/(?:connections|server|server_listener))\.js$|^adapters\/stderr\.js$/,
  ],
  ["http1", /^core\/wires\/http1\/(?!serializer\.js$)/],
  ["node", /^adapters\/node(?:_socket)?\.js$/],
  ["tls", /^core\/server\/(?:distinguished_name|tls)\.js$|^adapters\/tls(?:_files)?\.js$/],
  ["cgi", /^core\/wires\/cgi\/(?:connection|environ|response|variables)\.js$/],
];

/**
 * Rewrites the JavaScript in `folder`. Only the entry points, at their paths, and `internal/` remain.
 *
 * @param entries Paths of the entry points in that folder.
 */
export async function bundle(folder: string, entries: readonly string[]): Promise<void> {
  const nameOf = (id: string): string | null => {
    const path = relative(folder, id);
    return FILES.find(([, modules]) => modules.test(path))?.[0] ?? null;
  };
  const build = await rolldown({
    input: Object.fromEntries(entries.map((path) => [path.replace(/\.js$/, ""), join(folder, path)])),
    cwd: folder,
    platform: "neutral",
    external: /^node:|^chokidar$/,
    experimental: { attachDebugInfo: "none" }, // no added comments
    preserveEntrySignatures: "allow-extension",
    plugins: [{ name: "maps of the compiler", load: withMap }],
  });
  const { output } = await build.generate({
    dir: folder,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: ({ name, facadeModuleId }) => {
      const wire = /core\/wires\/(\w+)\/connection\.js$/.exec(facadeModuleId ?? "")?.[1];
      return `${INTERNAL}/${wire ?? name}.js`;
    },
    minify: false,
    minifyInternalExports: false,
    sourcemap: entries.some((path) => existsSync(join(folder, `${path}.map`))),
    codeSplitting: { includeDependenciesRecursively: false, groups: [{ debugName: "files", name: nameOf }] },
  });
  await build.close();
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (/\.js(?:\.map)?$/.test(name)) rmSync(join(folder, name));
  }
  const passing = new Map(output.flatMap((file) => file.type === "chunk" ? passesOn(file) : []));
  for (const file of output) {
    if (passing.has(file.fileName) && !entries.includes(file.fileName)) continue;
    const path = join(folder, file.fileName);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, file.type === "chunk" ? direct(file, passing) : file.source);
  }
}

/**
 * Loads a module with its source map, if there is one. Paths are absolute; the bundler makes them relative to its
 * files.
 */
function withMap(id: string): { code: string; map?: { mappings: string; sources: string[] } } | null {
  if (!existsSync(id)) return null;
  const code = readFileSync(id, "utf8");
  if (!existsSync(`${id}.map`)) return { code };
  const map = JSON.parse(readFileSync(`${id}.map`, "utf8")) as { mappings: string; sources: string[] };
  return { code, map: { ...map, sources: map.sources.map((path) => join(dirname(id), path)) } };
}

/** For a file that only re-exports names of another file, returns its path and that of the other. */
function passesOn({ code, fileName }: OutputChunk): [string, string][] {
  const form = /^import \{ ([\w$, ]+) \} from "(\.[^"]+)";\s+export \{ ([\w$, ]+) \};\s*(?:\/\/#.*\s*)?$/;
  const [, imported, specifier, exported] = form.exec(code) ?? [];
  if (specifier === undefined) return [];
  const names = new Set(imported?.split(", "));
  const same = exported?.split(", ").every((name) => names.has(name) && !name.includes(" as "));
  return same ? [[fileName, join(dirname(fileName), specifier)]] : [];
}

/** Redirects dynamic imports past files that only re-export. Code after them in a line keeps its column. */
function direct({ code, fileName }: OutputChunk, passing: ReadonlyMap<string, string>): string {
  const own = dirname(fileName);
  return code.replace(/\bimport\("(\.[^"]+)"\)/g, (whole: string, specifier: string) => {
    const target = passing.get(join(own, specifier));
    if (target === undefined) return whole;
    const path = relative(own, target);
    return `import("${path.startsWith(".") ? path : `./${path}`}")`.padEnd(whole.length);
  });
}
