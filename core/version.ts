/**
 * The version of tsgi, as `SERVER_SOFTWARE` states it.
 *
 * @module
 */

/** Version of this package, `"major.minor.patch"`; equal to that in package.json and deno.json. */
export const VERSION: string = "0.1.0";
