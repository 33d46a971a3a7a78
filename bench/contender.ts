/**
 * A measured server: its process, its port, and its CPU time and memory as the system reports them.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "node:net";
import process from "node:process";
import type { Contestant } from "./contestants.ts";
import { pinned, type Side } from "./machine.ts";
import { READY } from "./peers.ts";
import { cpu, family, resident } from "./proc.ts";
import type { Job } from "./workloads.ts";

const START_DEADLINE = 20_000; // ms
const STOP_DEADLINE = 5_000; // ms

/** A running server. */
export class Contender {
  readonly name: string;
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(name: string, child: ChildProcess, port: number) {
    this.name = name;
    this.#child = child;
    this.port = port;
  }

  /** Starts a server for a job, on the core of servers unless told otherwise, and waits until it listens. */
  static async start(contestant: Contestant, job: Job, side: Side = "server"): Promise<Contender> {
    const [command, ...args] = pinned(side, contestant.command(job));
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: contestant.cwd ?? process.cwd(),
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", NODE_ENV: "production" },
    });
    const port = await new Promise<number>((resolve, reject) => {
      let output = "";
      const fail = (why: string): void => {
        clearTimeout(timer);
        child.kill("SIGKILL");
        reject(new Error(`${contestant.name}, ${job}: ${why}\n${output}`));
      };
      const timer = setTimeout(() => fail("did not get ready in time"), START_DEADLINE);
      child.once("error", (error) => fail(error.message));
      const early = (code: number | null, signal: string | null): void => fail(`exited with ${code ?? signal}`);
      let found = false;
      child.once("exit", early);
      const hear = (text: string): void => {
        if (found) return; // keep reading, or the server would block on a full pipe
        output += text;
        const match = READY.exec(output);
        if (match === null) return;
        found = true;
        clearTimeout(timer);
        child.off("exit", early);
        resolve(Number(match[1]));
      };
      child.stdout!.setEncoding("utf8").on("data", hear);
      child.stderr!.setEncoding("utf8").on("data", hear);
    });
    const contender = new Contender(contestant.name, child, port);
    const end = performance.now() + START_DEADLINE;
    while (!await answers(port)) { // gunicorn and uWSGI bind before their workers run
      if (performance.now() > end) throw new Error(`${contestant.name} does not answer on its port`);
      await pause(20);
    }
    return contender;
  }

  /** The ids of the process and of its children. */
  get pids(): number[] {
    return family(this.#child.pid as number);
  }

  /** CPU time so far, in microseconds. */
  cpu(): number {
    return cpu(this.pids);
  }

  /** Resident memory in KiB. */
  resident(): number {
    return resident(this.pids);
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.kill("SIGTERM"); // gunicorn and uWSGI end their workers
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_DEADLINE);
    await gone;
    clearTimeout(timer);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
