/**
 * Starts the arbiter and the workers. They run the same program, `main.ts`, on the same runtime with the same flags.
 * One environment variable tells each of them its role; the process removes that variable.
 *
 * A child starts in the working directory by its name, see `cli/directory.ts`, and runs the program by the name that it
 * was started with: a deploy may have removed the directory that these names led to before.
 *
 * Listening sockets are passed as descriptors 3 and up. The channel for messages is the descriptor after them. On Deno
 * only `"inherit"` may be used once workers run: a number clears O_NONBLOCK on the socket, and the workers, which share
 * it, freeze in accept().
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

/** Descriptor of the first socket. */
export const FIRST_SOCKET = 3;

/** The role of a process, which its parent passes to it. */
export type Role =
  | {
    readonly role: "arbiter";
    /** The command line. */
    readonly args: readonly string[];
    /** The directory in which the configuration file is looked for. */
    readonly directory: string;
    /** The addresses of the sockets, in the order of their descriptors. */
    readonly binds: readonly Bind[];
  }
  | {
    readonly role: "worker";
    /** The settings as JSON, without functions; Infinity as a word. */
    readonly settings: string;
    /** The configuration file with the worker's hooks; null if it has none. */
    readonly configFile: string | null;
    /** The addresses of the sockets. */
    readonly binds: readonly Bind[];
    /** How many workers were started before. */
    readonly age: number;
  };

/**
 * A message of a worker to the arbiter: it handles signals, it serves, its heartbeat, it asks to be replaced, the files of
 * a Python application, it ends because the application does not load.
 */
export type WorkerMessage =
  | HelloMessage
  | { readonly type: "ready" }
  | { readonly type: "beat"; readonly connections: number }
  | { readonly type: "full" }
  | { readonly type: "files"; readonly files: readonly string[] }
  | { readonly type: "failed"; readonly why: string };

/** A message of the arbiter to a worker: how many connections to close. */
export interface ShedMessage {
  /** The number of connections. */
  readonly shed: number;
}

/** A message of the arbiter to a worker: how many Python processes are wanted. */
export interface ResizeMessage {
  /** The number of processes. */
  readonly processes: number;
}

/** A message of the arbiter to a worker: it has got the reason why the application does not load. */
export interface HeardMessage {
  /** Always true. */
  readonly heard: true;
}

/** A message of the arbiter to its launcher: it handles signals; the process ids of its workers. */
export type ArbiterMessage =
  | HelloMessage
  | { readonly type: "workers"; readonly workers: readonly number[] };

/** What is passed along with a role. */
interface Luggage {
  /** The directory to change to; undefined if the process starts in it. */
  readonly cwd?: string;
  /** The version of the parent's tsgi. */
  readonly version: string;
}

let startDirectory = "";
let starter = VERSION;

/** The role of this process; undefined if a user started it. Call it before the working directory changes. */
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

/** The version of the parent's tsgi. It differs from this process's own after a deploy of another version. */
export function starterVersion(): string {
  return starter;
}

/** How a child is started. */
export interface ChildOptions {
  /** Its role. */
  readonly role: Role;
  /** The sockets that it gets as descriptors 3 and up. */
  readonly sockets: readonly ("inherit" | number)[];
  /** More environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** The user that it runs as. */
  readonly uid?: number | undefined;
  /** The group that it runs as. */
  readonly gid?: number | undefined;
}

/** Starts a child process of the program at `main`. */
export function spawnSelf(main: string, { role, sockets, env = {}, uid, gid }: ChildOptions): ChildProcess {
  const stdio: StdioOptions = ["ignore", "inherit", "inherit", ...sockets, "ipc"];
  const script = scriptOf(main);
  const words = ownCommand(main, script);
  const here = workingDirectory();
  // A child that Deno starts by a name, not a path, starts where this program started: Deno looks there for its
  // configuration. The child then changes to the present directory.
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

/**
 * Sends a signal to a process that may be gone. Deno's own `kill` is not used: after it, a clean exit looks like death
 * by the signal.
 */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}

/** Whether a process with this id exists. */
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

/** The arguments of the runtime that start this program again. */
function ownCommand(main: string, script: string): string[] {
  const { deno, bun } = process.versions;
  if (bun !== undefined) return [...process.execArgv, script];
  if (deno === undefined) return nodeCommand(process.execArgv, script);
  return denoCommand(denoWords(process.argv.slice(2)), main, startDirectory, script);
}

/**
 * The arguments of `node`. Without the flag, USR1 opens the inspector until a handler is installed. With the flag, Node
 * blocks the signal for good, even if a handler is installed. So these processes get USR1 as a message.
 */
export function nodeCommand(flags: readonly string[], script: string): string[] {
  const flag = "--disable-sigusr1";
  return [...flags, ...(flags.includes(flag) ? [] : [flag]), script];
}

let scriptName: string | undefined;

/** The path of the program: the name it was started with, as long as a file exists there, else the real path. */
function scriptOf(main: string): string {
  const path = pathOf(main);
  scriptName ??= programName(process.argv[1], path); // once: later that name may lead to another release
  return existsSync(scriptName) ? scriptName : path;
}

/** The path of a program, or its URL if it is not a file. */
function pathOf(main: string): string {
  return main.startsWith("file:") ? fileURLToPath(main) : main;
}

/**
 * The arguments of `deno` that start a program again, with the same flags, which Deno does not expose to programs. A
 * name that is not a path, `tsgi/cli` or `jsr:@tsgi/tsgi/cli`, is kept: for such a name Deno reads the configuration of
 * the working directory, and with it the import map. For the URL that the name resolves to, it would read none.
 *
 * @param words The command line without the arguments of the program.
 * @param directory The directory in which the program was started.
 * @param script The path to use in place of a name that is a path.
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
    // Not Linux. `ps` does not quote a space inside an argument, but flags contain none.
    const { stdout } = spawnSync("ps", ["-ww", "-o", "args=", "-p", String(process.pid)], { encoding: "utf8" });
    const text = (stdout ?? "").trim();
    return text.slice(0, text.length - args.join(" ").length).trim().split(/ +/);
  }
}

/** Serializes settings for a worker. */
export function packSettings(settings: object): string {
  return JSON.stringify(settings, (_key, value) => {
    if (value === Infinity) return "Infinity";
    return typeof value === "function" ? null : value;
  });
}

/** Parses the settings that `packSettings` serialized. */
export function unpackSettings<T>(text: string): T {
  return JSON.parse(text, (_key, value) => value === "Infinity" ? Infinity : value) as T;
}
