/**
 * Reads the command line and the environment, according to the table of settings.
 *
 * @module
 */

import { type Key, keys, settingOf } from "./settings/mod.ts";
import { flagOf, type Setting, SettingError, variableOf } from "./settings/setting.ts";
import { suggestion } from "./suggestion.ts";

/** The values from one source, by the name of their setting. */
export type Given = Map<Key, unknown>;

/** What a command line says. */
export interface CommandLine {
  /** Values of settings. */
  readonly given: Given;
  /** What the command prints instead of serving. */
  readonly wants: "help" | "version" | undefined;
}

const flags: ReadonlyMap<string, Key> = new Map(keys.filter(onCommandLine).map((key) => [flagOf(key), key]));
const shorts: ReadonlyMap<string, Key> = new Map(
  keys.flatMap((key): [string, Key][] => {
    const { short } = settingOf(key);
    return short === undefined ? [] : [[`-${short}`, key]];
  }),
);

/** Alternative option names that gunicorn accepts. */
/** Options of gunicorn that are refused, and what to use instead. */
const REFUSED: Readonly<Record<string, string>> = {
  "--preload": "no --preload: processes are started, not forked, so that none can inherit a loaded application. " +
    "--threads shares one among the threads of a process",
};
const ALIASES: Readonly<Record<string, string>> = { "--log-file": "--error-logfile" };

/** Whether a setting has a command-line option. */
function onCommandLine(key: Key): boolean {
  return settingOf(key).kind.code !== true;
}

/**
 * Reads a command line.
 *
 * @throws {SettingError} for an unknown option or an invalid value.
 */
export function readCommandLine(args: readonly string[]): CommandLine {
  const given: Given = new Map();
  const rest = [...args];
  let wants: CommandLine["wants"];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "-h" || arg === "--help") wants ??= "help";
    else if (arg === "-v" || arg === "--version") wants ??= "version";
    else if (arg === "--") takeRest(given, rest.splice(0));
    else if (arg.startsWith("-") && arg !== "-") takeOption(given, arg, rest);
    else takeApp(given, arg);
  }
  return { given, wants };
}

function takeApp(given: Given, operand: string): void {
  if (given.has("wsgiApp")) {
    throw new SettingError("command line", "one application", `${given.get("wsgiApp")} and ${operand}`);
  }
  given.set("wsgiApp", operand);
}

/** Reads what follows `--`: the application, unless it was already given, and then its arguments. */
function takeRest(given: Given, operands: string[]): void {
  if (!given.has("wsgiApp")) operands.splice(0, 1).forEach((app) => takeApp(given, app));
  if (operands.length > 0) given.set("appArgs", operands);
}

function takeOption(given: Given, arg: string, rest: string[]): void {
  const equals = arg.startsWith("--") ? arg.indexOf("=") : -1;
  const name = equals > 0 ? arg.slice(0, equals) : arg.startsWith("--") ? arg : arg.slice(0, 2);
  const key = flags.get(ALIASES[name] ?? name) ?? shorts.get(name);
  if (key === undefined) {
    const why = REFUSED[name];
    if (why !== undefined) throw new SettingError("command line", why, name);
    const meant = name.startsWith("--") ? suggestion(name, [...flags.keys()]) : "";
    throw new SettingError("command line", "an option (tsgi --help lists them)", `${name}${meant}`);
  }
  const setting = settingOf(key);
  let text: string | undefined;
  if (equals > 0) text = arg.slice(equals + 1);
  else if (!arg.startsWith("--") && arg.length > 2) text = arg.slice(2);
  else if (setting.kind.metavar === "") text = "true";
  else text = rest.shift();
  if (text === undefined) throw new SettingError(name, setting.kind.expected, "nothing");
  const value = setting.kind.parse(text);
  const long = suggestion(`-${arg}`, [...flags.keys()]);
  // "-workers" is "-w orkers": a long option with one dash.
  if (value === undefined && !arg.startsWith("--") && long !== "") {
    throw new SettingError("command line", "an option (tsgi --help lists them)", `${arg}${long}`);
  }
  add(given, key, read(name, setting, text));
}

/** Sets a value; a repeated list option appends to the values given before. */
function add(given: Given, key: Key, value: unknown): void {
  const before = given.get(key);
  const lists = settingOf(key).kind.repeatable === true && Array.isArray(before) && Array.isArray(value);
  given.set(key, lists ? [...before, ...value] : value);
}

function read(where: string, setting: Setting<unknown>, text: string): unknown {
  const value = setting.kind.parse(text);
  if (value === undefined) {
    throw new SettingError(where, setting.kind.expected, setting.kind.wrong?.(text) ?? JSON.stringify(text));
  }
  return value;
}

/** The settings that an environment variable can set, by the name of the variable. */
const variables: ReadonlyMap<string, Key> = new Map(
  keys.filter((key) => onCommandLine(key) && settingOf(key).only !== "command line").map((key) => [
    variableOf(key),
    key,
  ]),
);

/**
 * Reads the environment variables `TSGI_*`. An empty variable counts as unset.
 *
 * @throws {SettingError} for an unknown variable `TSGI_*` or an invalid value.
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Given {
  const given: Given = new Map();
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith("TSGI_") || text === undefined || text === "") continue;
    const key = variables.get(name);
    if (key === undefined) {
      const expected = "in TSGI_* the name of a setting that a variable can give (docs/settings.md has them)";
      throw new SettingError("environment", expected, `${name}${suggestion(name, [...variables.keys()])}`);
    }
    given.set(key, read(`${name} (environment)`, settingOf(key), text));
  }
  return given;
}

/**
 * Reads PORT and WEB_CONCURRENCY, which hosting platforms set. They replace the defaults of `bind` and `workers`.
 *
 * @throws {SettingError} for an invalid value.
 */
export function readPlatform(env: Readonly<Record<string, string | undefined>>, host: string = "0.0.0.0"): Given {
  const given: Given = new Map();
  const { PORT: port, WEB_CONCURRENCY: workers } = env;
  if (port !== undefined && port !== "") {
    if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65535) {
      throw new SettingError("PORT (environment)", "a whole number from 0 to 65535", JSON.stringify(port));
    }
    given.set("bind", [{ kind: "tcp", host, port: Number(port) }]);
  }
  if (workers !== undefined && workers !== "") {
    given.set("workers", read("WEB_CONCURRENCY (environment)", settingOf("workers"), workers));
  }
  return given;
}
