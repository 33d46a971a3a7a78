/**
 * `--reload`: watches the files of the application, and those that the settings name besides.
 *
 * The package chokidar watches. It is loaded here, when it is needed, and nowhere else. It takes paths, not globs: for a
 * glob it gets the folder in front of the first special character, and what does not match is left out. So it sees
 * files that are made later, and those that are removed, replaced by an editor, or come back.
 *
 * It has two engines. The system's events come at once and cost nothing while nothing changes. Polling costs, for 300
 * files, 1 to 3 % of a core, and works on network file systems too. `auto` takes events, and polls when the system has
 * none left to give. On Deno it always polls: there, after a folder was removed and made anew, or moved away and back,
 * no more events come from it (Deno 2.9.6; Node 22 and 26 and Bun give them).
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

/** What to watch, and whom to tell. */
export interface WatchOptions {
  /** The application. */
  readonly spec: string;
  /** More files: paths and globs. */
  readonly extra: readonly string[];
  /** How. */
  readonly engine: ReloadEngine;
  /** Called with the files that were changed, created or removed. */
  changed(files: readonly string[]): void;
  /** Called with what is wrong. */
  failed(message: string): void;
}

type Watch = typeof import("chokidar").watch;

const INTERVAL = 500; // ms between two looks
const TOGETHER = 100; // ms in which changes count as one
const LIMITS: ReadonlySet<unknown> = new Set(["ENOSPC", "EMFILE", "ENFILE"]); // the system has no more events to give
const HEAVY = ["node_modules", ".git"]; // a glob looks into these folders only if it names them

/**
 * Watches; settles when no change is missed any more.
 *
 * @returns the function that ends it.
 * @throws {SettingError} (as a rejection) when chokidar is not there.
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

/** A glob in two: the folder in front of the first special character, and what paths in that folder are to match. */
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
        if (watcher !== this.#watcher) return; // it has been given up
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

  /** Looks what is to be watched, and gives what was not before. */
  #findFiles(): string[] {
    const before = this.#files;
    this.#files = new Set([...importedFiles(this.#options.spec), ...this.#named]);
    return [...this.#files].filter((path) => !before.has(path));
  }

  /** Whether a path is one to watch; of a folder, whether such a path may be in it. */
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

  /** Notes a change. Those that come together are told together, when what they import is watched too. */
  #saw(path: string): void {
    if (!this.#seen.includes(path)) this.#seen.push(path);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#watcher?.add(this.#findFiles());
      this.#options.changed(this.#seen.splice(0));
    }, TOGETHER);
  }
}

/** A path is a glob without a rest; that of a folder stands for all that is in it. */
function splitGlob(pattern: string): Glob {
  const [, folder = "", rest = ""] = /^((?:[^*?[{]*\/)?)([^/]*[*?[{].*)?/.exec(pattern) ?? [];
  if (rest !== "") return { base: resolve(folder), rest };
  const base = resolve(pattern);
  return { base, rest: statSync(base, { throwIfNoEntry: false })?.isDirectory() === true ? "**" : "" };
}
