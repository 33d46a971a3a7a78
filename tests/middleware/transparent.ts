/**
 * The middleware that changes nothing of an application that does not need it. The behaviour suite runs through all of
 * them at once.
 *
 * @module
 */

import { compress, conditionalGet, staticFiles } from "../../middleware/mod.ts";
import type { ApplicationFunction } from "../../mod.ts";

/** Wraps an application. */
export type Middleware = (app: ApplicationFunction) => ApplicationFunction;

/** All of them, the outermost first. */
export const transparent: readonly Middleware[] = [
  conditionalGet,
  compress,
  // A folder in which no path of the suite is a file.
  (next) => staticFiles(new URL("programs", import.meta.url), { next, index: false }),
];
