/**
 * The workflows run where nobody looks, with the right to publish. What can be said about them without running them is
 * said here: every action is pinned to a commit, every script they call is there, and no text from outside gets into a shell.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseDocument } from "yaml";
import { readManifest, root } from "../scripts/package/manifest.ts";

interface Step {
  readonly uses?: string;
  readonly run?: string;
}

interface Job {
  readonly uses?: string;
  readonly needs?: string | readonly string[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
  readonly "timeout-minutes"?: number;
  readonly strategy?: { readonly matrix: { readonly os: readonly string[]; readonly node: readonly number[] } };
}

interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = join(root, ".github/workflows");
const files = readdirSync(folder);
const texts = new Map(files.map((file) => [file, readFileSync(join(folder, file), "utf8")]));

function workflow(file: string): Workflow {
  const document = parseDocument(texts.get(file) as string, { strict: true, uniqueKeys: true });
  expect([...document.errors, ...document.warnings]).toEqual([]);
  return document.toJS() as Workflow;
}

test("there is one that tests and one that publishes", () => {
  expect(files.sort()).toEqual(["release.yml", "test.yml"]);
});

describe.each(files)("%s", (file) => {
  const { jobs, permissions } = workflow(file);
  const steps = Object.values(jobs).flatMap(({ steps = [] }) => steps);
  const commands = steps.flatMap(({ run }) => run === undefined ? [] : run.trim().split("\n"));

  test("pins each action to a commit, and says which version that is", () => {
    const used = [...Object.values(jobs), ...steps].flatMap(({ uses }) => uses === undefined ? [] : [uses]);
    expect(used.length).toBeGreaterThan(0);
    for (const uses of used) {
      if (uses.startsWith("./")) {
        expect(existsSync(join(root, uses))).toBe(true);
        continue;
      }
      expect(uses).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
      for (const line of texts.get(file)?.split("\n").filter((one) => one.includes(uses)) ?? []) {
        expect(line).toMatch(/ # v\d+\.\d+\.\d+$/);
      }
    }
  });

  test("calls scripts that are there", () => {
    const { scripts } = readManifest();
    const called = commands.flatMap((command) => /^npm run ([\w:]+)/.exec(command)?.[1] ?? []);
    expect(called.length).toBeGreaterThan(0);
    expect(called.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
    const paths = commands.filter((command) => command.startsWith("."));
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test("says what it may do, and when it has hung", () => {
    expect(permissions).toBeDefined();
    expect(JSON.stringify(permissions)).not.toContain("write");
    for (const job of Object.values(jobs)) {
      if (job.uses === undefined) expect(job["timeout-minutes"]).toBeGreaterThan(0);
    }
  });

  test("puts nothing into a shell that somebody else can choose", () => {
    const inserted = commands.flatMap((command) =>
      [...command.matchAll(/\$\{\{(.*?)\}\}/g)].map((match) => match[1]?.trim())
    );
    expect(inserted.filter((expression) => !expression?.startsWith("matrix."))).toEqual([]);
  });
});

test("the tests run on three systems and three versions of node", () => {
  const matrices = Object.values(workflow("test.yml").jobs).flatMap(({ strategy }) => strategy?.matrix ?? []);
  expect(matrices).toEqual([{ os: ["ubuntu-latest", "macos-latest", "windows-latest"], node: [22, 24, 26] }]);
});

test("what publishes does so after the tests, by its identity, and after looking at the version", () => {
  const publishers = Object.values(workflow("release.yml").jobs).filter(({ uses }) => uses === undefined);
  expect(publishers.length).toBe(2);
  for (const { needs, permissions, steps = [] } of publishers) {
    expect(needs).toBe("test");
    expect(permissions).toEqual({ contents: "read", "id-token": "write" });
    const runs = steps.map(({ run }) => run ?? "");
    const check = runs.findIndex((run) => /^npm run release:check -- --tested --tag "\$GITHUB_REF_NAME"$/.test(run));
    const publish = runs.findIndex((run) => /\bpublish\b/.test(run));
    expect(check).toBeGreaterThan(-1);
    expect(publish).toBeGreaterThan(check);
  }
  expect(texts.get("release.yml")).not.toContain("secrets.");
});
