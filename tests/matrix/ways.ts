/**
 * The ways in which an application is served: by a program with `serve`, by the command with two workers, by the command
 * over FastCGI behind nginx, and as a CGI script under Apache.
 *
 * The web servers run with the configurations of docs/deploy. Files of applications are bundled for CGI, with their
 * framework, since the web server's user need not be able to read the project.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, linkSync, mkdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { rolldown } from "rolldown";
import { block, enabledModules, substituted } from "../front/documented.ts";
import { Instance, ownDirectory } from "../front/instance.ts";
import { apache, nginx } from "../front/programs.ts";
import { projectPath, runCommand, type Runtime, ServerProcess } from "../server_process.ts";

/** A way of serving. */
export type Way = "serve" | "tsgi -w 2" | "FastCGI" | "CGI";

/** All of them. */
export const ways: readonly Way[] = ["serve", "tsgi -w 2", "FastCGI", "CGI"];

/** An application that is served. */
export interface Served {
  /** The port that clients connect to. */
  readonly port: number;
  /** The output of the processes. */
  readonly report: () => string;
  /** Ends all of it. */
  stop(): Promise<void>;
}

/** Serves the application of a file. */
export function start(way: Way, runtime: Runtime, file: string): Promise<Served> {
  switch (way) {
    case "serve":
      return startProgram(runtime, file);
    case "tsgi -w 2":
      return startCommand(runtime, [file]);
    case "FastCGI":
      return startBehindNginx(runtime, file);
    case "CGI":
      return startScript(runtime, file);
  }
}

async function startProgram(runtime: Runtime, file: string): Promise<Served> {
  const server = await ServerProcess.start(runtime, "tests/matrix/program.ts", /^listening (\d+)$/m, {
    flags: ["-A"],
    args: [file],
  });
  return { port: Number(server.ready[1]), report: () => server.output, stop: () => stopProcess(server) };
}

async function startCommand(runtime: Runtime, args: readonly string[]): Promise<Served> {
  const { binary, args: words } = runCommand(runtime, "cli/main.ts", ["-A"]);
  const line = [binary, ...words, "-w", "2", "-b", "127.0.0.1:0", ...args] as [string, ...string[]];
  const server = await ServerProcess.spawn(`tsgi ${args.join(" ")}`, line, /All workers are ready/);
  const port = Number(/Listening at: \S*?:(\d+) /.exec(server.output)?.[1]);
  return { port, report: () => server.output, stop: () => stopProcess(server) };
}

async function stopProcess(server: ServerProcess): Promise<void> {
  server.kill("SIGTERM");
  await server.exited;
}

async function startBehindNginx(runtime: Runtime, file: string): Promise<Served> {
  const backend = await startCommand(runtime, ["--protocol", "fastcgi", file]);
  try {
    const front = await Instance.start({
      name: "matrix-nginx",
      ports: 1,
      errorLog: "error.log",
      prepare: (directory, [port]) =>
        nginx(
          directory,
          substituted(block("fastcgi.md", "nginx"), {
            "listen 80;": `listen 127.0.0.1:${port};`,
            "127.0.0.1:9000": `127.0.0.1:${backend.port}`,
          }),
        ),
    });
    return {
      port: front.ports[0] as number,
      report: () => `${backend.report()}\n${front.log}`,
      stop: async () => {
        await front.stop();
        await backend.stop();
      },
    };
  } catch (error) {
    await backend.stop();
    throw error;
  }
}

/** The first line, after `#!/usr/bin/env -S`, of a script that the command runs. */
function interpreter(runtime: Runtime, root: string): string {
  const main = join(root, "app/node_modules/tsgi/cli/main.js");
  switch (runtime) {
    case "node":
      return `node ${main} cgi`;
    case "deno":
      return `DENO_DIR=${join(root, "cache")} deno run -A --no-lock --no-config ${main} cgi`;
    case "bun":
      return `bun --no-env-file ${main} cgi`;
  }
}

async function startScript(runtime: Runtime, file: string): Promise<Served> {
  const root = ownDirectory("matrix-cgi");
  try {
    for (const name of ["bin", "app", "cache", "gate"]) mkdirSync(join(root, name));
    chmodSync(join(root, "cache"), 0o777);
    installRuntime(runtime, root);
    buildPackage(join(root, "app/node_modules/tsgi"));
    const script = join(root, "app", `${basename(file).replace(/\.\w+$/, "")}.mjs`);
    writeFileSync(join(root, "app/package.json"), '{ "type": "module" }\n');
    writeFileSync(script, `#!/usr/bin/env -S ${interpreter(runtime, root)}\n${await bundled(file)}`, { mode: 0o755 });
    const front = await Instance.start({
      name: "matrix-apache",
      ports: 1,
      errorLog: "error.log",
      env: { PATH: `${join(root, "bin")}:/usr/local/bin:/usr/bin:/bin` },
      prepare: (directory, ports) =>
        apache(
          directory,
          substituted(block("cgi.md", "apache"), {
            "*:80": `127.0.0.1:${ports[0]}`,
            "/srv/app/app.ts": script,
            '"/srv/app"': `"${join(root, "app")}"`,
          }),
          enabledModules("cgi.md"),
          ports,
        ),
    });
    return {
      port: front.ports[0] as number,
      report: () => front.log,
      stop: async () => {
        await front.stop();
        rmSync(root, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(root, { recursive: true, force: true });
    throw error;
  }
}

function installRuntime(runtime: Runtime, root: string): void {
  const binary = realpathSync(projectPath(`node_modules/.bin/${runtime}`));
  try {
    linkSync(binary, join(root, "bin", runtime));
  } catch {
    copyFileSync(binary, join(root, "bin", runtime)); // another file system
  }
}

function buildPackage(folder: string): void {
  const built = spawnSync(process.execPath, [projectPath("scripts/build_npm.ts"), folder], { encoding: "utf8" });
  if (built.status !== 0) throw new Error(`The package cannot be built:\n${built.stdout}${built.stderr}`);
}

/** A file with all that it imports. */
async function bundled(file: string): Promise<string> {
  const build = await rolldown({ input: file, platform: "node", external: /^node:/ });
  const { output } = await build.generate({ format: "esm", codeSplitting: false });
  await build.close();
  return output[0].code;
}
