/**
 * Reads the records of the applications and opens their gates: by HTTP, directly and not through a front end, or in files.
 *
 * @module
 */

import type { Entry } from "./apps/record.ts";
import { FileStore } from "./apps/files.ts";
import { Client } from "./client.ts";
import { bytesOf } from "./response.ts";

/** The memory of a cell. */
export interface Memory {
  /** Returns the records of the applications under a key. */
  record(key: string): Promise<Entry>;
  /** Opens a gate. */
  release(key: string, name: string): Promise<void>;
  /** Returns the log text from an offset on, and the offset of its end. */
  log(from: number): Promise<{ readonly size: number; readonly text: string }>;
}

/** The records of a process that serves them by HTTP. */
export class ServedMemory implements Memory {
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  async #json<T>(target: string): Promise<T> {
    const client = await Client.connect(this.#port);
    try {
      await client.request("GET", target, { headers: [["Connection", "close"]] });
      const response = await client.response();
      if (response.status !== 200) throw new Error(`${target} answered ${response.status}`);
      return JSON.parse(bytesOf(response).toString("utf8")) as T;
    } finally {
      client.dispose();
    }
  }

  record(key: string): Promise<Entry> {
    return this.#json(`/record?key=${key}`);
  }

  async release(key: string, name: string): Promise<void> {
    await this.#json(`/release?key=${key}&name=${name}`);
  }

  log(from: number): Promise<{ readonly size: number; readonly text: string }> {
    return this.#json(`/log?from=${from}`);
  }
}

/** The records of short-lived processes, which write them to a directory. */
export class KeptMemory implements Memory {
  readonly #store: FileStore;

  constructor(directory: string) {
    this.#store = new FileStore(directory);
  }

  record(key: string): Promise<Entry> {
    return Promise.resolve(this.#store.read(key));
  }

  release(key: string, name: string): Promise<void> {
    this.#store.open(key, name);
    return Promise.resolve();
  }

  log(from: number): Promise<{ readonly size: number; readonly text: string }> {
    const text = this.#store.log();
    return Promise.resolve({ size: text.length, text: text.slice(from) });
  }
}
