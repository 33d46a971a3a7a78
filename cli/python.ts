/**
 * `--python`: a worker serves a Python application. The worker owns the Python processes, so that the pool of the arbiter
 * stays as it is: a reload starts a new worker, whose processes load the application, and the old worker ends with its
 * processes when the new one is ready. The pool has one worker; `--workers` counts Python processes.
 *
 * @module
 */

import type { ApplicationFunction } from "../core/contract/types.ts";
import { AppLoadError } from "./application.ts";
import type { Settings } from "./settings/mod.ts";
import { SettingError } from "./settings/setting.ts";
import { processCount } from "./config.ts";

/** A Python application, as far as the command uses it. */
export interface PythonServed extends ApplicationFunction {
  /** Changes the number of processes. */
  resize(processes: number): void;
  /** The server shuts down: processes that have got the same SIGTERM are not replaced. */
  drain(): void;
  /** Ends the processes; running requests have `timeout` seconds. */
  close(options: { readonly timeout: number }): Promise<void>;
}

/** What the worker does with messages. */
export interface PythonReports {
  /** Logs a message about processes. */
  report(level: "info" | "warning", message: string): void;
  /** Writes text of the application that belongs to no request. */
  raw(text: string): void;
  /** Gets the files of the application. */
  files(files: readonly string[]): void;
}

/**
 * Starts the processes, and settles when they have loaded the application.
 *
 * @throws {AppLoadError} (as a rejection) with the traceback.
 */
export async function loadPython(settings: Settings, reports: PythonReports): Promise<PythonServed> {
  const { fromPython } = await import("../bridges/python.ts");
  const { threads, pythonPath, timeout, maxRequests, maxRequestsJitter } = settings;
  const spec = settings.python as string;
  let app: ReturnType<typeof fromPython>;
  try {
    app = fromPython(spec, {
      processes: processCount(settings),
      threads,
      ...(pythonPath === null ? {} : { python: pythonPath }),
      timeout,
      bootTimeout: 0, // the arbiter has that limit
      maxRequests,
      maxRequestsJitter,
      log: (text, level) => {
        if (level === undefined) reports.raw(text);
        else reports.report(level, text.replace(/^tsgi: |\n$/g, ""));
      },
      onFiles: (files) => reports.files(files),
    });
  } catch (error) {
    throw new AppLoadError(spec, (error as Error).message);
  }
  try {
    await app.ready;
    reports.report("info", `Python processes (pids:${app.pids.join(",")}) serve`);
    return app;
  } catch (error) {
    await app.close({ timeout: 0 });
    throw new AppLoadError(spec, (error as { reason?: string }).reason ?? (error as Error).message);
  }
}

/**
 * Checks that just one application is given, and settings of Python only for one in Python.
 *
 * @throws {SettingError} naming the setting that does not fit the others.
 */
export function checkPython(settings: Pick<Settings, "python" | "wsgiApp" | "threads" | "pythonPath">): void {
  const { python, wsgiApp, threads, pythonPath } = settings;
  if (python !== null) {
    if (wsgiApp === null) return;
    throw new SettingError("command line", "one application", `${wsgiApp} and --python ${python}`);
  }
  const beside = "--python beside it: it is for Python processes only";
  if (threads !== 1) throw new SettingError("--threads", beside, String(threads));
  if (pythonPath !== null) throw new SettingError("--python-path", beside, pythonPath);
}
