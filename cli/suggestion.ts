/**
 * Suggests a name for a misspelt option, variable or setting, as text for a message.
 *
 * @module
 */

import { nearest } from "../core/errors.ts";

/** Returns ` (did you mean NAME?)` with the nearest of `names`; an empty text if none is near. */
export function suggestion(given: string, names: readonly string[]): string {
  const meant = nearest(given, names);
  return meant === undefined ? "" : ` (did you mean ${meant}?)`;
}
