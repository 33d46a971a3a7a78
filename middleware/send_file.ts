/**
 * Answers with one file that the application has chosen, such as an upload that a user may fetch.
 *
 * @module
 */

import { realpathSync } from "node:fs";
import type { Body, Environ, StartResponse } from "../core/contract/types.ts";
import { checkHeaders, checkOptions, type OptionNames } from "../http/options.ts";
import { answer, plain } from "./files/answer.ts";
import { type Content, Contents, statOf } from "./files/content.ts";
import { placeOf } from "./files/path.ts";
import { mediaType } from "./representation/media_types.ts";

/** Options of {@linkcode sendFile}. */
export interface SendFileOptions {
  /**
   * Makes the browser save the file instead of showing it: under this name, or with true under the name of the file. It
   * may have any characters.
   */
  readonly download?: string | boolean;
  /** Content-Type. Default: by the extension of the path. */
  readonly contentType?: string;
  /** Cache-Control. Default `"no-cache"`: caches ask each time, and get 304. False for none. */
  readonly cacheControl?: string | false;
  /** Further fields of the response with the file. They replace those of the same name. */
  readonly headers?: readonly (readonly [string, string])[];
}

const OPTIONS: OptionNames<SendFileOptions> = { download: true, contentType: true, cacheControl: true, headers: true };

let contents: Contents | undefined;

/**
 * Answers with a file: ranges, conditional requests and HEAD, as `staticFiles` does. A path without a regular file that
 * the process may read is a 404. Other methods than GET and HEAD are answered like GET: the application has chosen.
 *
 * The path is the application's own. Do not make it of what a client sends: `staticFiles` is made for that.
 *
 * @param path Path or `file:` URL of the file.
 *
 * @example
 * ```ts
 * import type { ApplicationFunction } from "tsgi";
 * import { sendFile } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 *
 * const app: ApplicationFunction = (environ, startResponse) =>
 *   sendFile(environ, startResponse, new URL(import.meta.url), { download: "r\u00e9sum\u00e9.txt" });
 * const response = await client(app).get("/");
 * console.assert(
 *   response.headers.get("content-disposition") === `attachment; filename="r_sum_.txt"; filename*=UTF-8''r%C3%A9sum%C3%A9.txt`,
 * );
 * ```
 */
export function sendFile(
  environ: Environ,
  startResponse: StartResponse,
  path: string | URL,
  options: SendFileOptions = {},
): Body | Promise<Body> {
  checkOptions("sendFile", options, OPTIONS);
  checkHeaders("sendFile", options.headers);
  const place = placeOf("sendFile", "file", path);
  const { download = false, cacheControl = "no-cache", contentType = mediaType(place), headers = [] } = options;
  const respond = (content: Content | undefined): Body => {
    if (content === undefined) return plain(startResponse, "404 Not Found", [], environ);
    const name = download === true ? place.slice(place.search(/[^/\\]*$/)) : download;
    const own: [string, string][] = name === false ? [] : [["Content-Disposition", attachment(name)]];
    const common: [string, string][] = cacheControl === false ? [] : [["Cache-Control", cacheControl]];
    return answer(environ, startResponse, content, { contentType, common, own: [...own, ...headers] });
  };
  const stats = statOf(place);
  if (stats === undefined) return respond(undefined);
  const content = (contents ??= new Contents()).load(place, stats, () => realpathSync.native(place));
  return content instanceof Promise ? content.then(respond) : respond(content);
}

/**
 * The value of Content-Disposition that makes a browser save the response under a name (RFC 6266). A name that is not
 * plain ASCII is given twice: with `_` in its place for old clients, and encoded (RFC 8187) for all others.
 *
 * @example
 * ```ts
 * import { attachment } from "tsgi/middleware";
 * console.assert(attachment('a "b".txt') === 'attachment; filename="a \\"b\\".txt"');
 * ```
 */
export function attachment(name: string): string {
  // Browsers take a name with folders apart, each in its own way. A lone surrogate has no encoding.
  // deno-lint-ignore no-control-regex
  const safe = name.replace(/[\x00-\x1f\x7f/\\]|\p{Surrogate}/gu, "_");
  // Some clients decode %xx in the plain form.
  const ascii = safe.replace(/[^\x20-\x7e]|%/gu, "_");
  const plain = `attachment; filename="${ascii.replace(/"/g, '\\"')}"`;
  if (ascii === safe) return plain;
  const encoded = encodeURIComponent(safe).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${plain}; filename*=UTF-8''${encoded}`;
}
