/**
 * The `tsgi` command: `tsgi -w 4 myapp.ts:app`.
 *
 *     node cli/main.ts -w 4 myapp.ts:app
 *     deno run -A cli/main.ts -w 4 myapp.ts:app
 *     bun run cli/main.ts -w 4 myapp.ts:app
 *
 * One program, three kinds of process: the launcher (what a user starts), the arbiter and the workers.
 *
 * @module
 */

import { closeSync, openSync, writeSync } from "node:fs";
import process from "node:process";
import { VERSION } from "../core/version.ts";
import { runArbiter } from "./arbiter.ts";
import { type Role, runtimeName, takeRole } from "./child.ts";
import { type CommandLine, readCommandLine } from "./command_line.ts";
import { type Resolved, resolveSettings } from "./config.ts";
import { configText, helpText } from "./help.ts";
import type { Bind } from "./bind.ts";
import { launch } from "./launcher.ts";
import { Pidfile } from "./pidfile.ts";
import { LOAD_FAILED } from "./pool.ts";
import type { Settings } from "./settings/mod.ts";
import { SettingError } from "./settings/setting.ts";
import { AppLoadError, loadApp, loadFailure, parseSpec } from "./spec.ts";
import { activatedSockets } from "./systemd.ts";
import { identityOf } from "./user.ts";
import { runWorker } from "./worker.ts";
import { errorText } from "../core/errors.ts";

const main = import.meta.url;

/** The exit status for settings that are wrong. */
const USAGE = 2;

const STDERR = 2; // the descriptor

await run(takeRole());

async function run(role: Role | undefined): Promise<void> {
  if (role?.role === "worker") return await runWorker(role);
  let status: number;
  try {
    status = role === undefined ? await runCommand(process.argv.slice(2)) : await runAsArbiter(role);
  } catch (error) {
    status = failed(error);
  }
  process.exit(status);
}

/** Says in a line what is wrong, and gives the exit status for it. */
function failed(error: unknown): number {
  const { name, message } = Object(error) as { name?: unknown; message?: unknown };
  if (error instanceof AppLoadError) {
    complain(loadFailure(error));
    return LOAD_FAILED;
  }
  const usage = ["SettingError", "ConfigFileError", "InitError"].includes(String(name));
  const own = usage || name === "ListenError" || name === "PidfileError";
  complain(own ? String(message) : errorText(error));
  return usage ? USAGE : 1;
}

/** Says what is wrong before the process exits: a stream could lose what is still on its way then. */
function complain(text: string): void {
  try {
    writeSync(STDERR, `tsgi: ${text}\n`);
  } catch {
    // Nobody reads it.
  }
}

async function runCommand(args: readonly string[]): Promise<number> {
  if (args[0] === "cgi") return await (await import("./cgi.ts")).runScript(args.slice(1));
  if (args[0] === "init") return await print((await import("./init/mod.ts")).init(args.slice(1)));
  const commandLine = readCommandLine(args);
  if (commandLine.wants !== undefined) return await tell(commandLine);
  const directory = process.cwd();
  const resolved = await resolveSettings(commandLine.given, directory);
  const { settings } = resolved;
  if (settings.printConfig) return await print(configText(settings));
  prepare(resolved);
  if (settings.checkConfig) {
    await checkApp(settings);
    return 0;
  }
  const activated = activatedSockets();
  if (activated.length === 0) return await launch(main, settings, args, directory);
  const pidfile = settings.pid === null ? undefined : new Pidfile(settings.pid);
  pidfile?.create(process.pid);
  const options = { main, commandLine: commandLine.given, directory, binds: activated, resolved };
  const status = await runArbiter(options);
  pidfile?.remove();
  return status;
}

/** Loads the application as a worker would, and lets it go. */
async function checkApp({ wsgiApp, appType, extraListen, bind }: Settings): Promise<void> {
  const capture = { bind: bind[0] as Bind, extraListen, connections: () => 0, closed: () => {} };
  await loadApp(wsgiApp as string, { type: appType, capture });
}

async function tell({ wants }: CommandLine): Promise<number> {
  return await print(wants === "help" ? helpText() : `tsgi ${VERSION} (${runtimeName()})\n`);
}

/** Prints, and waits until it is out: what is still on its way when a process exits is lost. */
function print(text: string): Promise<number> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve(0)));
}

/** Checks what can be checked before sockets are opened, and changes to where things are. */
function prepare({ settings }: Resolved): void {
  const { wsgiApp, chdir, umask } = settings;
  if (wsgiApp === null) throw new SettingError("command line", "an application, MODULE[:NAME]", "none");
  parseSpec(wsgiApp);
  identityOf(settings);
  if (chdir !== null) {
    try {
      process.chdir(chdir);
    } catch {
      throw new SettingError("--chdir", "a directory", JSON.stringify(chdir));
    }
  }
  if (umask !== null) process.umask(umask);
  for (
    const [flag, path] of [["--error-logfile", settings.errorLogfile], ["--access-logfile", settings.accessLogfile]]
  ) {
    if (path === null || path === undefined || path === "-") continue;
    try {
      closeSync(openSync(path, "a"));
    } catch (error) {
      throw new SettingError(flag as string, "a file that can be written", (error as Error).message);
    }
  }
}

async function runAsArbiter({ args, directory, binds }: Role & { role: "arbiter" }): Promise<number> {
  const commandLine = readCommandLine(args);
  const resolved = await resolveSettings(commandLine.given, directory);
  return await runArbiter({ main, commandLine: commandLine.given, directory, binds, resolved });
}
