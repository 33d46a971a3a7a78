/**
 * The tools of a case: a cell, a key of its own, and functions that wait for conditions.
 *
 * A case has a title that begins with its rule, a check, and a table of the cells where it does not apply, with the
 * reasons. A cell is named by any of its names (see `namesOf`). There is no other way to leave a cell out.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import type { Dump } from "./apps/environ.ts";
import type { Entry } from "./apps/record.ts";
import type { VariantName } from "./apps/app.ts";
import type { CellPlan, RunningCell } from "./cell.ts";
import { Client, DEADLINE, type RequestInit } from "./client.ts";
import { textOf, type WireResponse } from "./response.ts";

/** One behaviour and how it is checked. */
export interface Case {
  /** Begins with the name of the rule. */
  readonly title: string;
  readonly check: (t: Trial) => Promise<void>;
  /** The cells where the case does not apply, by any of their names, with the reasons. */
  readonly not?: Readonly<Record<string, string>>;
  /** Milliseconds that the case may take, if it needs more than usual. */
  readonly timeout?: number;
}

/**
 * The names of a cell, the narrowest first: `nginx-scgi-bun`; then, behind a front end, `nginx-scgi`, `scgi` and
 * `nginx`; then its kind, `socket`, `fetch` or `front`.
 */
export function namesOf(plan: CellPlan): readonly string[] {
  return [plan.name, ...plan.labels ?? [], plan.kind];
}

/** Returns the reason why a case is left out in a cell, or null if it has to run. */
export function exclusion(one: Case, plan: CellPlan): string | null {
  for (const name of namesOf(plan)) if (one.not?.[name] !== undefined) return one.not[name];
  return null;
}

let trials = 0;

/** One run of one case against one cell. */
export class Trial {
  readonly cell: RunningCell;
  /** The key of this run. */
  readonly key: string;
  #clients: Client[] = [];
  #logFrom = 0;

  private constructor(cell: RunningCell) {
    this.cell = cell;
    this.key = `k${++trials}`;
  }

  /** Begins a trial. Log text from now on belongs to it. */
  static async begin(cell: RunningCell): Promise<Trial> {
    const trial = new Trial(cell);
    trial.#logFrom = (await cell.memory.log(0)).size;
    return trial;
  }

  /** What `wsgi.url_scheme` has to be. */
  get scheme(): "http" | "https" {
    return this.cell.plan.tls === true ? "https" : "http";
  }

  /** Frees the connections. */
  end(): void {
    for (const client of this.#clients) client.dispose();
  }

  /** Opens a connection. */
  async connect(variant: VariantName = "main"): Promise<Client> {
    const client = await Client.connect(this.cell.ports[variant], this.cell.ca);
    this.#clients.push(client);
    return client;
  }

  /** A target with the key of this trial in its query. */
  target(path: string): string {
    return `${path}${path.includes("?") ? "&" : "?"}key=${this.key}`;
  }

  /** Opens a connection and sends a request with the key. Does not wait for the response. */
  async open(
    path: string,
    init: RequestInit & { method?: string } = {},
    variant: VariantName = "main",
  ): Promise<Client> {
    const client = await this.connect(variant);
    await client.request(init.method ?? "GET", this.target(path), init);
    return client;
  }

  /**
   * Fields of a request whose response is to be cut off: a front end may keep the connection for a while after such a
   * one, unless it is to be the last one.
   */
  get last(): readonly (readonly [string, string])[] {
    return this.cell.plan.kind === "front" ? [["Connection", "close"]] : [];
  }

  /** `open` with these fields. */
  openLast(path: string, init: RequestInit = {}): Promise<Client> {
    return this.open(path, { ...init, headers: this.last });
  }

  /** Sends a request on a new connection, and waits for its complete response. */
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

  /**
   * The next response, which must be cut off; null when a front end gives nothing of it, because it saw the end before
   * it had sent anything: it closes, or answers 5xx in its own words.
   */
  async truncated(client: Client): Promise<WireResponse | null> {
    if (this.cell.plan.kind !== "front") return await client.truncated();
    await client.until("the end", () => client.over || client.reader.finals.at(-1)?.complete === true);
    const response = client.reader.finals.at(-1);
    return response === undefined || response.status >= 500 ? null : await client.truncated();
  }

  /** Returns the records under the key. */
  record(): Promise<Entry> {
    return this.cell.memory.record(this.key);
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
    await this.cell.memory.release(this.key, name);
  }

  /** Log text since the trial began. */
  async log(): Promise<string> {
    return (await this.cell.memory.log(this.#logFrom)).text;
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
   * Lets the server do whatever it would do: several requests, one after the other, each through the same event loop,
   * and behind a front end one through that too. Before a check that something has *not* happened.
   */
  async fence(): Promise<void> {
    for (let i = 0; i < 5; i++) {
      await this.record();
      await pause(2);
    }
    if (this.cell.plan.kind === "front") await this.text("/ok");
  }
}
