/**
 * The page that lists a folder. It has no script, loads nothing, and every name in it is escaped.
 *
 * @module
 */

import { type Dirent, readdir, statSync } from "node:fs";
import { join } from "node:path";
import { escapeHtml } from "../../http/answer.ts";
import { isAbsence, isServedName, realPath } from "./path.ts";

/** The names in a folder that would be served, folders with a slash behind, sorted; undefined if it cannot be read. */
async function names(
  folder: string,
  segments: readonly string[],
  dotfiles: readonly string[],
): Promise<string[] | undefined> {
  let entries: Dirent[];
  try {
    const path = realPath(folder, segments, dotfiles);
    if (path === undefined) return undefined;
    entries = await new Promise((resolve, reject) =>
      readdir(path, { withFileTypes: true }, (error, found) => error ? reject(error) : resolve(found))
    );
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
  const kind = (entry: Dirent): string | undefined => {
    if (!entry.isSymbolicLink()) return entry.isDirectory() ? "/" : entry.isFile() ? "" : undefined;
    try {
      const target = realPath(folder, [...segments, entry.name], dotfiles);
      const stats = target === undefined ? undefined : statSync(target);
      return stats?.isDirectory() ? "/" : stats?.isFile() ? "" : undefined;
    } catch {
      return undefined; // it leads nowhere
    }
  };
  return entries.flatMap((entry) => {
    // A name whose octets are not UTF-8 has become another one, which nobody could ask for.
    if (!isServedName(entry.name, dotfiles) || entry.name.includes("\ufffd")) return [];
    const mark = kind(entry);
    return mark === undefined ? [] : [entry.name + mark];
  }).sort();
}

/**
 * Makes the page of a folder.
 *
 * @param folder The folder that is served.
 * @param segments The names that lead to the folder within it.
 * @param title The path as the client knows it.
 * @returns undefined if the folder cannot be read.
 *
 * @example
 * ```ts
 * import { listing } from "./listing.ts";
 * const page = await listing(import.meta.dirname as string, [], "/files/", []);
 * console.assert(page?.includes("<title>/files/</title>"));
 * ```
 */
export async function listing(
  folder: string,
  segments: readonly string[],
  title: string,
  dotfiles: readonly string[],
): Promise<string | undefined> {
  const found = await names(join(folder), segments, dotfiles);
  if (found === undefined) return undefined;
  // "./" keeps a name with a colon from being read as a scheme.
  const items = found.map((name) => {
    const href = name.endsWith("/") ? `${encodeURIComponent(name.slice(0, -1))}/` : encodeURIComponent(name);
    return `<li><a href="./${escapeHtml(href)}">${escapeHtml(name)}</a></li>`;
  });
  const parent = segments.length > 0 ? [`<li><a href="../">../</a></li>`] : [];
  const heading = escapeHtml(title);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${heading}</title></head>
<body>
<h1>${heading}</h1>
<ul>
${[...parent, ...items].join("\n")}
</ul>
</body>
</html>
`;
}

/** Fields of the page. */
export const LISTING_HEADERS: readonly (readonly [string, string])[] = [
  ["Content-Type", "text/html; charset=utf-8"],
  ["Cache-Control", "no-cache"],
  ["Content-Security-Policy", "default-src 'none'"],
  ["X-Content-Type-Options", "nosniff"],
];
