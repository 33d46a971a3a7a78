import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { VERSION } from "../core/version.ts";
import * as withSockets from "../mod.ts";
import * as withoutSockets from "../mod_fetch.ts";
import {
  alternatives,
  type Entry,
  entryPoints,
  type Manifest,
  readManifest,
  root,
} from "../scripts/package/manifest.ts";

/** `deno.json`, as far as JSR reads it. */
interface JsrManifest extends Pick<Manifest, "version" | "license"> {
  readonly exports: Readonly<Record<string, string>>;
  readonly publish: { readonly include: readonly string[] };
}

const npm = readManifest();
const jsr: JsrManifest = JSON.parse(readFileSync(resolve(root, "deno.json"), "utf8"));

describe("package.json and deno.json", () => {
  test("have the version of core/version.ts", () => {
    expect([npm.version, jsr.version]).toEqual([VERSION, VERSION]);
  });

  test("have the same license", () => {
    expect(jsr.license).toBe(npm.license);
  });

  test("export the same modules", () => {
    // The command has a name on npm, and an address on JSR.
    expect(jsr.exports).toEqual({ ...Object.fromEntries(entryPoints(npm)), "./cli": npm.bin["tsgi"] });
  });

  test("publish the same files", () => {
    expect(jsr.publish.include).toEqual(npm.files);
  });

  test("name files that exist", () => {
    const named = [...entryPoints(npm).values(), ...alternatives(npm), ...Object.values(npm.bin), ...npm.files];
    expect(named.filter((path) => !existsSync(resolve(root, path)))).toEqual([]);
  });
});

describe("the conditions of package.json", () => {
  /** In the order in which a resolver looks; one that it passes over would be dead. */
  const ORDER = ["types", "deno", "bun", "workerd", "node", "default"];
  const conditional = Object.entries(npm.exports).filter(([, entry]) => typeof entry !== "string");

  test.each(conditional as [string, Exclude<Entry, string>][])(
    "of %s are all there, in their order",
    (_name, entry) => {
      expect(Object.keys(entry)).toEqual(ORDER);
    },
  );

  test("lead to the other face under workerd only", () => {
    const { workerd, ...others } = npm.exports["."] as Exclude<Entry, string>;
    expect(workerd).toBe("./mod_fetch.ts");
    expect(new Set(Object.values(others))).toEqual(new Set(["./mod.ts"]));
  });

  test("both faces have the same names and types", () => {
    const same: [typeof withSockets, typeof withoutSockets] = [withoutSockets, withSockets];
    expect(Object.keys(same[0]).sort()).toEqual(Object.keys(same[1]).sort());
  });
});

test("the lockfile names no registry", () => {
  expect(readFileSync(resolve(root, "package-lock.json"), "utf8")).not.toContain('"resolved"');
});
