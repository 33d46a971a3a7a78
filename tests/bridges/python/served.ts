/**
 * The server of `main.ts` as the tests of the bridge see it.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Runtime, ServerProcess } from "../../server_process.ts";

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Uint8Array;
  readonly text: string;
  /** Whether the response was complete. */
  readonly complete: boolean;
}

/** A running server. */
export class Served {
  readonly process: ServerProcess;
  readonly folder: string;
  readonly ports: Readonly<Record<"http" | "fastcgi" | "scgi" | "uwsgi", number>>;

  private constructor(process: ServerProcess, folder: string) {
    this.process = process;
    this.folder = folder;
    this.ports = JSON.parse(process.ready[0]).ports;
  }

  static async start(
    runtime: Runtime,
    application: string,
    options: Record<string, unknown> = {},
    env: Record<string, string> = {},
  ): Promise<Served> {
    const folder = mkdtempSync(join(tmpdir(), "tsgi-suite-"));
    writeFileSync(join(folder, "large.bin"), new Uint8Array(20 * 1024 * 1024).map((_, i) => i % 251));
    const starting = ServerProcess.start(runtime, "tests/bridges/python/main.ts", /^\{"ports".*\}$/m, {
      flags: ["-A"],
      args: [application, JSON.stringify(options)],
      env: { SUITE_FOLDER: folder, TMPDIR: folder, PYTHONDONTWRITEBYTECODE: "1", ...env },
    });
    const process = await starting.catch((error) => {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    });
    return new Served(process, folder);
  }

  /** What the server has printed last: the ids of the Python processes, and what has happened. */
  get told(): { pids: number[]; reload?: string; closed?: boolean } {
    const lines = this.process.output.split("\n").filter((line) => line.startsWith("{"));
    return JSON.parse(lines.at(-1) as string);
  }

  /** Sends a request and reads its answer. */
  ask(path: string, options: AskOptions = {}): Promise<Answer> {
    return ask(options.port ?? this.ports.http, path, options);
  }

  /** Opens a connection and sends the beginning of a request. */
  open(text: string): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.ports.http, "127.0.0.1", () => socket.write(text, "latin1", () => resolve(socket)));
      socket.once("error", reject);
    });
  }

  async stop(): Promise<void> {
    await this.process.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A request. */
export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | readonly (string | Uint8Array)[];
  readonly port?: number;
}

export function ask(
  port: number,
  path: string,
  { method = "GET", headers = {}, body = [] }: AskOptions = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, headers, agent: false });
    sent.once("error", reject);
    sent.once("response", (response) => {
      const blocks: Uint8Array[] = [];
      response.on("data", (block) => blocks.push(block));
      response.on("error", () => {});
      response.once("close", () => {
        const bytes = Buffer.concat(blocks);
        const { statusCode: status = 0, headers, complete } = response;
        resolve({ status, headers, bytes, text: bytes.toString(), complete });
      });
    });
    for (const block of Array.isArray(body) ? body : [body]) sent.write(block);
    sent.end();
  });
}

/** Waits until a condition holds. */
export async function until(what: string, holds: () => unknown, seconds = 10): Promise<void> {
  for (let tries = seconds * 50; !(await holds()); tries--) {
    if (tries === 0) throw new Error(`did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Whether a process runs. A zombie does not. */
export async function runs(pid: number): Promise<boolean> {
  const { readFileSync } = await import("node:fs");
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}
