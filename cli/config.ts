/**
 * Puts the settings in force together. The precedence is: defaults < configuration file < environment < command line.
 *
 * PORT and WEB_CONCURRENCY change the defaults, as they do for gunicorn.
 *
 * @module
 */

import { existsSync, realpathSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { describe } from "../core/errors.ts";
import { type Given, readEnvironment, readPlatform } from "./command_line.ts";
import { type Key, keys, settingOf, type Settings } from "./settings/mod.ts";
import { SettingError } from "./settings/setting.ts";
import { suggestion } from "./suggestion.ts";

const NOTHING: Given = new Map();

/** What `--dev` changes. The command line wins over it; files and variables are for production. */
const DEVELOPMENT: Given = new Map<Key, unknown>([
  ["reload", true],
  ["workers", 1],
  ["accessLogfile", "-"],
  ["timeout", 0],
]);

const DEFAULT_FILES = ["tsgi.config.ts", "tsgi.config.mts", "tsgi.config.js", "tsgi.config.mjs"];

/** The configuration file cannot be loaded. */
export class ConfigFileError extends Error {
  /** Name of the class. */
  override readonly name = "ConfigFileError";

  /** Says which file, and why not. */
  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`${path}: ${reason}`, options);
  }
}

/** The settings in force and the configuration file that was read for them. */
export interface Resolved {
  /** All of them. */
  readonly settings: Settings;
  /** Path of the configuration file; null if there is none. */
  readonly file: string | null;
}

let imports = 0;

/**
 * Puts the settings together. Each call reads the configuration file anew.
 *
 * @param commandLine The values from the command line.
 * @param directory The directory in which the configuration file is looked for.
 * @throws {SettingError} (as a rejection) naming the first invalid setting.
 * @throws {ConfigFileError} (as a rejection) when the configuration file cannot be loaded.
 */
export async function resolveSettings(commandLine: Given, directory: string = process.cwd()): Promise<Resolved> {
  const dev = commandLine.get("dev") === true;
  const platform = readPlatform(process.env, dev ? "127.0.0.1" : "0.0.0.0");
  const preset = dev ? DEVELOPMENT : NOTHING;
  const environment = readEnvironment(process.env);
  if (!existsSync(directory)) throw new ConfigFileError(directory, "the directory of the configuration file is gone");
  const named = (commandLine.get("config") ?? environment.get("config")) as string | undefined;
  const file = configFile(named, directory);
  const fromFile: Given = file === null ? new Map() : await readConfigFile(file);
  const settings: Record<string, unknown> = {};
  for (const key of keys) {
    const source = [commandLine, preset, environment, fromFile, platform].find((given) => given.has(key));
    settings[key] = source === undefined ? settingOf(key).default : source.get(key);
  }
  settings.config = file;
  return { settings: settings as unknown as Settings, file };
}

function configFile(named: string | undefined, directory: string): string | null {
  if (named !== undefined) {
    const path = resolve(directory, named);
    if (!existsSync(path)) throw new ConfigFileError(path, "there is no such file");
    return path;
  }
  const found = DEFAULT_FILES.map((name) => resolve(directory, name)).find((path) => existsSync(path));
  return found ?? null;
}

/**
 * Reads a configuration file.
 *
 * @throws {SettingError} (as a rejection) naming the first invalid setting.
 * @throws {ConfigFileError} (as a rejection) when it cannot be loaded.
 */
export async function readConfigFile(path: string): Promise<Given> {
  let module: Record<string, unknown>;
  try {
    // Runtimes cache modules by URL, so each import has a new query. Bun regards the query behind a path only, not
    // behind a file: URL. The path is resolved, because Bun remembers where a symbolic link led.
    const real = realpathSync(path);
    const base = process.versions.bun === undefined ? pathToFileURL(real).href : real;
    module = await import(`${base}?${process.pid}.${++imports}`);
  } catch (error) {
    const { message } = Object(error) as { message?: unknown };
    throw new ConfigFileError(path, typeof message === "string" ? message : describe(error), { cause: error });
  }
  const object = module.default;
  if (typeof object !== "object" || object === null || Array.isArray(object)) {
    throw new ConfigFileError(path, `expected an object of settings as the default export, got ${describe(object)}`);
  }
  const given: Given = new Map();
  for (const [name, value] of Object.entries(object)) {
    if (value === undefined) continue;
    const key = keys.find((one) => one === name);
    if (key === undefined || settingOf(key).only !== undefined) {
      const names = keys.filter((one) => settingOf(one).only === undefined);
      throw new SettingError(
        path,
        "the name of a setting (docs/settings.md has them)",
        `${name}${suggestion(name, names)}`,
      );
    }
    const { kind } = settingOf(key);
    const checked = kind.check(value);
    if (checked === undefined) {
      throw new SettingError(`${path}: ${name}`, kind.expected, kind.wrong?.(value) ?? describe(value));
    }
    given.set(key, checked);
  }
  return given;
}

/** Limits the time for reading the configuration: a file that hangs must not block later reloads. */
export async function within(reading: Promise<Resolved>, seconds: number): Promise<Resolved> {
  if (seconds === 0) return await reading;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`it was not read within ${seconds} s (--boot-timeout)`);
    timer = setTimeout(() => reject(error), seconds * 1000);
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The number of workers that the settings ask for. One worker feeds all processes of a Python application. */
export function workerCount(settings: Pick<Settings, "workers" | "python">): number {
  return settings.python === null ? processCount(settings) : 1;
}

/** The number of processes that run the application: workers, or with `--python` those of Python. */
export function processCount({ workers }: Pick<Settings, "workers">): number {
  return workers === "auto" ? availableParallelism() : workers;
}

/** The settings that differ and that only a restart of the command can change. */
export function needRestart(before: Settings, after: Settings): Key[] {
  return keys.filter((key) =>
    settingOf(key).restart === true && JSON.stringify(before[key]) !== JSON.stringify(after[key])
  );
}
