/**
 * Checks of the options that functions of `tsgi/http` and `tsgi/middleware` take.
 *
 * A name that is misspelt would be ignored, and the default would hold: `cors({ origins: [...] })` would let every site
 * read. TypeScript reports such a name only where it sees the object, so each function checks the names itself.
 *
 * @module
 */

import { describe, isPlainObject, nearest } from "../core/errors.ts";

/** The names of all options of a function. The compiler checks that none is missing. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/**
 * Refuses what is not a plain object, and names that are not those of options.
 *
 * @param name Name of the function, for the message.
 * @throws {TypeError} naming the function, the option, and the nearest name of an option.
 *
 * @example
 * ```ts
 * import { checkOptions } from "./options.ts";
 * checkOptions("text", { status: 404 }, { status: true, headers: true });
 * try {
 *   checkOptions("text", { statuss: 404 } as object, { status: true, headers: true });
 * } catch (error) {
 *   console.assert((error as Error).message === 'text: there is no option "statuss"; did you mean "status"?');
 * }
 * ```
 */
export function checkOptions(
  name: string,
  options: object,
  known: Readonly<Record<string, true>>,
): void {
  checkObject(name, options, "");
  for (const option of Object.keys(options)) {
    if (Object.hasOwn(known, option)) continue;
    const names = Object.keys(known);
    const meant = nearest(option, names);
    const hint = meant !== undefined
      ? `did you mean "${meant}"?`
      : names.length > 0
      ? `the options are ${names.join(", ")}`
      : "it takes none";
    throw new TypeError(`${name}: there is no option ${JSON.stringify(option)}; ${hint}`);
  }
}

/**
 * Checks the options of a function that makes middleware. Who leaves out the call of that function gives it an application
 * in their place: `errorPage(app)`.
 *
 * @param call How the function is called, for the message: `"errorPage()"`.
 * @throws {TypeError} as {@linkcode checkOptions} does.
 */
export function checkMiddlewareOptions(
  name: string,
  options: object,
  known: Readonly<Record<string, true>>,
  call: string = `${name}()`,
): void {
  checkMiddlewareObject(name, options, call);
  checkOptions(name, options, known);
}

/** The first half of {@linkcode checkMiddlewareOptions}, for a function whose options have any name. */
export function checkMiddlewareObject(name: string, options: unknown, call: string = `${name}()`): void {
  checkObject(name, options, typeof options === "function" ? `; write ${call}(app)` : "");
}

function checkObject(name: string, options: unknown, advice: string): void {
  if (isPlainObject(options)) return;
  throw new TypeError(`${name}: expected an object of options, got ${describe(options)}${advice}`);
}

/**
 * Refuses header fields that are not a list, such as `{ "X-A": "b" }`. `startResponse` checks the pairs themselves.
 *
 * @throws {TypeError} naming the function.
 */
export function checkHeaders(name: string, headers: unknown): void {
  if (headers === undefined || Array.isArray(headers)) return;
  throw new TypeError(
    `${name}: expected a list of pairs as headers, such as [["X-Name", "value"]], got ${describe(headers)}`,
  );
}
