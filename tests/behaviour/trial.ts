/**
 * What a case gets to work with: a cell, a key of its own, and verbs that wait for conditions.
 *
 * A case is a title that begins with its rule, a check, and where it does not apply, the reason, as data: `not.fetch`
 * for both fetch cells, or a cell's name. There is no other way to leave a cell out.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import type { Dump } from "./apps/environ.ts";
import type { Entry } from "./apps/record.ts";
import type { VariantName } from "./apps/app.ts";
import type { Cell } from "./cell.ts";
import { Client, DEADLINE, type RequestInit } from "./client.ts";
import { bytesOf, textOf, type WireResponse } from "./response.ts";

/** One behaviour and how it is checked. */
export interface Case {
  /** Begins with the name of the rule. */
  readonly title: string;
  readonly check: (t: Trial) => Promise<void>;
  /** Cells (or `fetch`: both fetch cells) that the case says nothing about, each with the reason. */
  readonly not?: Readonly<Record<string, string>>;
  /** Milliseconds the case may take, when it is more than usual. */
  readonly timeout?: number;
}

/** Why a case is left out in a cell, or null when it is to be run. */
export function exclusion(one: Case, cell: { readonly name: string; readonly kind: string }): string | null {
  return one.not?.[cell.name] ?? one.not?.[cell.kind] ?? null;
}

let trials = 0;

/** One run of one case against one cell. */
export class Trial {
  readonly cell: Cell;
  /** The key of this run. */
  readonly key: string;
  #clients: Client[] = [];
  #logFrom = 0;

  private constructor(cell: Cell) {
    this.cell = cell;
    this.key = `k${++trials}`;
  }

  /** Begins a trial; log text from now on counts as its own. */
  static async begin(cell: Cell): Promise<Trial> {
    const trial = new Trial(cell);
    trial.#logFrom = (await trial.#json<{ size: number }>("/log?from=0")).size;
    return trial;
  }

  /** Frees the connections. */
  end(): void {
    for (const client of this.#clients) client.dispose();
  }

  /** Opens a connection. */
  async connect(variant: VariantName = "main"): Promise<Client> {
    const client = await Client.connect(this.cell.ports[variant]);
    this.#clients.push(client);
    return client;
  }

  /** A target with the key of this trial in its query. */
  target(path: string): string {
    return `${path}${path.includes("?") ? "&" : "?"}key=${this.key}`;
  }

  /** Opens a connection and sends a request with the key; the response is not waited for. */
  async open(
    path: string,
    init: RequestInit & { method?: string } = {},
    variant: VariantName = "main",
  ): Promise<Client> {
    const client = await this.connect(variant);
    await client.request(init.method ?? "GET", this.target(path), init);
    return client;
  }

  /** One request on a connection of its own, and its complete response. */
  async ask(
    path: string,
    init: RequestInit & { method?: string } = {},
    variant: VariantName = "main",
  ): Promise<WireResponse> {
    const client = await this.open(path, init, variant);
    const response = await client.response();
    client.dispose();
    return response;
  }

  /** The text of a 200 response. */
  async text(
    path: string,
    init: RequestInit & { method?: string } = {},
    variant: VariantName = "main",
  ): Promise<string> {
    const response = await this.ask(path, init, variant);
    if (response.status !== 200) {
      throw new Error(`${path} answered ${response.status}: ${textOf(response).slice(0, 200)}`);
    }
    return textOf(response);
  }

  /** The environ that a request made. */
  async environ(
    target: string,
    init: RequestInit & { method?: string } = {},
    variant: VariantName = "main",
  ): Promise<Dump> {
    const client = await this.connect(variant);
    await client.request(init.method ?? "GET", target, init);
    const response = await client.response();
    client.dispose();
    if (response.status !== 200) throw new Error(`${target} answered ${response.status}`);
    return JSON.parse(textOf(response)) as Dump;
  }

  async #json<T>(target: string): Promise<T> {
    const client = await Client.connect(this.cell.ports.main);
    try {
      await client.request("GET", target, { headers: [["Connection", "close"]] });
      const response = await client.response();
      if (response.status !== 200) throw new Error(`${target} answered ${response.status}`);
      return JSON.parse(bytesOf(response).toString("utf8")) as T;
    } finally {
      client.dispose();
    }
  }

  /** What the applications remembered under the key. */
  record(): Promise<Entry> {
    return this.#json(this.target("/record"));
  }

  /** Asks for the record until it satisfies the predicate. */
  async until(what: string, predicate: (entry: Entry) => boolean, deadline: number = DEADLINE): Promise<Entry> {
    const end = performance.now() + deadline;
    for (;;) {
      const entry = await this.record();
      if (predicate(entry)) return entry;
      if (performance.now() > end) throw new Error(`Waited ${deadline} ms for ${what}: ${JSON.stringify(entry)}`);
      await pause(5);
    }
  }

  /** Opens a gate of an application. */
  async release(name: string = "gate"): Promise<void> {
    await this.#json(this.target(`/release?name=${name}`));
  }

  /** Log text since the trial began. */
  async log(): Promise<string> {
    return (await this.#json<{ text: string }>(`/log?from=${this.#logFrom}`)).text;
  }

  /** Waits until the log of this trial matches. */
  async logged(pattern: RegExp, deadline: number = DEADLINE): Promise<string> {
    const end = performance.now() + deadline;
    for (;;) {
      const text = await this.log();
      if (pattern.test(text)) return text;
      if (performance.now() > end) {
        throw new Error(`Waited ${deadline} ms for log ${pattern}: ${JSON.stringify(text.slice(0, 600))}`);
      }
      await pause(5);
    }
  }

  /**
   * Lets the server do whatever it would do: several requests, one after the other, each through the same event loop.
   * Before a check that something has *not* happened.
   */
  async fence(): Promise<void> {
    for (let i = 0; i < 5; i++) {
      await this.#json(this.target("/record"));
      await pause(2);
    }
  }
}
