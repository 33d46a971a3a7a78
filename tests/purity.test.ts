/**
 * The walls of the house: core imports nothing outside itself and names no runtime, adapters move bytes and know no
 * protocol, and arrows run one way.
 */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { projectPath } from "./server_process.ts";

interface Source {
  readonly file: string;
  /** Without comments: those may speak of what they like. */
  readonly code: string;
  readonly imports: readonly string[];
}

function sources(folder: string): Source[] {
  const root = projectPath(folder);
  const names = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return names.map((name) => source(resolve(root, name)));
}

function source(path: string): Source {
  const code = readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");
  const imports = [...code.matchAll(/\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g)].map((match) => {
    const specifier = match[1] as string;
    return specifier.startsWith(".") ? relative(projectPath(""), resolve(dirname(path), specifier)) : specifier;
  });
  return { file: relative(projectPath(""), path), code, imports };
}

/** What of `list` any of `pattern` matches, as "file: match". */
function offences(list: readonly Source[], pattern: RegExp): string[] {
  return list.flatMap(({ file, code }) => [...code.matchAll(pattern)].map((match) => `${file}: ${match[0]}`));
}

/** The rooms of core, from the ground up: each may import those before it, besides itself and the files of core/. */
const ROOMS = ["contract", "gateway", "lifecycle", "wires", "server"];

const core = sources("core");
const adapters = sources("adapters");
const bridges = sources("bridges");

it("there is something to look at", () => {
  expect(core.length).toBeGreaterThan(20);
  expect(adapters.length).toBeGreaterThan(4);
  expect(bridges.length).toBeGreaterThan(4);
});

it("no file imports itself by way of others, not even for types", () => {
  const rooms = ["core", "adapters", "bridges", "wsgiref", "http", "middleware", "testing", "cli"];
  const edges = new Map(rooms.flatMap(sources).map(({ file, imports }) => [file, imports]));
  const circles: string[] = [];
  const seen = new Set<string>();
  const walk = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) circles.push([...trail.slice(trail.indexOf(file)), file].join(" -> "));
    if (seen.has(file)) return;
    seen.add(file);
    for (const next of edges.get(file) ?? []) walk(next, [...trail, file]);
  };
  for (const file of edges.keys()) walk(file, []);
  expect(circles).toEqual([]);
});

describe("core", () => {
  it("imports nothing outside core", () => {
    const strays = core.flatMap(({ file, imports }) =>
      imports.filter((path) => !path.startsWith("core/")).map((path) => `${file}: ${path}`)
    );
    expect(strays).toEqual([]);
  });

  it("names no runtime", () => {
    expect(
      offences(
        core,
        /\b(?:Deno|Bun|process|Buffer|require|setImmediate|globalThis)\b(?!["'])|["'](?:node|npm|jsr|bun):/g,
      ),
    ).toEqual([]);
  });

  it("has rooms that know only those below them", () => {
    const floor = (path: string): number => ROOMS.indexOf(path.split("/")[1] ?? "");
    expect(new Set(core.map(({ file }) => floor(file)))).toEqual(new Set([-1, 0, 1, 2, 3, 4]));
    const strays = core.flatMap(({ file, imports }) =>
      imports.filter((path) => path.startsWith("core/") && floor(path) > floor(file)).map((path) => `${file}: ${path}`)
    );
    expect(strays).toEqual([]);
  });
});

describe("adapters", () => {
  it("that have sockets know no protocol", () => {
    const hosts = adapters.filter(({ file }) => !file.startsWith("adapters/fetch")); // Request and Response are its platform
    const words =
      /HTTP\/|\\r\\n|\bhttp1\b|\b(?:Content-Length|Transfer-Encoding|chunked|keep-?alive|environ|status|header)\b/gi;
    const withoutPaths = hosts.map((one) => ({ ...one, code: one.code.replace("/proc/self/environ", "") }));
    expect(offences(withoutPaths, words)).toEqual([]);
  });

  it("import core, their own folder and built-in modules only", () => {
    const strays = adapters.flatMap(({ file, imports }) =>
      imports.filter((path) => !/^(core|adapters)\/|^node:/.test(path)).map((path) => `${file}: ${path}`)
    );
    expect(strays).toEqual([]);
  });

  it("are loaded by the public faces only when they are needed", () => {
    const statics = ["mod.ts", "mod_shared.ts", "mod_fetch.ts"].map((file) =>
      [
        ...source(projectPath(file)).code.matchAll(
          /^(?:import|export)\s(?!type\b)[^;]*?from\s+"(\.\/adapters\/[^"]+)"/gm,
        ),
      ].map((match) => match[1])
    );
    // These need no runtime.
    expect(statics).toEqual([["./adapters/environment.ts"], [], ["./adapters/fetch.ts"]]);
  });
});

describe("bridges", () => {
  it("stand on the contract: of core they import types, errors, grammar and heads, and nothing else", () => {
    const allowed =
      /^bridges\/|^core\/(?:errors|grammar|seams)\.ts$|^core\/contract\/(?:application|response_head|status_reasons|types)\.ts$|^node:/;
    expect(bridges.length).toBeGreaterThan(10);
    const strays = bridges.flatMap(({ file, imports }) =>
      imports.filter((path) => !allowed.test(path)).map((path) => `${file}: ${path}`)
    );
    expect(strays).toEqual([]);
  });

  it("16.1 that of fetch applications names no runtime", () => {
    const own = bridges.filter(({ file }) => /^bridges\/fetch(?:\.ts|\/)/.test(file));
    expect(offences(own, /\b(?:Deno|Bun|process|Buffer|require|globalThis)\b|["'](?:node|npm|jsr|bun):/g)).toEqual([]);
  });

  it("16.2 that of Node's listeners imports what listeners need of Node", () => {
    const own = bridges.filter(({ file }) => /^bridges\/node(?:_listener\.ts|\/)/.test(file));
    const strays = own.flatMap(({ file, imports }) =>
      imports.filter((path) =>
        path.startsWith("node:") && !/^node:(?:buffer|events|http|net|process|stream)$/.test(path)
      )
        .map((path) => `${file}: ${path}`)
    );
    expect(strays).toEqual([]);
  });

  it("are loaded by no face, adapter or part of core", () => {
    const faces = ["mod.ts", "mod_shared.ts", "mod_fetch.ts"].map((file) => source(projectPath(file)));
    const strays = [...faces, ...core, ...adapters].flatMap(({ file, imports }) =>
      imports.filter((path) => path.startsWith("bridges/")).map((path) => `${file}: ${path}`)
    );
    expect(strays).toEqual([]);
  });
});

describe("http", () => {
  it("19.29 stands on the contract, and names no runtime", () => {
    const own = sources("http");
    const allowed =
      /^http\/|^core\/(?:errors|grammar)\.ts$|^core\/contract\/(?:request_body|status_reasons|types)\.ts$/;
    const strays = own.flatMap(({ file, imports }) =>
      imports.filter((path) => !allowed.test(path)).map((path) => `${file}: ${path}`)
    );
    expect(own.length).toBeGreaterThan(5);
    expect(strays).toEqual([]);
    expect(offences(own, /\b(?:Deno|Bun|process|Buffer|require|globalThis)\b/g)).toEqual([]);
  });

  it("19.29 nobody loads http or middleware who does not import them", () => {
    const others = ["core", "adapters", "bridges", "cli", "testing", "wsgiref"].flatMap(sources);
    const faces = ["mod.ts", "mod_fetch.ts", "mod_shared.ts"].map((file) => source(projectPath(file)));
    const strays = [...others, ...faces, ...sources("http")].flatMap(({ file, imports }) =>
      imports.filter((path) =>
        /^(?:http|middleware)\//.test(path) && !(file.startsWith("http/") && path.startsWith("http/"))
      )
        .map((path) => `${file}: ${path}`)
    );
    expect(strays).toEqual([]);
  });
});

describe("middleware", () => {
  const middleware = sources("middleware");

  it("19. stands on http and the contract, and loads node:zlib and node:crypto only when it needs them", () => {
    const allowed =
      /^(?:middleware|http)\/|^core\/(?:errors|grammar)\.ts$|^core\/contract\/\w+\.ts$|^core\/gateway\/response_body\.ts$|^node:(?:fs|path|process|url)$/;
    expect(middleware.length).toBeGreaterThan(10);
    const strays = middleware.flatMap(({ file, imports }) =>
      imports.filter((path) => !allowed.test(path)).map((path) => `${file}: ${path}`)
    );
    expect(strays).toEqual([
      "middleware/compression/encoder.ts: node:buffer",
      "middleware/compression/encoder.ts: node:zlib",
      "middleware/files/content.ts: node:crypto", // its type
    ]);
    const eager = /^import\s(?!type\b)[^;]*?"(?:node:crypto|[^"]*\/encoder\.ts)";/gm;
    expect(offences(middleware, eager)).toEqual([]);
  });
});

describe("the face without sockets", () => {
  it("leads to no module of a runtime, not even when it is needed", () => {
    const seen = new Set<string>();
    const walk = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      if (!file.endsWith(".ts")) return;
      // A type leads nowhere.
      const code = source(projectPath(file)).code.replace(/\btypeof import\(/g, "");
      for (const [, specifier] of code.matchAll(/\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g)) {
        walk(
          specifier?.startsWith(".")
            ? relative(projectPath(""), resolve(projectPath(""), dirname(file), specifier))
            : String(specifier),
        );
      }
    };
    walk("mod_fetch.ts");
    expect(seen.size).toBeGreaterThan(20);
    expect([...seen].filter((file) => !/^(?:core|adapters)\/|^mod_(?:fetch|shared)\.ts$/.test(file))).toEqual([]);
  });
});
