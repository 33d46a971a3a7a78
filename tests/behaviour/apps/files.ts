/**
 * A store in a directory, for applications of which every request is a process of its own (CGI).
 *
 * An entry is a file of one JSON line for each property that was set; the last one counts. It is read again at each
 * look, so that all processes, and the test, see the same. A gate is a file that is there once the gate is open.
 *
 * @module
 */

import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry, Store } from "./record.ts";

const LOOK = 3; // ms between two looks at a gate

function textOf(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** What is kept below a directory. */
export class FileStore implements Store {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  #file(name: string): string {
    return join(this.#directory, encodeURIComponent(name));
  }

  /** The properties of an entry, as they are now. */
  read(key: string): Entry {
    const entry: Entry = { key };
    for (const line of textOf(this.#file(`entry ${key}`)).split("\n")) {
      if (line !== "") Object.assign(entry, JSON.parse(line));
    }
    return entry;
  }

  entry(key: string): Entry {
    const file = this.#file(`entry ${key}`);
    return new Proxy<Entry>({}, {
      get: (_, name) => this.read(key)[name as string],
      ownKeys: () => Object.keys(this.read(key)),
      getOwnPropertyDescriptor: (_, name) => ({
        value: this.read(key)[name as string],
        writable: true,
        enumerable: true,
        configurable: true,
      }),
      set: (_, name, value) => {
        appendFileSync(file, `${JSON.stringify({ [name as string]: value })}\n`);
        return true;
      },
    });
  }

  open(key: string, name: string): void {
    writeFileSync(this.#file(`gate ${key} ${name}`), "");
  }

  opened(key: string, name: string): Promise<void> {
    const file = this.#file(`gate ${key} ${name}`);
    return new Promise((resolve) => {
      const look = (): void => {
        if (existsSync(file)) resolve();
        else setTimeout(look, LOOK);
      };
      look();
    });
  }

  append(text: string): void {
    appendFileSync(this.#file("log"), text);
  }

  log(): string {
    return textOf(this.#file("log"));
  }
}
