/**
 * Checks that are written once and run on every runtime: a name and a function that throws when something is wrong.
 *
 * This module uses no test runner. `run` prints each result as a line of JSON, and `portable.ts` reads it.
 *
 * @module
 */

/** One check. */
export interface Check {
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

/** The prefix of each result on standard output. */
export const MARK = "check-result ";

/** The result of a check. */
export interface Result {
  readonly name: string;
  readonly error: string | null;
}

const DEADLINE = 10_000; // ms for one check

/** Runs checks one after the other, and prints a {@linkcode Result} for each. */
export async function run(checks: readonly Check[]): Promise<void> {
  for (const check of checks) console.log(MARK + JSON.stringify({ name: check.name, error: await outcome(check) }));
}

async function outcome(check: Check): Promise<string | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not done after ${DEADLINE} ms`)), DEADLINE);
  });
  try {
    await Promise.race([(async () => await check.run())(), late]);
    return null;
  } catch (error) {
    return error instanceof Error ? `${error.stack ?? ""}\n${error.message}` : String(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Fails unless the two are deeply equal. */
export function equal(actual: unknown, expected: unknown, what: string = ""): void {
  if (!same(actual, expected)) throw new Error(`${what} Expected ${show(expected)}, got ${show(actual)}`);
}

/** Fails unless `holds`. */
export function ok(holds: unknown, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** What `action` throws or rejects with; an error when it does neither. */
export async function thrownBy(action: () => unknown): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  throw new Error("Nothing was thrown");
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const keys = Object.keys(a);
  if (Array.isArray(a) !== Array.isArray(b) || keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]));
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, part) => part === undefined ? "undefined" : part) ?? String(value);
}

/** Bytes as latin-1 text. */
export function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => String.fromCharCode(octet)).join("");
}
