/**
 * Processes of the same program: the arbiter and the workers are started as `main.ts` is, on the same runtime with the
 * same flags, and learn what they are from one environment variable, which they remove.
 *
 * They are started in the working directory by its name, see `cli/directory.ts`, and from the path that this program was
 * started from, by its name too: a deploy may have removed the directory that the name led to before.
 *
 * Listening sockets are passed on as descriptors 3 and up, and the channel for messages comes behind them. On Deno only
 * `"inherit"` may be used once workers run: a number clears O_NONBLOCK on the socket, and they freeze in accept().
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync, type StdioOptions } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { VERSION } from "../core/version.ts";
import type { Bind } from "./bind.ts";
import { enter, nameOf, programName, workingDirectory } from "./directory.ts";
import { type HelloMessage, ROLE } from "./signals.ts";

/** First descriptor of the sockets. */
export const FIRST_SOCKET = 3;

/** What a process is told by the one that starts it. */
export type Role =
  | {
    readonly role: "arbiter";
    /** The command line. */
    readonly args: readonly string[];
    /** Where the configuration file is looked for. */
    readonly directory: string;
    /** The addresses of the sockets, in the order of their descriptors. */
    readonly binds: readonly Bind[];
  }
  | {
    readonly role: "worker";
    /** The settings, without functions; Infinity as a word. */
    readonly settings: string;
    /** Where hooks come from. */
    readonly configFile: string | null;
    /** The addresses of the sockets. */
    readonly binds: readonly Bind[];
    /** How many workers there were before. */
    readonly age: number;
  };

/** What a worker tells the arbiter: it takes signals, it serves, it lives, it wants to be replaced. */
export type WorkerMessage =
  | HelloMessage
  | { readonly type: "ready" }
  | { readonly type: "beat"; readonly connections: number }
  | { readonly type: "full" };

/** What an arbiter tells a worker: how many connections to let go. */
export interface ShedMessage {
  /** Connections. */
  readonly shed: number;
}

/** What an arbiter tells its launcher: it takes signals; which processes are to end with it. */
export type ArbiterMessage =
  | HelloMessage
  | { readonly type: "workers"; readonly workers: readonly number[] };

/** What goes with a role. */
interface Luggage {
  /** Where the process is to go; undefined when it is there already. */
  readonly cwd?: string;
  /** The version of tsgi that has started it. */
  readonly version: string;
}

let startDirectory = "";
let starter = VERSION;

/** What this process is; undefined for one that a user has started. To be called before the directory is changed. */
export function takeRole(): Role | undefined {
  startDirectory = workingDirectory();
  const text = process.env[ROLE];
  if (text === undefined) return undefined;
  delete process.env[ROLE];
  const { cwd, version, ...role } = JSON.parse(text) as Role & Luggage;
  starter = version;
  if (cwd !== undefined) {
    enter(cwd);
    process.env.PWD = cwd;
  }
  return role;
}

/** The version of tsgi that has started this process: another one than its own after a deploy that brought one. */
export function starterVersion(): string {
  return starter;
}

/** How a child is started. */
export interface ChildOptions {
  /** What it is. */
  readonly role: Role;
  /** What it gets as descriptors 3 and up. */
  readonly sockets: readonly ("inherit" | number)[];
  /** More environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** User it runs as. */
  readonly uid?: number | undefined;
  /** Group it runs as. */
  readonly gid?: number | undefined;
}

/** Starts a process of the program at `main`. */
export function spawnSelf(main: string, { role, sockets, env = {}, uid, gid }: ChildOptions): ChildProcess {
  const stdio: StdioOptions = ["ignore", "inherit", "inherit", ...sockets, "ipc"];
  const script = scriptOf(main);
  const words = ownCommand(main, script);
  const here = workingDirectory();
  // Where Deno looks for its configuration. From there the child goes to where this process is.
  const cwd = words.at(-1) === script ? here : nameOf(startDirectory);
  const luggage: Luggage = { version: VERSION, ...(cwd === here ? {} : { cwd: here }) };
  return spawn(process.execPath, words, {
    stdio,
    cwd,
    env: { ...process.env, PWD: cwd, ...env, [ROLE]: JSON.stringify({ ...role, ...luggage }) },
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  });
}

/** Sends a signal to a process that may be gone. Deno's own `kill` would make a clean exit look like death by it. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}

/** Whether a process of this id is there. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The name of the runtime and its version. */
export function runtimeName(): string {
  const { deno, bun, node } = process.versions;
  return deno !== undefined ? `deno ${deno}` : bun !== undefined ? `bun ${bun}` : `node ${node}`;
}

/** The words with which this program is started again. */
function ownCommand(main: string, script: string): string[] {
  const { deno, bun } = process.versions;
  if (bun !== undefined) return [...process.execArgv, script];
  if (deno === undefined) return nodeCommand(process.execArgv, script);
  return denoCommand(denoWords(process.argv.slice(2)), main, startDirectory, script);
}

/**
 * The words behind `node`. Without the flag, USR1 opens the inspector until there is a handler. With it Node blocks the
 * signal for ever, also for a handler, so these processes get USR1 as a message.
 */
export function nodeCommand(flags: readonly string[], script: string): string[] {
  const flag = "--disable-sigusr1";
  return [...flags, ...(flags.includes(flag) ? [] : [flag]), script];
}

let scriptName: string | undefined;

/** The path of the program: by the name it was started with, while that leads to one. */
function scriptOf(main: string): string {
  const path = pathOf(main);
  scriptName ??= programName(process.argv[1], path); // later that name may lead to another release
  return existsSync(scriptName) ? scriptName : path;
}

/** The path of a program, or its URL where it is no file. */
function pathOf(main: string): string {
  return main.startsWith("file:") ? fileURLToPath(main) : main;
}

/**
 * The words behind `deno` that start a program again: with the flags it was given, which Deno does not tell, and by the
 * name it was given where that is no path. For such a name, `tsgi/cli` or `jsr:@tsgi/tsgi/cli`, Deno takes the
 * configuration of the working directory, and with it the import map; for the URL behind it, it would take none.
 *
 * @param words The command line without the arguments of the program.
 * @param directory Where the program was started.
 * @param script The path to take for a name that is one.
 */
export function denoCommand(words: readonly string[], main: string, directory: string, script: string): string[] {
  const name = words.at(-1) as string;
  if (words[1] !== "run" || words.length < 3) return ["run", "-A", script];
  const isPath = name === main || [script, pathOf(main)].includes(resolve(directory, name));
  return [...words.slice(1, -1), isPath ? script : name];
}

function denoWords(args: readonly string[]): string[] {
  try {
    return readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1 - args.length);
  } catch {
    // No Linux. What `ps` shows does not tell a space inside a word, but flags have none.
    const { stdout } = spawnSync("ps", ["-ww", "-o", "args=", "-p", String(process.pid)], { encoding: "utf8" });
    const text = (stdout ?? "").trim();
    return text.slice(0, text.length - args.join(" ").length).trim().split(/ +/);
  }
}

/** Settings for a worker, as text. */
export function packSettings(settings: object): string {
  return JSON.stringify(settings, (_key, value) => {
    if (value === Infinity) return "Infinity";
    return typeof value === "function" ? null : value;
  });
}

/** The settings that `packSettings` packed. */
export function unpackSettings<T>(text: string): T {
  return JSON.parse(text, (_key, value) => value === "Infinity" ? Infinity : value) as T;
}
