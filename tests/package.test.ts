import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { VERSION } from "../core/version.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly publish?: { readonly include: readonly string[] };
}

function manifest(path: string): Manifest {
  return JSON.parse(readFileSync(resolve(root, path), "utf8"));
}

const npm = manifest("package.json");
const jsr = manifest("deno.json");

describe("package.json and deno.json", () => {
  test("have the version of core/version.ts", () => {
    expect([npm.version, jsr.version]).toEqual([VERSION, VERSION]);
  });

  test("have the same license", () => {
    expect(jsr.license).toBe(npm.license);
  });

  test("export the same modules", () => {
    // JSR exports modules only.
    const { "./package.json": self, ...modules } = npm.exports;
    expect(self).toBe("./package.json");
    // The command has a name on npm, and an address on JSR.
    expect(jsr.exports).toEqual({ ...modules, "./cli": npm.bin?.["tsgi"] });
  });

  test("publish the same files", () => {
    expect(jsr.publish?.include).toEqual(npm.files);
  });

  test("export files that exist", () => {
    expect(Object.values(npm.exports).filter((path) => !existsSync(resolve(root, path)))).toEqual([]);
  });
});

test("the lockfile names no registry", () => {
  expect(readFileSync(resolve(root, "package-lock.json"), "utf8")).not.toContain('"resolved"');
});
