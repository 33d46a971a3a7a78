/**
 * What the applications under test remember, and how a test reaches it from outside.
 *
 * Each test has a key of its own and gives it as `?key=`. Under that key an application keeps counts and values that
 * only show after the response (close() calls, errors it caught, whether the signal fired), and waits at gates that
 * the test opens with `/release`. Log text comes in through `errorLog` and is served by `/log`. Nothing here
 * knows a runtime.
 *
 * @module
 */

import type { Body, Environ, StartResponse } from "../../../core/gateway/types.ts";

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

const entries = new Map<string, Entry>();
const gates = new Map<string, { readonly opened: Promise<void>; readonly open: () => void }>();
let logged = "";

/** The entry of a key, made when it is first asked for. */
export function entryOf(key: string): Entry {
  let entry = entries.get(key);
  if (entry === undefined) entries.set(key, entry = { key });
  return entry;
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

function gateOf(id: string): { readonly opened: Promise<void>; readonly open: () => void } {
  let gate = gates.get(id);
  if (gate === undefined) {
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => open = resolve);
    gates.set(id, gate = { opened, open });
  }
  return gate;
}

/** Waits until the test opens the gate; `waiting` is counted first, so that the test can wait for that. */
export function gate(entry: Entry, name: string = "gate"): Promise<void> {
  bump(entry, "waiting");
  return gateOf(`${String(entry.key)} ${name}`).opened;
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
  logged += text.endsWith("\n") ? text : `${text}\n`;
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
  log: (_environ, startResponse, query) =>
    json(startResponse, { size: logged.length, text: logged.slice(Number(query.get("from"))) }),
  release: (_environ, startResponse, query, entry) => {
    gateOf(`${String(entry.key)} ${query.get("name") ?? "gate"}`).open();
    return json(startResponse, {});
  },
};
