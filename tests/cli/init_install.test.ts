/**
 * The way of a newcomer whose tsgi no registry has: from an empty folder and a tarball, by the steps that `tsgi init`
 * prints, to an application that two workers serve. Nothing of this checkout is found from there: the folder has no
 * package above it, the home is its own, and all else comes from a registry that this test serves.
 *
 * The Dockerfile of the project is followed step by step in a folder of its own.
 */

import { execFile, execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ownPackage } from "../../cli/init/own_package.ts";
import { VERSION } from "../../core/version.ts";
import { binaryOf } from "../../scripts/pack/hosts.ts";
import { shellOf } from "../../scripts/pack/process.ts";
import { Command, projectPath, runAndStop, type Runtime, runtimes, until } from "./command.ts";
import { type Registry, startRegistry } from "./registry.ts";

const work = mkdtempSync(join(tmpdir(), "tsgi-first-"));
const bin = join(work, "bin");
const tarball = join(work, `tsgi-${VERSION}.tgz`);
let registry: Registry;

beforeAll(async () => {
  registry = await startRegistry();
  mkdirSync(bin);
  const programs = { node: binaryOf("node"), deno: binaryOf("deno"), bun: binaryOf("bun"), bunx: binaryOf("bun") };
  for (const [name, path] of Object.entries(programs)) symlinkSync(path, join(bin, name));
  execFileSync(process.execPath, [projectPath("scripts/build_npm.ts"), join(work, "dist")], { stdio: "pipe" });
  execFileSync("npm", ["pack", "--silent", "--pack-destination", work, join(work, "dist")], { stdio: "pipe" });
}, 60_000);

afterAll(() => {
  registry.stop();
  rmSync(work, { recursive: true, force: true });
});

/** The environment of a container: nothing of this test's, and a home of its own. */
function container(home: string): Record<string, string> {
  return {
    HOME: home,
    PATH: `${bin}:${shellOf(join(bin, "node"))["PATH"]}`,
    NPM_CONFIG_REGISTRY: registry.url,
    NO_COLOR: "1",
    TSGI_BIND: "127.0.0.1:0",
  };
}

/** Runs a line of shell in a folder; throws if it fails. @returns what it writes. */
function shell(cwd: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = container(join(work, "home"));
    execFile("sh", ["-c", line], { cwd, env, timeout: 90_000 }, (error, out, err) => {
      if (error === null) resolve(`${out}${err}`);
      else reject(new Error(`${line}: ${error.message}\n${out}${err}`));
    });
  });
}

/** Runs a line of shell that serves, in a folder. */
async function serving(cwd: string, line: string, run: (command: Command) => Promise<void>): Promise<void> {
  const env = Object.entries(container(join(work, "home"))).map(([name, value]) => `${name}='${value}'`).join(" ");
  const command = new Command("node", { cwd, shell: `exec env -i ${env} sh -c '${line}'` });
  await runAndStop(command, async () => {
    await command.logged(/All workers are ready/, 1, 60_000);
    await run(command);
  });
}

/** How a newcomer on each runtime installs the tarball, and makes a project. */
const BEGIN: Readonly<Record<Runtime, readonly string[]>> = {
  node: [`npm install ${tarball}`, "npx tsgi init site"],
  deno: [`npm install ${tarball}`, "deno run -A npm:tsgi init site"],
  bun: [`bun add ${tarball}`, "bunx --bun tsgi init site"],
};

/** The command that serves with two workers: the README of the project says so. */
const START: Readonly<Record<Runtime, string>> = { node: "npm start", deno: "deno task start", bun: "bun run start" };

describe.each(runtimes)("%s", (runtime) => {
  const folder = join(work, runtime);
  const site = join(folder, "site");
  let printed: string[] = []; // commands

  it("17.1 from an empty folder: tarball, init, install and test, by the printed steps", async () => {
    mkdirSync(folder);
    let out = "";
    for (const line of BEGIN[runtime]) out = await shell(folder, line);
    printed = (/Next:\n((?: {2}.*\n)+)/.exec(out)?.[1] ?? "").trim().split(/\n {2}/);
    expect(printed.shift()).toBe("cd site");
    rmSync(join(folder, "node_modules"), { recursive: true }); // the project does without
    rmSync(join(folder, "package.json"));
    const last = printed.pop();
    for (const line of printed) out = await shell(site, line);
    expect(out).toMatch(/\b(pass 2|2 passed|2 pass)\b/);
    printed = [last as string];
  }, 120_000);

  it("17.1 the printed command for development serves, and the one with two workers, which HUP reloads", async () => {
    await serving(site, printed[0] as string, async (command) => {
      expect(await command.get("/?name=dev")).toBe("Hello dev\n");
      expect(command.log).toMatch(`Using runtime: ${runtime} `);
    });
    expect(readFileSync(join(site, "README.md"), "utf8")).toContain(`\n${START[runtime]} `);
    await serving(site, START[runtime], async (command) => {
      expect(await shell(site, `curl -s 'http://127.0.0.1:${command.port}/?name=you'`)).toBe("Hello you\n");
      const first = command.workers;
      expect(first).toHaveLength(2);
      process.kill(command.arbiter, "SIGHUP");
      await command.logged(/All workers are ready/, 2);
      await until("new workers", () => command.workers.length === 2 && !command.workers.includes(first[0] as number));
      expect(await command.get("/")).toBe("Hello world\n");
    });
  }, 120_000);

  it("17.1 the steps of the Dockerfile make an image that serves", async () => {
    const image = join(work, `${runtime}-image`);
    const command = await follow(join(site, "Dockerfile"), image);
    await serving(image, command, async (command) => {
      expect(await command.get("/?name=image")).toBe("Hello image\n");
      expect(command.log).toMatch(`Using runtime: ${runtime} `);
    });
  }, 120_000);
});

/** Does what a Dockerfile says, in a folder. What wants root is left out. @returns the command of the image. */
async function follow(dockerfile: string, image: string): Promise<string> {
  const context = dirname(dockerfile);
  const ignored = readFileSync(join(context, ".dockerignore"), "utf8").trim().split("\n");
  const lines = readFileSync(dockerfile, "utf8").trim().split("\n").filter((line) => !line.startsWith("#"));
  mkdirSync(image);
  let command = "";
  const seen = new Set<string>();
  for (const line of lines) {
    const [, instruction, rest] = /^([A-Z]+) (.*)$/.exec(line) as unknown as [string, string, string];
    seen.add(instruction);
    if (instruction === "COPY") {
      const [to, ...from] = rest.split(" ").toReversed() as [string, ...string[]];
      const wanted = (name: string): boolean => from.some((one) => one === "." || matches(one, name));
      for (const name of readdirSync(context).filter((one) => wanted(one) && !ignored.includes(one))) {
        const single = from.length === 1 && !/[.*/]/.test(from[0] as string); // a folder: its content
        cpSync(join(context, name), single ? join(image, to) : join(image, to, name), { recursive: true });
      }
    } else if (instruction === "RUN" && !rest.startsWith("apt-get ")) {
      await shell(image, rest.replace(/ && chown .*$/, ""));
    } else if (instruction === "CMD") {
      command = (JSON.parse(rest) as string[]).join(" ");
    }
  }
  expect([...seen].toSorted()).toEqual(expect.arrayContaining(["CMD", "COPY", "ENV", "EXPOSE", "FROM", "RUN", "USER"]));
  // The command listens where PORT says, on all interfaces, since a container's own 127.0.0.1 cannot be published.
  expect(lines).toContain("ENV NODE_ENV=production PORT=8000");
  return command;
}

/** Whether a name matches a pattern with `*`. */
function matches(pattern: string, name: string): boolean {
  const source = pattern.replaceAll(".", "[.]").replaceAll("*", ".*");
  return new RegExp(`^${source}$`).test(name);
}

describe("17.1 where the running tsgi came from", () => {
  /** A package that was installed as `spec`, or globally. */
  const installed = (name: string, spec: string | undefined, manifest: object = {}): string => {
    const folder = join(work, name);
    const root = join(folder, "node_modules/tsgi");
    mkdirSync(join(root, "src"), { recursive: true });
    if (spec !== undefined) {
      writeFileSync(join(folder, "package.json"), JSON.stringify({ dependencies: { tsgi: spec } }));
    }
    writeFileSync(join(root, "package.json"), JSON.stringify({ name: "tsgi", version: VERSION, ...manifest }));
    writeFileSync(join(root, "src/mod.ts"), "");
    writeFileSync(join(root, "src/readme.txt"), "");
    return `file://${root}/internal/init.js`;
  };

  it.each<[string, string | undefined, object]>([
    ["a range", "^0.1.0", {}],
    ["a tag", "latest", {}],
    ["a release that is installed globally", undefined, { repository: { url: "git+https://example.org/tsgi.git" } }],
  ])("%s: the project asks the registry", (name, spec, manifest) => {
    expect(ownPackage(installed(name, spec, manifest), "node")).toBe(null);
  });

  it("an address: the project asks JSR", () => {
    expect(ownPackage("https://jsr.io/@tsgi/tsgi/0.1.0/cli/init/mod.ts", "deno")).toBe(null);
  });

  it("a tarball that is gone, or a folder: the project gets a package of what is installed", () => {
    for (const spec of ["file:../gone.tgz", "../tsgi", undefined]) {
      const own = ownPackage(installed(`gone ${spec?.length}`, spec), "bun");
      expect(own?.dependency).toBe(`file:vendor/tsgi-${VERSION}.tgz`);
      expect(own?.files.map(({ path }) => path)).toEqual([`vendor/tsgi-${VERSION}.tgz`]);
    }
  });

  it("Deno's project gets the sources, and an entry for each module that is exported", () => {
    const exports = { ".": "./mod.js", "./testing": { types: "./testing/mod.d.ts", default: "./testing/mod.js" } };
    const own = ownPackage(installed("sources", "file:../tsgi.tgz", { exports }), "deno");
    expect(own?.files.map(({ path }) => path)).toEqual(["vendor/tsgi/mod.ts"]);
    expect(own?.imports).toEqual({
      "tsgi": "./vendor/tsgi/mod.ts",
      "tsgi/testing": "./vendor/tsgi/testing/mod.ts",
      "tsgi/cli": "./vendor/tsgi/cli/main.ts",
    });
  });

  it("a checkout: a package is built of it; Deno's project gets its sources", () => {
    const own = ownPackage(new URL("../../cli/init/mod.ts", import.meta.url).href, "deno");
    const { exports } = JSON.parse(readFileSync(projectPath("deno.json"), "utf8"));
    for (const [name, path] of Object.entries<string>(exports)) {
      expect(own?.imports[`tsgi${name.slice(1)}`]).toBe(`./vendor/tsgi/${path.slice(2)}`);
    }
    const paths = own?.files.map(({ path }) => path.replace("vendor/tsgi/", "")) ?? [];
    expect(paths).toContain("cli/init/mod.ts");
    expect(paths.filter((path) => !existsSync(projectPath(path)))).toEqual([]);
    const built = ownPackage(new URL("../../cli/init/mod.ts", import.meta.url).href, "node");
    expect(built?.files[0]?.text.length).toBeGreaterThan(100_000);
  }, 60_000);
});
