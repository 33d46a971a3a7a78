/**
 * The program of the `tsgi` command.
 *
 * The same program runs as three kinds of process: the launcher, which the user starts, the arbiter and the workers.
 *
 * @module
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { VERSION } from "../core/version.ts";
import { runArbiter } from "./arbiter.ts";
import type { Bind } from "./bind.ts";
import { type Role, runtimeName, takeRole } from "./child.ts";
import { type CommandLine, readCommandLine } from "./command_line.ts";
import { type Resolved, resolveSettings } from "./config.ts";
import { enter, nameOf, workingDirectory } from "./directory.ts";
import { checkForwarded } from "./forwarded.ts";
import { configText, helpText } from "./help.ts";
import { launch } from "./launcher.ts";
import { closeLog, openLog, standardOf } from "./log_open.ts";
import { LOAD_FAILED } from "./pool.ts";
import type { Settings } from "./settings/mod.ts";
import { SettingError } from "./settings/setting.ts";
import { freeSignals, holdStops } from "./signals.ts";
import { AppLoadError, loadApp, loadFailure, parseSpec } from "./application.ts";
import { checkPython, loadPython } from "./python.ts";
import { activatedSockets } from "./systemd.ts";
import { checkTls } from "./tls.ts";
import { identityOf } from "./user.ts";
import { runWorker } from "./worker.ts";
import { errorText } from "../core/errors.ts";

/** The exit status for wrong settings. */
const USAGE = 2;

const STDERR = 2; // the descriptor

/**
 * Runs the program, and ends the process.
 *
 * @param main URL of the module that the runtime was started with.
 */
export async function runProgram(main: string): Promise<void> {
  const role = takeRole();
  if (role?.role === "worker") return await runWorker(role);
  let status: number;
  try {
    status = role === undefined ? await runCommand(main, process.argv.slice(2)) : await runAsArbiter(main, role);
  } catch (error) {
    status = failed(error);
  }
  process.exit(status);
}

/** Prints an error and returns the exit status for it. */
function failed(error: unknown): number {
  const { name, message } = Object(error) as { name?: unknown; message?: unknown };
  if (error instanceof AppLoadError) {
    complain(loadFailure(error));
    return LOAD_FAILED;
  }
  const usage = ["SettingError", "ConfigFileError", "InitError"].includes(String(name));
  const own = usage || name === "ListenError" || name === "PidfileError" || name === "TlsError";
  complain(own ? String(message) : errorText(error));
  return usage ? USAGE : 1;
}

/** Prints an error synchronously: the process exits next, and a stream could lose text that it has buffered. */
function complain(text: string): void {
  try {
    writeSync(STDERR, `tsgi: ${text}\n`);
  } catch {
    // Nobody reads standard error.
  }
}

async function runCommand(main: string, given: readonly string[]): Promise<number> {
  const args = given[0] === "dev" ? ["--dev", ...given.slice(1)] : given;
  if (args[0] === "init") {
    freeSignals();
    return await print((await import("./init/mod.ts")).init(args.slice(1)));
  }
  if (args[0] === "cgi") {
    freeSignals();
    return await (await import("./cgi.ts")).runScript(args.slice(1));
  }
  const commandLine = readCommandLine(args);
  if (!serves(commandLine)) freeSignals();
  if (commandLine.wants !== undefined) return await tell(commandLine);
  const start = workingDirectory();
  const resolved = await resolveSettings(commandLine.given, start);
  const { settings } = resolved;
  if (settings.printConfig) return await print(configText(settings));
  prepare(resolved);
  if (settings.dev) (await import("./dev/local.ts")).checkLocal(settings);
  checkForwarded(settings);
  await checkTls(settings);
  const directory = nameOf(start); // if the --chdir link leads here, the name through that link
  if (settings.checkConfig) {
    await checkApp(settings);
    return 0;
  }
  const activated = activatedSockets();
  if (activated.length === 0) return await launch(main, settings, args, directory);
  const pidfile = settings.pid === null ? undefined : new (await import("./pidfile.ts")).Pidfile(settings.pid);
  holdStops(); // once the pidfile exists, its reader may send any signal
  pidfile?.create(process.pid);
  const options = { main, commandLine: commandLine.given, directory, binds: activated, resolved };
  const status = await runArbiter(options);
  pidfile?.remove();
  return status;
}

/** Loads the application as a worker would, and does not serve it. */
async function checkApp(settings: Settings): Promise<void> {
  const { wsgiApp, appType, appArgs, extraListen, bind, bootTimeout, python } = settings;
  if (python !== null) {
    const app = await loadPython(settings, {
      report: (level, message) => level === "info" || complain(message),
      raw: complain,
      files: () => {},
    });
    return await app.close({ timeout: 0 });
  }
  const capture = { bind: bind[0] as Bind, extraListen, connections: () => 0, closed: () => {} };
  await loadApp(wsgiApp as string, { type: appType, args: appArgs, capture, patience: bootTimeout });
}

/** Whether a command line starts a server. Only a server handles signals. */
function serves({ wants, given }: CommandLine): boolean {
  return wants === undefined && given.get("checkConfig") !== true && given.get("printConfig") !== true;
}

async function tell({ wants }: CommandLine): Promise<number> {
  return await print(wants === "help" ? helpText() : `tsgi ${VERSION} (${runtimeName()})\n`);
}

/** Prints a text and waits until it is written: a process that exits loses what its streams have buffered. */
function print(text: string): Promise<number> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve(0)));
}

/** Checks what can be checked before sockets are opened; sets the working directory and the umask. */
function prepare({ settings }: Resolved): void {
  const { wsgiApp, chdir, umask } = settings;
  checkPython(settings);
  if (wsgiApp === null && settings.python === null) {
    throw new SettingError("command line", "an application, MODULE[:NAME]", "none");
  }
  if (wsgiApp !== null) parseSpec(wsgiApp);
  const owner = identityOf(settings);
  if (chdir !== null) {
    try {
      enter(chdir);
    } catch {
      throw new SettingError("--chdir", "a directory", JSON.stringify(chdir));
    }
  }
  if (umask !== null) process.umask(umask);
  const logs = [["--error-logfile", settings.errorLogfile, 2], [
    "--access-logfile",
    settings.accessLogfile,
    1,
  ]] as const;
  for (const [flag, path, standard] of logs) {
    if (path === null || standardOf(path, standard) !== undefined) continue;
    try {
      closeLog(openLog(path, standard, owner));
    } catch (error) {
      throw new SettingError(flag, "a file that can be written", (error as Error).message);
    }
  }
}

async function runAsArbiter(main: string, { args, directory, binds }: Role & { role: "arbiter" }): Promise<number> {
  const commandLine = readCommandLine(args);
  const resolved = await resolveSettings(commandLine.given, directory);
  return await runArbiter({ main, commandLine: commandLine.given, directory, binds, resolved });
}
