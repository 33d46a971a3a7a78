/**
 * What `scripts/build_dnt.ts` tells dnt, by a stand-in that does with it what dnt does: JSR, where dnt is, cannot be
 * reached from everywhere. The package it makes is the one of `npm run build`, with its files in `esm/`.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as face from "../mod.ts";
import { type Manifest, publishedManifest, readManifest, root } from "../scripts/package/manifest.ts";
import { projectPath } from "./server_process.ts";

const folder = mkdtempSync(join(tmpdir(), "tsgi-dnt-"));
let manifest: Manifest;

beforeAll(() => {
  const args = ["run", "--no-lock", "--allow-all", "--import-map=scripts/dnt_stand_in/import_map.json"];
  const deno = projectPath("node_modules/.bin/deno");
  const built = spawnSync(deno, [...args, "scripts/build_dnt.ts", folder], { cwd: root, encoding: "utf8" });
  expect([built.status, built.stderr]).toEqual([0, ""]);
  manifest = readManifest(join(folder, "package.json"));
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the package that dnt makes", () => {
  test("has the manifest of npm run build, but for where files are", () => {
    const places = { code: (stem: string) => `${stem}.js`, types: (stem: string) => `${stem}.d.ts` };
    const { module, devDependencies, ...rest } = manifest;
    expect(JSON.parse(JSON.stringify(rest).replaceAll("./esm/", "./"))).toEqual(
      publishedManifest(readManifest(), places),
    );
    expect(module).toBe("./esm/mod.js");
    expect(Object.keys(devDependencies)).toEqual(["@types/node"]);
  });

  test("has the files that its manifest names", () => {
    const paths = Object.values(manifest.exports).flatMap((one) =>
      typeof one === "string" ? [one] : Object.values(one)
    );
    expect([...paths, ...Object.values(manifest.bin)].filter((path) => !existsSync(join(folder, path)))).toEqual([]);
    expect(existsSync(join(folder, "LICENSE"))).toBe(true);
  });

  test("has a command with one line for the system", () => {
    const lines = readFileSync(join(folder, "esm/cli/main.js"), "utf8").split("\n");
    expect(lines.filter((line) => line.startsWith("#!"))).toEqual(["#!/usr/bin/env node"]);
  });

  test("has the names of mod.ts", async () => {
    const built = await import(/* @vite-ignore */ pathToFileURL(join(folder, "esm/mod.js")).href);
    expect(Object.keys(built).sort()).toEqual(Object.keys(face).sort());
  });
});
