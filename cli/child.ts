/**
 * Processes of the same program: the arbiter and the workers are started as `main.ts` is, on the same runtime with the
 * same flags, and learn what they are from one environment variable, which they remove.
 *
 * Listening sockets are passed on as descriptors 3 and up, and the channel for messages comes behind them. On Deno only
 * `"inherit"` may be used once workers run: a number clears O_NONBLOCK on the socket, and they freeze in accept().
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync, type StdioOptions } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Bind } from "./bind.ts";
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

let startDirectory = "";

/** What this process is; undefined for one that a user has started. To be called before the directory is changed. */
export function takeRole(): Role | undefined {
  startDirectory = process.cwd();
  const text = process.env[ROLE];
  if (text === undefined) return undefined;
  delete process.env[ROLE];
  const { cwd, ...role } = JSON.parse(text) as Role & { cwd: string };
  if (cwd !== startDirectory) process.chdir(cwd);
  return role;
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
  const words = ownCommand(main);
  // Where Deno looks for its configuration. From there the child goes to where this process is.
  const started = words.at(-1) === scriptOf(main) ? {} : { cwd: startDirectory };
  return spawn(process.execPath, words, {
    stdio,
    ...started,
    env: { ...process.env, ...env, [ROLE]: JSON.stringify({ ...role, cwd: process.cwd() }) },
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

/** The name of the runtime and its version. */
export function runtimeName(): string {
  const { deno, bun, node } = process.versions;
  return deno !== undefined ? `deno ${deno}` : bun !== undefined ? `bun ${bun}` : `node ${node}`;
}

/** The words with which this program is started again. */
function ownCommand(main: string): string[] {
  const { deno, bun } = process.versions;
  if (bun !== undefined) return [...process.execArgv, scriptOf(main)];
  if (deno === undefined) return nodeCommand(process.execArgv, scriptOf(main));
  return denoCommand(denoWords(process.argv.slice(2)), main, startDirectory);
}

/**
 * The words behind `node`. Without the flag, USR1 opens the inspector until there is a handler. With it Node blocks the
 * signal for ever, also for a handler, so these processes get USR1 as a message.
 */
export function nodeCommand(flags: readonly string[], script: string): string[] {
  const flag = "--disable-sigusr1";
  return [...flags, ...(flags.includes(flag) ? [] : [flag]), script];
}

function scriptOf(main: string): string {
  return main.startsWith("file:") ? fileURLToPath(main) : main;
}

/**
 * The words behind `deno` that start a program again: with the flags it was given, which Deno does not tell, and by the
 * name it was given where that is no path. For such a name, `tsgi/cli` or `jsr:@tsgi/tsgi/cli`, Deno takes the
 * configuration of the working directory, and with it the import map; for the URL behind it, it would take none.
 *
 * @param words The command line without the arguments of the program.
 * @param directory Where the program was started.
 */
export function denoCommand(words: readonly string[], main: string, directory: string): string[] {
  const name = words.at(-1) as string;
  if (words[1] !== "run" || words.length < 3) return ["run", "-A", scriptOf(main)];
  const isPath = name === main || resolve(directory, name) === scriptOf(main);
  return [...words.slice(1, -1), isPath ? scriptOf(main) : name];
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
