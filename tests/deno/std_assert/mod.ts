/**
 * Stands in for `jsr:@std/assert` where JSR cannot be reached: the few functions our tests use, over `node:assert`.
 * `npm run test:deno` maps `@std/assert` here with `import_map.json`; the declared dependency, in deno.json, is the real one.
 *
 * @module
 */

import { AssertionError } from "node:assert";
import { isDeepStrictEqual } from "node:util";

// deno-lint-ignore no-explicit-any -- as in @std/assert: constructors with whatever parameters.
type AnyConstructor<T> = abstract new (...args: any[]) => T;
type ErrorConstructorOf<E extends Error> = AnyConstructor<E>;

/** Fails at once. */
export function fail(msg?: string): never {
  throw new AssertionError({ message: msg ? `Failed assertion: ${msg}` : "Failed assertion" });
}

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError({ message: msg });
}

/** Fails unless the two are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!isDeepStrictEqual(actual, expected)) {
    throw new AssertionError({ message: msg, actual, expected, operator: "deepStrictEqual" });
  }
}

/** Fails if the two are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (isDeepStrictEqual(actual, expected)) {
    throw new AssertionError({ message: msg, actual, expected, operator: "notDeepStrictEqual" });
  }
}

/** Fails unless the two are the same, by `Object.is`. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (!Object.is(actual, expected)) {
    throw new AssertionError({ message: msg, actual, expected, operator: "strictEqual" });
  }
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    fail(msg ?? `Expected ${JSON.stringify(actual)} to contain ${JSON.stringify(expected)}`);
  }
}

/** Fails unless `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) fail(msg ?? `Expected ${JSON.stringify(actual)} to match ${expected}`);
}

/** Fails unless `actual` is an instance of `expectedType`. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: AnyConstructor<T>,
  msg = `Expected an instance of ${expectedType.name}`,
): asserts actual is T {
  if (!(actual instanceof expectedType)) fail(msg);
}

/** Fails unless `fn` throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an `ErrorClass` whose message includes `msgIncludes`; returns it. */
export function assertThrows<E extends Error>(
  fn: () => unknown,
  ErrorClass: ErrorConstructorOf<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: ErrorConstructorOf<Error> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  let thrown: unknown;
  try {
    fn();
  } catch (error) {
    thrown = error;
    checkError(thrown, classOrMsg, msgIncludes, msg);
    return thrown;
  }
  return fail(messageOf(classOrMsg, msg) ?? "Expected function to throw");
}

/** Fails unless `fn` gives a promise that rejects; returns the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless `fn` gives a promise that rejects with an `ErrorClass` whose message includes `msgIncludes`. */
export function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorConstructorOf<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorConstructorOf<Error> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  // Outside the try: a function that throws instead of giving a promise has not rejected.
  const promise = fn();
  try {
    await promise;
  } catch (error) {
    checkError(error, classOrMsg, msgIncludes, msg);
    return error;
  }
  return fail(messageOf(classOrMsg, msg) ?? "Expected function to reject");
}

function messageOf(classOrMsg: ErrorConstructorOf<Error> | string | undefined, msg?: string): string | undefined {
  return typeof classOrMsg === "string" ? classOrMsg : msg;
}

function checkError(
  error: unknown,
  classOrMsg: ErrorConstructorOf<Error> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): void {
  if (typeof classOrMsg !== "function") return;
  assertInstanceOf(error, classOrMsg, msg);
  if (msgIncludes !== undefined) assertStringIncludes(error.message, msgIncludes, msg);
}
