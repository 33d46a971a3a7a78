/**
 * Settings: hooks, functions of the configuration file that are called at events in the life of the processes.
 *
 * @module
 */

import { hook } from "./kinds.ts";
import type { Topic } from "./setting.ts";

/** The arbiter, as hooks see it. */
export interface ServerInfo {
  /** Its process id. */
  readonly pid: number;
  /** Writes to the error log. */
  log(message: string): void;
}

/** A worker, as hooks see it. */
export interface WorkerInfo {
  /** Its process id. */
  readonly pid: number;
  /** How many workers had been started before it. */
  readonly age: number;
  /** Writes to the error log. */
  log(message: string): void;
}

type ServerHook = ((server: ServerInfo) => unknown) | null;
type WorkerHook = ((worker: WorkerInfo) => unknown) | null;
type BothHook = ((server: ServerInfo, worker: WorkerInfo) => unknown) | null;

/** The settings of this topic. */
export interface HookSettings {
  /** In the arbiter, before the first worker is started. */
  onStarting: ServerHook;
  /** In the arbiter, once all workers are ready for the first time. */
  whenReady: ServerHook;
  /** In the arbiter, when it reloads. */
  onReload: ServerHook;
  /** In a worker, before the application is loaded. */
  postFork: WorkerHook;
  /** In a worker that INT or QUIT stops. */
  workerInt: WorkerHook;
  /** In a worker that is about to be killed because of `timeout`. */
  workerAbort: WorkerHook;
  /** In the arbiter, after a worker has ended. */
  childExit: BothHook;
  /** In the arbiter, before it exits. */
  onExit: ServerHook;
}

/** The settings of this topic. */
export const hooks: Topic<HookSettings> = {
  onStarting: {
    kind: hook(),
    default: null,
    help: "`(server)`: in the arbiter, before the first worker is started.",
  },
  whenReady: {
    kind: hook(),
    default: null,
    help: "`(server)`: in the arbiter, once all workers are ready for the first time.",
  },
  onReload: {
    kind: hook(),
    default: null,
    help: "`(server)`: in the arbiter, at SIGHUP, after the configuration has been read anew.",
  },
  postFork: {
    kind: hook(),
    default: null,
    help: "`(worker)`: in each worker, before the application is loaded.",
  },
  workerInt: { kind: hook(), default: null, help: "`(worker)`: in a worker that SIGINT or SIGQUIT ends." },
  workerAbort: {
    kind: hook(),
    default: null,
    help: "`(worker)`: in a worker past its `timeout`. It is sent SIGABRT, and SIGKILL a second later; the hook is " +
      "called if the event loop comes free in between.",
  },
  childExit: {
    kind: hook(),
    default: null,
    help: "`(server, worker)`: in the arbiter, after a worker has ended.",
  },
  onExit: { kind: hook(), default: null, help: "`(server)`: in the arbiter, before it exits." },
};
