/**
 * Serves the files below a folder.
 *
 * `files/path.ts` finds the file and refuses what is not below the folder, `files/content.ts` reads it, and
 * `files/answer.ts` answers conditions and ranges. This file puts them together: folders, precompressed files, and the
 * requests that are passed on.
 *
 * @module
 */

import type { Stats } from "node:fs";
import { join } from "node:path";
import type { ApplicationFunction, Body, Environ, StartResponse } from "../core/contract/types.ts";
import { checkOptions, type OptionNames } from "../http/options.ts";
import { answer, plain } from "./files/answer.ts";
import { type Content, Contents, statOf } from "./files/content.ts";
import { listing, LISTING_HEADERS } from "./files/listing.ts";
import { placeOf, realPath, segmentsOf } from "./files/path.ts";
import { chooseEncoding } from "./representation/encodings.ts";
import { isCompressible, mediaType } from "./representation/media_types.ts";

/** Options of {@linkcode staticFiles}. */
export interface StaticFilesOptions {
  /**
   * Answers the requests for which there is no file, and those with other methods than GET and HEAD. Without it they get
   * 404 and 405.
   */
  readonly next?: ApplicationFunction;
  /** Name of the file that answers for its folder. Default `"index.html"`; false for none. */
  readonly index?: string | false;
  /** Whether a folder without an index is answered with a list of its files. Default false. */
  readonly listing?: boolean;
  /** Names with a leading dot that are served nevertheless, such as `".well-known"`. Default none. */
  readonly dotfiles?: readonly string[];
  /**
   * Whether `style.css.br` or `style.css.gz`, if the file is there and not older, is sent for `style.css` to a client that
   * accepts it. Default true. Only names of compressible media types are looked for.
   */
  readonly precompressed?: boolean;
  /** Cache-Control of the files. Default `"no-cache"`: caches ask each time, and get 304. False for none. */
  readonly cacheControl?: string | false;
  /**
   * Paths below the folder (`assets/app-3f9a.js`) whose content never changes, because a build puts a hash in their
   * names. They get `public, max-age=31536000, immutable`.
   */
  readonly immutable?: RegExp;
  /** Media types by extension, without the dot, besides the usual ones: `{ glb: "model/gltf-binary" }`. */
  readonly mediaTypes?: Readonly<Record<string, string>>;
}

const OPTIONS: OptionNames<StaticFilesOptions> = {
  next: true,
  index: true,
  listing: true,
  dotfiles: true,
  precompressed: true,
  cacheControl: true,
  immutable: true,
  mediaTypes: true,
};

/** The folder given to {@linkcode staticFiles} does not exist, is no folder, or may not be read by the process. */
export class StaticFilesError extends Error {
  /** Name of the class. */
  override readonly name = "StaticFilesError";
}

const IMMUTABLE = "public, max-age=31536000, immutable";
const SUFFIXES = { br: ".br", gzip: ".gz" } as const;
type Precompressed = keyof typeof SUFFIXES;
const CODINGS = Object.keys(SUFFIXES) as Precompressed[];

/** A file that was found: its metadata, and how to load it. */
interface Found {
  readonly path: string;
  readonly segments: readonly string[];
  readonly stats: Stats;
}

/**
 * Makes an application that serves the files below a folder. GET and HEAD; ranges, conditional requests, precompressed
 * files, an index for each folder. What is not below the folder is refused, also by symbolic links, and so are names that
 * begin with a dot.
 *
 * The path is PATH_INFO: mounted at `/static`, the application serves `/static/a.css` from `a.css`.
 *
 * @param folder Path or `file:` URL of the folder. It may be a symbolic link that a new release replaces.
 * @throws {StaticFilesError} when there is no such folder, or the process may not read it.
 *
 * @example
 * ```ts
 * import { mkdtempSync, writeFileSync } from "node:fs";
 * import { staticFiles } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 *
 * const folder = mkdtempSync("site-");
 * writeFileSync(`${folder}/index.html`, "<h1>Hello</h1>");
 *
 * const site = client(staticFiles(folder, { immutable: /^assets\// }));
 * const page = await site.get("/");
 * console.assert(page.headers.get("content-type") === "text/html; charset=utf-8");
 * const again = await site.get("/", { headers: { "If-None-Match": page.headers.get("etag") ?? "" } });
 * console.assert(again.status === 304);
 * ```
 */
export function staticFiles(folder: string | URL, options: StaticFilesOptions = {}): ApplicationFunction {
  const place = placeOf("staticFiles", "folder", folder);
  checkOptions("staticFiles", options, OPTIONS);
  const files = new StaticFiles(place, options);
  return function staticFiles(environ, startResponse) {
    return files.respond(environ, startResponse);
  };
}

class StaticFiles {
  readonly #folder: string;
  readonly #next: ApplicationFunction | undefined;
  readonly #index: string | false;
  readonly #listing: boolean;
  readonly #dotfiles: readonly string[];
  readonly #precompressed: boolean;
  readonly #cacheControl: string | false;
  readonly #immutable: RegExp | undefined;
  readonly #mediaTypes: Readonly<Record<string, string>> | undefined;
  readonly #contents = new Contents();

  constructor(folder: string, options: StaticFilesOptions) {
    if (statOf(folder)?.isDirectory() !== true) {
      throw new StaticFilesError(`staticFiles: expected a folder that this process may read, got ${folder}`);
    }
    this.#folder = folder;
    this.#next = options.next;
    this.#index = options.index ?? "index.html";
    this.#listing = options.listing ?? false;
    this.#dotfiles = options.dotfiles ?? [];
    this.#precompressed = options.precompressed ?? true;
    this.#cacheControl = options.cacheControl ?? "no-cache";
    // A pattern with the flag g or y would remember where its last match ended.
    this.#immutable = options.immutable &&
      new RegExp(options.immutable.source, options.immutable.flags.replace(/[gy]/g, ""));
    this.#mediaTypes = options.mediaTypes;
  }

  respond(environ: Environ, startResponse: StartResponse): Body | Promise<Body> {
    const method = environ.REQUEST_METHOD;
    if (method !== "GET" && method !== "HEAD") {
      if (this.#next !== undefined) return this.#next(environ, startResponse);
      return plain(startResponse, "405 Method Not Allowed", [["Allow", "GET, HEAD"]], environ);
    }
    const segments = segmentsOf(environ.PATH_INFO, this.#dotfiles);
    if (segments === undefined) return this.#pass(environ, startResponse);
    const endsEmpty = segments.at(-1) === "";
    if (endsEmpty) segments.pop();
    // At the mount point PATH_INFO is empty, and the URL has no slash at its end.
    const isFolder = endsEmpty && (environ.PATH_INFO !== "" || environ.SCRIPT_NAME === "");
    const path = join(this.#folder, ...segments);
    const stats = statOf(path);
    if (stats === undefined) return this.#pass(environ, startResponse);
    if (stats.isDirectory()) return this.#respondFolder(environ, startResponse, segments, isFolder);
    if (isFolder) return this.#pass(environ, startResponse);
    return this.#respondFile(environ, startResponse, { path, segments, stats });
  }

  /** Answers for a request that no file answers. */
  #pass(environ: Environ, startResponse: StartResponse): Body | Promise<Body> {
    if (this.#next !== undefined) return this.#next(environ, startResponse);
    return plain(startResponse, "404 Not Found", [], environ);
  }

  #respondFolder(
    environ: Environ,
    startResponse: StartResponse,
    segments: readonly string[],
    hasSlash: boolean,
  ): Body | Promise<Body> {
    if (this.#index !== false) {
      const file = [...segments, this.#index];
      const path = join(this.#folder, ...file);
      const stats = statOf(path);
      if (stats?.isFile() === true) {
        if (!hasSlash) return this.#redirect(environ, startResponse, segments);
        return this.#respondFile(environ, startResponse, { path, segments: file, stats });
      }
    }
    if (!this.#listing) return this.#pass(environ, startResponse);
    return hasSlash ? this.#list(environ, startResponse, segments) : this.#redirect(environ, startResponse, segments);
  }

  /** Redirects from a folder to the same path with a slash, so that relative links of the page lead into the folder. */
  #redirect(environ: Environ, startResponse: StartResponse, segments: readonly string[]): Body | Promise<Body> {
    if (!this.#isInside(segments)) return this.#pass(environ, startResponse);
    const query = environ.QUERY_STRING === "" ? "" : `?${environ.QUERY_STRING}`;
    // One slash at the beginning: two would begin the name of a host.
    const path = `${environ.SCRIPT_NAME}${environ.PATH_INFO}/`.replace(/^\/*/, "/");
    return plain(startResponse, "301 Moved Permanently", [["Location", encodePath(path) + query]], environ);
  }

  #isInside(segments: readonly string[]): boolean {
    try {
      return realPath(this.#folder, segments, this.#dotfiles) !== undefined;
    } catch {
      return false; // it has just gone
    }
  }

  async #list(environ: Environ, startResponse: StartResponse, segments: readonly string[]): Promise<Body> {
    const mount = environ.SCRIPT_NAME;
    const title = `${mount === "" ? "" : decode(mount)}/${segments.map((name) => `${name}/`).join("")}`;
    const page = await listing(this.#folder, segments, title, this.#dotfiles);
    if (page === undefined) return this.#pass(environ, startResponse);
    startResponse("200 OK", LISTING_HEADERS);
    return [page];
  }

  #respondFile(environ: Environ, startResponse: StartResponse, file: Found): Body | Promise<Body> {
    const contentType = mediaType(file.path, this.#mediaTypes);
    const common: [string, string][] = [];
    const cacheControl = this.#immutable?.test(file.segments.join("/")) ? IMMUTABLE : this.#cacheControl;
    if (cacheControl !== false) common.push(["Cache-Control", cacheControl]);
    let sent = file;
    let coding: Precompressed | undefined;
    if (this.#precompressed && isCompressible(contentType)) {
      const variants = this.#variants(file);
      const available = CODINGS.filter((name) => variants[name] !== undefined);
      if (available.length > 0) common.push(["Vary", "Accept-Encoding"]);
      coding = chooseEncoding(environ.HTTP_ACCEPT_ENCODING, available);
      if (coding !== undefined) sent = variants[coding] as Found;
    }
    const respond = (content: Content | undefined): Body | Promise<Body> => {
      if (content === undefined) return this.#pass(environ, startResponse);
      const own: [string, string][] = coding === undefined ? [] : [["Content-Encoding", coding]];
      return answer(environ, startResponse, content, { contentType, common, own });
    };
    const content = this.#contents.load(
      sent.path,
      sent.stats,
      () => realPath(this.#folder, sent.segments, this.#dotfiles),
    );
    return content instanceof Promise ? content.then(respond) : respond(content);
  }

  /** The compressed forms of a file that lie beside it and are not older. */
  #variants({ path, segments, stats }: Found): Partial<Record<Precompressed, Found>> {
    const variants: Partial<Record<Precompressed, Found>> = {};
    for (const name of CODINGS) {
      const suffix = SUFFIXES[name];
      const found = statOf(path + suffix);
      if (found?.isFile() !== true || found.mtimeMs < stats.mtimeMs) continue;
      variants[name] = {
        path: path + suffix,
        segments: [...segments.slice(0, -1), segments.at(-1) + suffix],
        stats: found,
      };
    }
    return variants;
  }
}

/** Latin-1 text of octets as a path of a URL: every octet that a path may not have is encoded. */
function encodePath(octets: string): string {
  return octets.replace(
    /[^!$&'()*+,\-./0-9:;=@A-Z_a-z~]/g,
    (octet) => `%${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

/** Latin-1 text of octets as text. */
function decode(octets: string): string {
  return new TextDecoder().decode(Uint8Array.from(octets, (unit) => unit.charCodeAt(0)));
}
