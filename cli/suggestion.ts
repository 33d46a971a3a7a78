/**
 * What somebody may have meant who misspelt a name: an unknown option, variable or setting is refused, and the message
 * then offers the name that takes the fewest changes of a letter.
 *
 * @module
 */

const MOST_CHANGES = 3; // of a long name; a short one has room for fewer

/** ` (did you mean NAME?)` with the nearest of `names`; empty text where none is near. */
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

/** The number of letters to insert, delete or replace to get from one word to another (Levenshtein's distance). */
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
