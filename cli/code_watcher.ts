/**
 * `--reload`: watches the files of the application and those of `--reload-extra-file`.
 *
 * The package chokidar does the watching. Only this module imports it, and only when it is needed. chokidar takes
 * paths, not globs. For a glob it gets the folder before the first special character, and a filter drops the paths that
 * do not match. So it also reports files that are created later, removed, replaced by an editor, or created again.
 *
 * It has two engines. The system's events come at once and cost nothing while nothing changes. Polling costs, for 300
 * files, 1 to 3 % of a core, and works on network file systems too. `auto` uses events, and falls back to polling when
 * the system's limit of watches is reached. On Deno it always polls: after a folder was removed and created again, or
 * moved away and back, Deno delivers no more events from it (Deno 2.9.6; Node 22 and 26 and Bun deliver them).
 *
 * @module
 */

import { statSync } from "node:fs";
import { matchesGlob, relative, resolve, sep } from "node:path";
import process from "node:process";
import type { FSWatcher } from "chokidar";
import { importedFiles } from "./imports.ts";
import type { ReloadEngine } from "./settings/development.ts";
import { SettingError } from "./settings/setting.ts";

/** Options of the watcher. */
export interface WatchOptions {
  /** The specification of the application; null for one of Python, whose files are among `extra`. */
  readonly spec: string | null;
  /** More files: paths and globs. */
  readonly extra: readonly string[];
  /** How to watch. */
  readonly engine: ReloadEngine;
  /** Called with the files that were changed, created or removed. */
  changed(files: readonly string[]): void;
  /** Called with an error message. */
  failed(message: string): void;
}

type Watch = typeof import("chokidar").watch;

const INTERVAL = 500; // ms between two polls
const TOGETHER = 100; // ms within which changes are reported together
const LIMITS: ReadonlySet<unknown> = new Set(["ENOSPC", "EMFILE", "ENFILE"]); // limits of the system
const HEAVY = ["node_modules", ".git"]; // a glob looks into these folders only if it names them

/**
 * Starts watching; settles once every change from then on is seen.
 *
 * @returns a function that stops watching.
 * @throws {SettingError} (as a rejection) when chokidar is not installed.
 */
export async function watchCode(options: WatchOptions): Promise<() => void> {
  let watch: Watch;
  try {
    ({ watch } = await import("chokidar"));
  } catch (error) {
    throw new SettingError("--reload", "the package chokidar to be installed with tsgi", (error as Error).message);
  }
  const watcher = new CodeWatcher(options, watch);
  await watcher.start(options.engine === "poll" || process.versions.deno !== undefined);
  return () => watcher.close();
}

/** A glob in two parts: the folder before the first special character, and the pattern for paths in that folder. */
interface Glob {
  readonly base: string;
  readonly rest: string;
}

class CodeWatcher {
  readonly #options: WatchOptions;
  readonly #watch: Watch;
  readonly #named: readonly string[];
  readonly #globs: readonly Glob[];
  #watcher: FSWatcher | undefined;
  #files: ReadonlySet<string> = new Set();
  #seen: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: WatchOptions, watch: Watch) {
    this.#options = options;
    this.#watch = watch;
    const parts = options.extra.map(splitGlob);
    this.#named = parts.filter(({ rest }) => rest === "").map(({ base }) => base);
    this.#globs = parts.filter(({ rest }) => rest !== "");
  }

  start(polling: boolean): Promise<void> {
    this.#findFiles();
    const watcher = this.#watch([...this.#files, ...this.#globs.map(({ base }) => base)], {
      ignoreInitial: true,
      ignored: (path, stats) => !this.#concerns(path, stats?.isFile() === true),
      backend: polling ? "polling" : "auto",
      pollingInterval: INTERVAL,
      pollingBinaryInterval: INTERVAL,
    });
    this.#watcher = watcher;
    return new Promise((resolve) => {
      watcher.on("ready", resolve);
      watcher.on("all", (event, path) => {
        if (!event.endsWith("Dir") && this.#concerns(path, true)) this.#saw(path);
      });
      watcher.on("error", (error) => {
        if (watcher !== this.#watcher) return; // polling has replaced it
        const { code, message } = error as NodeJS.ErrnoException;
        const limited = !polling && LIMITS.has(code);
        this.#options.failed(`Watching the code: ${message}${limited ? "; now polling" : ""}`);
        if (!limited) return;
        void watcher.close();
        void this.start(true).then(resolve);
      });
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    void this.#watcher?.close();
  }

  /** Updates the set of files to watch; returns those that are new in it. */
  #findFiles(): string[] {
    const before = this.#files;
    const { spec } = this.#options;
    this.#files = new Set([...(spec === null ? [] : importedFiles(spec)), ...this.#named]);
    return [...this.#files].filter((path) => !before.has(path));
  }

  /** Whether a file is to be watched or, for a folder, whether it may contain such a file. */
  #concerns(path: string, isFile: boolean): boolean {
    return this.#files.has(path) || this.#globs.some(({ base, rest }) => {
      const inside = relative(base, path);
      if (inside === "") return !isFile;
      const segments = inside.split(sep);
      if (segments[0] === "..") return false;
      if (HEAVY.some((name) => segments.includes(name) && !rest.includes(name))) return false;
      if (isFile) return matchesGlob(inside, rest);
      return rest.includes("**") || segments.length <= rest.split("/").length;
    });
  }

  /** Notes a change. Changes close together are reported together, after new imports in them are watched too. */
  #saw(path: string): void {
    if (!this.#seen.includes(path)) this.#seen.push(path);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#watcher?.add(this.#findFiles());
      this.#options.changed(this.#seen.splice(0));
    }, TOGETHER);
  }
}

/** Splits a glob. A path of a file has no rest; a path of a folder stands for everything in it. */
function splitGlob(pattern: string): Glob {
  const [, folder = "", rest = ""] = /^((?:[^*?[{]*\/)?)([^/]*[*?[{].*)?/.exec(pattern) ?? [];
  if (rest !== "") return { base: resolve(folder), rest };
  const base = resolve(pattern);
  return { base, rest: statSync(base, { throwIfNoEntry: false })?.isDirectory() === true ? "**" : "" };
}
