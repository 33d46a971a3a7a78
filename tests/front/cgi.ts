/**
 * Cells of CGI scripts under Apache: every request is a process of its own.
 *
 * What docs/deploy/cgi.md calls /srv/app is a folder of the cell's own, with the built package in node_modules, the
 * applications under test, and one script for each variant, which begins with the documented line of its runtime. The
 * web server's user need not be able to read the project, so the runtime is there too.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, linkSync, mkdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type VariantName, variants } from "../behaviour/apps/app.ts";
import type { CellPlan, RunningCell } from "../behaviour/cell.ts";
import { KeptMemory, type Memory } from "../behaviour/memory.ts";
import { projectPath } from "../server_process.ts";
import { block, enabledModules, page, substituted } from "./documented.ts";
import type { FrontPlan } from "./fronts.ts";
import { Instance, ownDirectory } from "./instance.ts";
import { apache } from "./programs.ts";

const names = Object.keys(variants) as VariantName[];
const CACHE = "/var/cache/tsgi";

/** The first line of a script, as the page has it for a runtime. */
function shebang(runtime: CellPlan["runtime"], cache: string): string {
  const row = { node: "Node.js", deno: "Deno", bun: "Bun" }[runtime];
  const line = new RegExp(`^\\| ${row} +\\| \`(#!.+)\` +\\|$`, "m").exec(page("cgi.md"))?.[1];
  if (line === undefined) throw new Error(`docs/deploy/cgi.md has no first line for ${row}`);
  return line.replace(CACHE, cache);
}

/** Makes /srv/app. */
function install(runtime: CellPlan["runtime"], root: string): void {
  const app = join(root, "app");
  for (const name of ["bin", "app", "record", "cache"]) mkdirSync(join(root, name));
  for (const name of ["record", "cache"]) chmodSync(join(root, name), 0o777);
  const binary = realpathSync(projectPath(`node_modules/.bin/${runtime}`));
  try {
    linkSync(binary, join(root, "bin", runtime));
  } catch {
    copyFileSync(binary, join(root, "bin", runtime)); // another file system
  }
  const built = spawnSync(process.execPath, [projectPath("scripts/build_npm.ts"), join(app, "node_modules/tsgi")], {
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Error(`The package cannot be built:\n${built.stdout}${built.stderr}`);
  writeFileSync(join(app, "package.json"), `{ "type": "module" }\n`);
  cpSync(projectPath("tests/behaviour/apps"), join(app, "behaviour/apps"), { recursive: true });
  mkdirSync(join(app, "front"));
  copyFileSync(projectPath("tests/front/cgi_main.ts"), join(app, "front/cgi_main.ts"));
  for (const name of names) {
    const script = `${shebang(runtime, join(root, "cache"))}
import { main } from "./front/cgi_main.ts";
await main("${name}");
`;
    writeFileSync(join(app, `${name}.ts`), script, { mode: 0o755 });
  }
}

function startApache(root: string): Promise<Instance> {
  const documented = block("cgi.md", "apache");
  return Instance.start({
    name: "apache-cgi",
    ports: names.length,
    errorLog: "error.log",
    env: { PATH: `${join(root, "bin")}:/usr/local/bin:/usr/bin:/bin` },
    prepare: (directory, ports) => {
      const hosts = names.map((name, i) =>
        substituted(documented, {
          "*:80": `127.0.0.1:${ports[i]}`,
          "/srv/app/app.ts": join(root, "app", `${name}.ts`),
          '"/srv/app"': `"${join(root, "app")}"`,
        })
      );
      const record = `SetEnv TSGI_RECORD "${join(root, "record")}"`;
      return apache(directory, [record, ...hosts].join("\n"), enabledModules("cgi.md"), ports);
    },
  });
}

/** Scripts and a web server. */
export class CgiCell implements RunningCell {
  readonly plan: FrontPlan;
  readonly ports: Readonly<Record<VariantName, number>>;
  readonly memory: Memory;
  readonly #root: string;
  readonly #front: Instance;

  private constructor(plan: FrontPlan, root: string, front: Instance) {
    this.plan = plan;
    this.#root = root;
    this.#front = front;
    this.memory = new KeptMemory(join(root, "record"));
    this.ports = Object.fromEntries(names.map((name, i) => [name, front.ports[i]!])) as Record<VariantName, number>;
  }

  /** Installs the scripts, and starts the web server. */
  static async start(plan: FrontPlan): Promise<RunningCell> {
    const root = ownDirectory(plan.name);
    try {
      install(plan.runtime, root);
      return new CgiCell(plan, root, await startApache(root));
    } catch (error) {
      rmSync(root, { recursive: true, force: true });
      throw error;
    }
  }

  get serverPort(): number {
    return this.ports.main;
  }

  get alive(): boolean {
    return this.#front.alive;
  }

  /** What scripts wrote to standard error, which the web server has in its log. */
  get stderr(): string {
    return this.#front.log.split("\n").filter((line) => line.includes("stderr from")).join("\n");
  }

  get report(): string {
    return this.#front.log.slice(-4000);
  }

  async stop(): Promise<void> {
    await this.#front.stop();
    rmSync(this.#root, { recursive: true, force: true });
  }
}
