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
import { readFileSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Bind } from "./bind.ts";

/** The variable that tells a process what it is. */
const ROLE = "TSGI_ROLE";

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
    /** Whether other processes serve too. */
    readonly multiprocess: boolean;
  };

/** What a worker tells the arbiter: it serves, it lives, it wants to be replaced. */
export type WorkerMessage =
  | { readonly type: "ready" }
  | { readonly type: "beat"; readonly connections: number }
  | { readonly type: "full" };

/** What an arbiter tells a worker: how many connections to let go. */
export interface ShedMessage {
  /** Connections. */
  readonly shed: number;
}

/** What an arbiter tells its launcher: which processes are to end with it. */
export interface ArbiterMessage {
  /** Process ids. */
  readonly workers: readonly number[];
}

/** What this process is; undefined for one that a user has started. */
export function takeRole(): Role | undefined {
  const text = process.env[ROLE];
  if (text === undefined) return undefined;
  delete process.env[ROLE];
  return JSON.parse(text) as Role;
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
  return spawn(process.execPath, [...runtimeFlags(main), scriptOf(main)], {
    stdio,
    env: { ...process.env, ...env, [ROLE]: JSON.stringify(role) },
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

function scriptOf(main: string): string {
  return main.startsWith("file:") ? fileURLToPath(main) : main;
}

/** The flags that the runtime was given: Node and Bun tell them, Deno's are in front of the script. */
function runtimeFlags(main: string): string[] {
  if (process.versions.deno === undefined) return [...process.execArgv];
  const words = commandLine();
  const at = words.findIndex((word) => word === main || isPackage(word) || isFile(word, scriptOf(main)));
  return at > 1 && words[1] === "run" ? words.slice(1, at) : ["run", "-A"];
}

/** Whether a word names a program as a package: `npm:tsgi`. Flags begin with a dash, and their values do not look so. */
function isPackage(word: string): boolean {
  return /^(?:npm|jsr):/.test(word);
}

/** Whether a word is a path of a file, which a link in node_modules/.bin may lead to. */
function isFile(word: string, file: string): boolean {
  try {
    return resolve(word) === file || realpathSync(word) === file;
  } catch {
    return false;
  }
}

function commandLine(): string[] {
  try {
    return readFileSync("/proc/self/cmdline", "utf8").split("\0");
  } catch {
    // No Linux. What `ps` shows does not tell a space inside a word, but flags have none.
    const { stdout } = spawnSync("ps", ["-o", "args=", "-p", String(process.pid)], { encoding: "utf8" });
    return (stdout ?? "").trim().split(/ +/);
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
