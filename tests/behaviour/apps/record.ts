/**
 * What the applications under test remember, and how a test reaches it from outside.
 *
 * Each test has a key of its own and gives it as `?key=`. Under that key an application keeps counts and values that
 * only show after the response (close() calls, errors it caught, whether the signal fired), and waits at gates that
 * the test opens with `/release`. Log text comes in through `errorLog` and is served by `/log`. Nothing here
 * knows a runtime. Where it is kept is a `Store`: memory, unless every request is a process of its own (files.ts).
 *
 * @module
 */

import type { Body, Environ, StartResponse } from "../../../core/contract/types.ts";

/** What is remembered under one key. */
export type Entry = Record<string, unknown>;

/** One small application: the two arguments of WSGI, the parsed query, and what is remembered under its key. */
export type Small = (
  environ: Environ,
  startResponse: StartResponse,
  query: URLSearchParams,
  entry: Entry,
) => Body | Promise<Body>;

/** Small applications by the first segment of PATH_INFO. */
export type Table = Readonly<Record<string, Small>>;

/** Where it is kept. */
export interface Store {
  /** The entry of a key, made when it is first asked for. */
  entry(key: string): Entry;
  /** Opens a gate, now or before anyone waits at it. */
  open(key: string, name: string): void;
  /** Settles when the gate is opened. */
  opened(key: string, name: string): Promise<void>;
  /** Appends to the log. */
  append(text: string): void;
  /** The whole log. */
  log(): string;
}

/** A store in the memory of one process. */
export class MemoryStore implements Store {
  #entries = new Map<string, Entry>();
  #gates = new Map<string, { readonly opened: Promise<void>; readonly open: () => void }>();
  #log = "";

  entry(key: string): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) this.#entries.set(key, entry = { key });
    return entry;
  }

  #gate(id: string): { readonly opened: Promise<void>; readonly open: () => void } {
    let gate = this.#gates.get(id);
    if (gate === undefined) {
      let open = (): void => {};
      const opened = new Promise<void>((resolve) => open = resolve);
      this.#gates.set(id, gate = { opened, open });
    }
    return gate;
  }

  open(key: string, name: string): void {
    this.#gate(`${key} ${name}`).open();
  }

  opened(key: string, name: string): Promise<void> {
    return this.#gate(`${key} ${name}`).opened;
  }

  append(text: string): void {
    this.#log += text;
  }

  log(): string {
    return this.#log;
  }
}

let store: Store = new MemoryStore();

/** Keeps everything elsewhere from now on. */
export function useStore(other: Store): void {
  store = other;
}

/** The entry of a key, made when it is first asked for. */
export function entryOf(key: string): Entry {
  return store.entry(key);
}

/** Adds one to a count. */
export function bump(entry: Entry, name: string): void {
  entry[name] = (entry[name] as number | undefined ?? 0) + 1;
}

/** Appends to a list. */
export function note(entry: Entry, name: string, value: unknown): void {
  entry[name] = [...(entry[name] as unknown[] | undefined ?? []), value];
}

/** What a test may know of an error. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

/** Waits until the test opens the gate; `waiting` is counted first, so that the test can wait for that. */
export function gate(entry: Entry, name: string = "gate"): Promise<void> {
  bump(entry, "waiting");
  return store.opened(String(entry.key), name);
}

/** Settles when the gate opens or the signal fires, whichever comes first. */
export function gateOrSignal(entry: Entry, signal: AbortSignal): Promise<void> {
  const gone = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  return Promise.race([gate(entry), gone]);
}

/** Remembers whether, and how often, the signal fires. */
export function watchSignal(environ: Environ, entry: Entry): AbortSignal {
  const signal = environ["tsgi.request"].signal;
  signal.addEventListener("abort", () => {
    bump(entry, "aborted");
    entry.reason = nameOf(signal.reason);
  });
  return signal;
}

/** Adds a `close()` that is counted. */
export function counted<B extends object>(body: B, entry: Entry): B & { close(): void } {
  return Object.assign(body, { close: () => bump(entry, "closed") });
}

/** The `errorLog` of every server under test. */
export function errorLog(text: string): void {
  store.append(text.endsWith("\n") ? text : `${text}\n`);
}

/** Sends a value as JSON with a Content-Length. */
export function json(startResponse: StartResponse, value: unknown): Body {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  startResponse("200 OK", [["Content-Type", "application/json"], ["Content-Length", String(bytes.length)]]);
  return [bytes];
}

/** The routes a test controls a cell by. */
export const control: Table = {
  ok: (_environ, startResponse) => {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return ["ok"];
  },
  record: (_environ, startResponse, _query, entry) => json(startResponse, entry),
  log: (_environ, startResponse, query) => {
    const logged = store.log();
    return json(startResponse, { size: logged.length, text: logged.slice(Number(query.get("from"))) });
  },
  release: (_environ, startResponse, query, entry) => {
    store.open(String(entry.key), query.get("name") ?? "gate");
    return json(startResponse, {});
  },
};
