/**
 * From PATH_INFO to a file below a folder, and to no other file.
 *
 * Two checks, each of which would be enough against most attacks:
 *
 * - of the name: every segment of the path has to be an ordinary name. `..`, an empty segment, a backslash, a control
 *   character, a name that begins with a dot, and octets that are not UTF-8 are refused before the file system is asked.
 * - of the file: after all symbolic links are followed, the file has to be below the folder still.
 *
 * PATH_INFO is already percent-decoded, once, and is latin-1 text of octets (PEP 3333, "Unicode Issues"). What is still
 * encoded afterwards is part of a name: `%2e%2e` is a file of that name.
 *
 * @module
 */

import { realpathSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe } from "../../core/errors.ts";

const WINDOWS = process.platform === "win32";
const MOST_OCTETS = 4096; // PATH_MAX of Linux

// deno-lint-ignore no-control-regex
const NO_NAME = /[\x00-\x1f\x7f/\\]/;
/** Streams and drives (`:`), wildcards, names of devices with any extension, and dots and spaces that Windows cuts off. */
const NO_WINDOWS_NAME =
  /[:"<>|*?]|[. ]$|~\d|^(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9\xb9\xb2\xb3])(?:\.|$)/i;

// deno-lint-ignore no-control-regex
const ASCII = /^[\x00-\x7f]*$/;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Whether files of this name may be served.
 *
 * @param dotfiles Names with a leading dot that may be served too.
 * @param windows Whether the rules of Windows apply.
 *
 * @example
 * ```ts
 * import { isServedName } from "./path.ts";
 * console.assert(isServedName("a b.txt") && !isServedName("..") && !isServedName(".env"));
 * ```
 */
export function isServedName(name: string, dotfiles: readonly string[] = [], windows: boolean = WINDOWS): boolean {
  if (name === "" || NO_NAME.test(name) || (windows && NO_WINDOWS_NAME.test(name))) return false;
  return name[0] !== "." || (name !== "." && name !== ".." && dotfiles.includes(name));
}

/**
 * The names of folders and of a file in PATH_INFO. The last one is empty if the path ends with a slash.
 *
 * @returns undefined if a file of this path is not to be served, whether it exists or not.
 *
 * @example
 * ```ts
 * import { segmentsOf } from "./path.ts";
 * console.assert(segmentsOf("/caf\u00c3\u00a9/")?.join("|") === "caf\u00e9|");
 * console.assert(segmentsOf("/a/../b") === undefined && segmentsOf("/\u00e9") === undefined);
 * ```
 */
export function segmentsOf(
  pathInfo: string,
  dotfiles: readonly string[] = [],
  windows: boolean = WINDOWS,
): string[] | undefined {
  if (pathInfo === "") return [""];
  if (pathInfo[0] !== "/" || pathInfo.length > MOST_OCTETS) return undefined;
  let text = pathInfo;
  if (!ASCII.test(text)) {
    try {
      text = decoder.decode(Uint8Array.from(pathInfo, (unit) => unit.charCodeAt(0)));
    } catch {
      return undefined; // not UTF-8, or an overlong form
    }
  }
  const segments = text.slice(1).split("/");
  for (let i = 0; i < segments.length; i++) {
    const name = segments[i] as string;
    const isFolder = name === "" && i === segments.length - 1;
    if (!isFolder && !isServedName(name, dotfiles, windows)) return undefined;
  }
  return segments;
}

/**
 * The place of a file without symbolic links.
 *
 * The folder is resolved anew each time: it may be a link itself, which a new release replaces.
 *
 * @returns undefined if the file is outside of the folder, or behind a name there that is not to be served.
 * @throws the error of the system if there is no such file.
 *
 * @example
 * ```ts
 * import { realPath } from "./path.ts";
 * console.assert(realPath("/", ["tmp"]) !== undefined);
 * ```
 */
export function realPath(
  folder: string,
  segments: readonly string[],
  dotfiles: readonly string[] = [],
): string | undefined {
  const root = realpathSync.native(folder);
  const real = realpathSync.native(join(root, ...segments));
  if (real === root) return real;
  if (!real.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined;
  return relative(root, real).split(sep).every((name) => isServedName(name, dotfiles)) ? real : undefined;
}

const ABSENT: ReadonlySet<unknown> = new Set([
  ..."ENOENT ENOTDIR ENAMETOOLONG ELOOP EINVAL EACCES EPERM ENXIO EISDIR ERR_INVALID_ARG_VALUE".split(" "),
]);

/**
 * Whether an error of the file system means that there is no file for this client. What the process may not read is
 * treated as what does not exist. Deno has an error of its own for what the program was started without a permission for.
 */
export function isAbsence(error: unknown): boolean {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return ABSENT.has(code) || name === "NotCapable";
}

/**
 * The absolute path of a file or a folder that the program has named.
 *
 * @param name Name of the function that takes it, for the message.
 * @throws {TypeError} for what is neither a path nor a URL.
 */
export function placeOf(name: string, kind: "file" | "folder", place: string | URL): string {
  if (place instanceof URL) return resolve(fileURLToPath(place));
  if (typeof place === "string" && place !== "") return resolve(place);
  throw new TypeError(`${name}: expected the path or the file: URL of a ${kind}, got ${describe(place)}`);
}
