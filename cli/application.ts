/**
 * Application specifications: `module:name`, `module:factory()`, `module`.
 *
 * The module is a path with or without its extension, a URL, or the name of a package. Without a name it is the default
 * export, else `app`, else `application`. A path begins with `.` or `/`, or is there; else it is a package.
 *
 * @module
 */

import { existsSync, statSync, writeSync } from "node:fs";
import process from "node:process";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { ApplicationFunction } from "../core/contract/types.ts";
import { describe, errorText } from "../core/errors.ts";
import { applicationOf, type AppType, served, typeOf } from "./app_type.ts";
import type { CaptureOptions, ListenCapture } from "./programs/capture.ts";
import type { Served } from "./programs/program.ts";

/** An application cannot be had: what was asked for, and why not. */
export class AppLoadError extends Error {
  /** Name of the class. */
  override readonly name = "AppLoadError";

  /** Says which application, and why not. */
  constructor(spec: string, reason: string, options?: ErrorOptions) {
    super(`Cannot load the application ${spec}: ${reason}`, options);
  }
}

/** A specification in its parts. */
export interface Spec {
  /** Path, URL or package. */
  readonly module: string;
  /** Name of an export, with dots for what is inside; undefined for the usual ones. */
  readonly name: string | undefined;
  /** Whether it is to be called, for the application it gives. */
  readonly factory: boolean;
}

const SCHEMES: ReadonlySet<string> = new Set(["file", "http", "https", "npm", "jsr", "node", "data", "blob"]);
const EXTENSIONS = ["", ".ts", ".mts", ".js", ".mjs", ".cts", ".cjs", ".tsx", ".jsx"];
const USUAL_NAMES = ["default", "app", "application"];

/** Takes a specification apart. */
export function parseSpec(spec: string): Spec {
  const match = /^(.+):([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)(\(\))?$/.exec(spec);
  if (match === null || SCHEMES.has(match[1] as string)) {
    if (/[()]$|:$/.test(spec) || spec === "") {
      throw new AppLoadError(spec, "expected MODULE, MODULE:NAME or MODULE:FACTORY()");
    }
    return { module: spec, name: undefined, factory: false };
  }
  return { module: match[1] as string, name: match[2] as string, factory: match[3] !== undefined };
}

/** The URL of a module that is a file; null when it is none, but a package or another URL. */
export function fileOf(module: string, directory: string = process.cwd()): string | null {
  if (module.startsWith("file:")) return module;
  const path = candidatesOf(module, directory).find((one) => existsSync(one) && statSync(one).isFile());
  return path === undefined ? null : pathToFileURL(path).href;
}

/** The paths that a module may have, in the order in which they are looked at; none for a URL. */
export function candidatesOf(module: string, directory: string = process.cwd()): string[] {
  if (/^[a-z]+:/.test(module)) return [];
  return [module, join(module, "mod"), join(module, "index")].flatMap((stem) =>
    EXTENSIONS.map((extension) => resolve(directory, stem + extension))
  );
}

/** How an application is loaded. */
export interface LoadOptions {
  /** What kind of application it is. */
  readonly type?: AppType;
  /** The arguments that it sees. */
  readonly args?: readonly string[];
  /** Where calls to listen are captured, in a worker. */
  readonly capture?: CaptureOptions;
  /** Seconds in which a program has to listen, where no arbiter limits them; 0 for any time, the default. */
  readonly patience?: number;
}

/** An application, and the capture that it came by where it is a program. */
export interface Loaded {
  readonly app: ApplicationFunction;
  /** Told when the worker has stopped serving. */
  readonly capture: ListenCapture | undefined;
}

/**
 * Loads an application.
 *
 * A module that is named without an export may be a program that listens by itself. So calls to listen are captured while
 * it is imported. A module that listens then is a program, whatever it exports; one that does not, and exports an
 * application, is none; else the program is waited for.
 *
 * @throws {AppLoadError} (as a rejection) with the cause.
 */
export async function loadApp(spec: string, options: LoadOptions = {}): Promise<Loaded> {
  const { type = "auto", args = [], capture: captured, patience = 0 } = options;
  const { module, name, factory } = parseSpec(spec);
  process.argv.splice(2, Infinity, ...args);
  const mayListen = captured !== undefined && (type === "program" || (type === "auto" && name === undefined));
  if (type === "program" && name !== undefined) {
    throw new AppLoadError(spec, `--app-type program takes a module that listens, without a name, got ${name}`);
  }
  const capture = mayListen ? await startCapture(captured) : undefined;
  const importing = importModule(spec, module, capture !== undefined);
  // `await server.finished` ends with the server.
  const exports = unwrapped((capture === undefined ? await importing : await untilListening(importing, capture)) ?? {});
  if (capture !== undefined) {
    if (type === "program" || !(await isNoProgram(spec, exports, capture))) {
      return { app: await served(await listening(spec, capture, patience)), capture };
    }
    capture.servesExport();
  }
  const { value } = await choose(spec, exports, name, factory);
  try {
    return { app: await applicationOf(value, type === "program" ? "auto" : type), capture: undefined };
  } catch (error) {
    throw new AppLoadError(spec, messageOf(error));
  }
}

async function startCapture(options: CaptureOptions): Promise<ListenCapture> {
  const { ListenCapture } = await import("./programs/capture.ts");
  return await ListenCapture.start(options);
}

/** Whether a module exports an application under a usual name, and has not listened. */
async function isNoProgram(
  spec: string,
  exports: Record<string, unknown>,
  capture: ListenCapture,
): Promise<boolean> {
  const name = usualName(exports);
  if (name === undefined || capture.listened) return false;
  const value = exports[name];
  if (!(value instanceof Promise)) return true;
  // `export default start()`, which gives the application, or listens.
  const app = await untilListening(settled(spec, name, value), capture);
  return !capture.listened && mayBeApplication(app);
}

/**
 * What a promise gives, or undefined once the program listens: it may wait for the end of its server. What fails in the
 * same turn fails here, what fails later is an unhandled rejection.
 */
async function untilListening<Value>(promise: Promise<Value>, capture: ListenCapture): Promise<Value | undefined> {
  const listening = capture.served.then(() =>
    new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)))
  );
  const first = await Promise.race([promise, listening]);
  if (capture.listened) void promise.then(() => {}); // the race has handled its failure
  return first;
}

const HINT_AFTER = 5000; // ms without a call to listen, after which the log says what is waited for

/** What a program serves, once it listens. */
function listening(spec: string, capture: ListenCapture, patience: number): Promise<Served> {
  const failure = (when: string): AppLoadError => new AppLoadError(spec, notListening(when));
  const hint = setTimeout(() => writeSync(2, `tsgi: ${failure("yet").message}\n`), HINT_AFTER);
  return new Promise((resolve, reject) => {
    const limit = patience === 0 ? undefined : setTimeout(() => fail(`within ${patience} s`), patience * 1000);
    const fail = (when: string): void => {
      forget();
      reject(failure(when));
    };
    const idle = (): void => fail("when nothing was left to wait for");
    const forget = (): void => {
      clearTimeout(hint);
      clearTimeout(limit);
      process.off("beforeExit", idle);
    };
    hint.unref();
    limit?.unref();
    process.once("beforeExit", idle); // Node alone tells so; a worker never is, for its channel is open
    capture.served.then((what) => {
      forget();
      resolve(what);
    });
  });
}

function notListening(when: string): string {
  return `the module exports no application and has not listened ${when}. A program that listens only where ` +
    "import.meta.main is true never does in a worker, which imports it: remove that condition, or export the application";
}

/** The usual name under which a module exports what may be an application. */
function usualName(exports: Record<string, unknown>): string | undefined {
  return USUAL_NAMES.find((usual) => mayBeApplication(exports[usual]));
}

/** A CommonJS module has an object as its default export, whatever it exports: an empty one, or `{ app }`. */
function mayBeApplication(value: unknown): boolean {
  if (value === undefined) return false;
  const isPlain = typeof value === "object" && value !== null && typeOf(value) === "wsgi" && !("wsgiApp" in value);
  return !isPlain || value instanceof Promise;
}

/** The exports of a module that a compiler has made CommonJS of: its default export is a member of that object. */
function unwrapped(exports: Record<string, unknown>): Record<string, unknown> {
  const inner = Object(exports.default) as Record<string, unknown>;
  return inner.__esModule === true ? { ...exports, default: undefined, ...inner } : exports;
}

/** What an exported promise settles with. */
async function settled(spec: string, name: string, promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    throw new AppLoadError(spec, `the promise ${name} is rejected: ${messageOf(error)}`, { cause: error });
  }
}

async function importModule(spec: string, module: string, asMain: boolean): Promise<Record<string, unknown>> {
  const url = specifierOf(spec, module);
  try {
    if (asMain && url.startsWith("file:")) return await (await import("./programs/main_module.ts")).importMain(url);
    return await import(url) as Record<string, unknown>;
  } catch (error) {
    throw new AppLoadError(spec, messageOf(error), { cause: error });
  }
}

/** What to import for a module. */
function specifierOf(spec: string, module: string): string {
  const file = fileOf(module);
  if (file !== null || /^[a-z]+:/.test(module)) return file ?? module;
  const here = process.cwd();
  if (/^[./]/.test(module)) throw new AppLoadError(spec, `there is no file ${resolve(here, module)}`);
  try {
    return pathToFileURL(createRequire(join(here, "_.js")).resolve(module)).href;
  } catch {
    // Perhaps an import map knows it.
  }
  try {
    return import.meta.resolve(module);
  } catch {
    throw new AppLoadError(
      spec,
      `there is neither a file ${module} in ${here}, with or without .ts, nor such a package`,
    );
  }
}

/** What a specification names, in an object: an application may have a method `then` without being a promise. */
async function choose(
  spec: string,
  exports: Record<string, unknown>,
  name: string | undefined,
  factory: boolean,
): Promise<{ value: unknown }> {
  const there = Object.keys(exports).join(", ") || "nothing";
  const path = name?.split(".") ?? [usualName(exports) ?? USUAL_NAMES.find((usual) => exports[usual] !== undefined)];
  let value: unknown = exports;
  let owner: unknown;
  for (const part of path) {
    owner = value;
    value = part === undefined ? undefined : (value as Record<string, unknown> | null | undefined)?.[part];
  }
  if (value === undefined) {
    throw new AppLoadError(spec, `expected an export ${name ?? USUAL_NAMES.join(" or ")}; it exports ${there}`);
  }
  if (!factory) return { value: value instanceof Promise ? await settled(spec, path.join("."), value) : value };
  if (typeof value !== "function") {
    throw new AppLoadError(spec, `${name} is no function to call, it is ${describe(value)}`);
  }
  try {
    return { value: await (owner === exports ? value() : value.call(owner)) };
  } catch (error) {
    throw new AppLoadError(spec, `${name}() failed: ${messageOf(error)}`, { cause: error });
  }
}

/** What to tell of an application that did not load: the reason, and where it failed. */
export function loadFailure(error: unknown): string {
  if (!(error instanceof AppLoadError)) return errorText(error);
  if (error.cause === undefined) return error.message;
  // Bun says where a syntax error is in a property of its own.
  const { position } = error.cause as { position?: { file: string; line: number; column: number; lineText: string } };
  if (position === undefined || position === null) {
    return `${error.message}\n${errorText(error.cause)}`;
  }
  return `${error.message}\n    at ${position.file}:${position.line}:${position.column}\n    ${position.lineText}`;
}

/** The message of whatever was thrown. Bun's own errors are not all of class Error. */
function messageOf(error: unknown): string {
  const { message } = Object(error) as { message?: unknown };
  return typeof message === "string" ? message : `thrown was ${describe(error)}`;
}
