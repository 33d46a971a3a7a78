/**
 * Suggests a name for a misspelt option, variable or setting. The error message offers the known name that differs from
 * the given one by the fewest letters.
 *
 * @module
 */

const MOST_CHANGES = 3; // in a long name; fewer in a short one

/** Returns ` (did you mean NAME?)` with the nearest of `names`; an empty text if none is near. */
export function suggestion(given: string, names: readonly string[]): string {
  let nearest = "";
  let least = Math.min(MOST_CHANGES, Math.floor(given.length / 3)) + 1;
  for (const name of names) {
    const changes = changesBetween(given, name);
    if (changes >= least) continue;
    least = changes;
    nearest = name;
  }
  return nearest === "" ? "" : ` (did you mean ${nearest}?)`;
}

/** The Levenshtein distance: the number of letters to insert, delete or replace to get from one word to another. */
function changesBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
