/**
 * Loads the application that a specification names: `module:name`, `module:factory()` or `module`.
 *
 * The module is a path with or without its extension, a URL, or the name of a package. A module that begins with `.` or
 * `/` is a path, and so is one for which a file exists; anything else is a package. Without a name, the application is
 * the default export, else the export `app`, else `application`.
 *
 * @module
 */

import { existsSync, readdirSync, statSync, writeSync } from "node:fs";
import process from "node:process";
import { createRequire } from "node:module";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { ApplicationFunction } from "../core/contract/types.ts";
import { describe, errorText } from "../core/errors.ts";
import { typeOf } from "../core/contract/application.ts";
import { applicationOf, type AppType, served } from "./app_type.ts";
import type { CaptureOptions, ListenCapture } from "./programs/capture.ts";
import { inUseHint, type Served } from "./programs/program.ts";
import { pythonHint } from "./python_hint.ts";
import { suggestion } from "./suggestion.ts";

/** An application cannot be loaded. */
export class AppLoadError extends Error {
  /** Name of the class. */
  override readonly name = "AppLoadError";

  /** Says which application, and why not. */
  constructor(spec: string, reason: string, options?: ErrorOptions) {
    super(`Cannot load the application ${spec}: ${reason}`, options);
  }
}

/** A parsed specification. */
export interface Spec {
  /** Path, URL or package. */
  readonly module: string;
  /** Name of an export, with dots for nested properties; undefined for the usual names. */
  readonly name: string | undefined;
  /** Whether the export is a factory: a function that returns the application. */
  readonly factory: boolean;
}

const SCHEMES: ReadonlySet<string> = new Set(["file", "http", "https", "npm", "jsr", "node", "data", "blob"]);
const EXTENSIONS = ["", ".ts", ".mts", ".js", ".mjs", ".cts", ".cjs", ".tsx", ".jsx"];
const USUAL_NAMES = ["default", "app", "application"];

/** Parses a specification. */
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

/** The URL of a module that is a file; null for a package or another kind of URL. */
export function fileOf(module: string, directory: string = process.cwd()): string | null {
  if (module.startsWith("file:")) return module;
  const path = candidatesOf(module, directory).find((one) => existsSync(one) && statSync(one).isFile());
  return path === undefined ? null : pathToFileURL(path).href;
}

/** The paths at which a module may be found, in the order in which they are tried; empty for a URL. */
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
  /** The arguments that the application sees in `process.argv`. */
  readonly args?: readonly string[];
  /** Options of the capture of the program's calls to listen. Without them, nothing is captured. */
  readonly capture?: CaptureOptions;
  /** Seconds within which a program has to listen, where no arbiter sets a limit; 0, the default, for no limit. */
  readonly patience?: number;
}

/** A loaded application. */
export interface Loaded {
  readonly app: ApplicationFunction;
  /** The capture, if the application is a program. The worker calls `finish()` on it after it has stopped serving. */
  readonly capture: ListenCapture | undefined;
}

/**
 * Loads an application.
 *
 * A module that is named without an export may be a program that listens by itself. So calls to listen are captured
 * while the module is imported. A module that listens during the import is a program, whatever it exports. A module
 * that does not listen and exports an application is not a program. In the remaining case, neither a call nor an
 * export, this function waits until the program listens.
 *
 * Where an export or the kind of the application is named, the export is served, and calls to listen have no effect.
 *
 * @throws {AppLoadError} (as a rejection) with the cause.
 */
export async function loadApp(spec: string, options: LoadOptions = {}): Promise<Loaded> {
  const { type = "auto", args = [], capture: captured, patience = 0 } = options;
  const { module, name, factory } = parseSpec(spec);
  process.argv.splice(2, Infinity, ...args);
  const mayBeProgram = type === "program" || (type === "auto" && name === undefined);
  if (type === "program" && name !== undefined) {
    throw new AppLoadError(spec, `--app-type program takes a module that listens, without a name, got ${name}`);
  }
  const capture = captured === undefined ? undefined : await startCapture(captured, mayBeProgram);
  const importing = importModule(spec, module, capture !== undefined);
  // The import may not settle before the server ends: a module may contain `await server.finished`.
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

/** Starts the capture. Returns it if the module may be a program. */
async function startCapture(options: CaptureOptions, mayBeProgram: boolean): Promise<ListenCapture | undefined> {
  const { ListenCapture } = await import("./programs/capture.ts");
  if (mayBeProgram) return await ListenCapture.ofProgram(options);
  await ListenCapture.ofExport(options);
  return undefined;
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
  // `export default start()`: the promise gives the application, or the program listens before it settles.
  const app = await untilListening(settled(spec, name, value), capture);
  return !capture.listened && mayBeApplication(app);
}

/**
 * Gives the value of a promise, or undefined once the program listens, since the promise may wait for the end of the
 * program's server. A rejection in the same turn of the event loop rejects here; a later one is an unhandled rejection.
 */
async function untilListening<Value>(promise: Promise<Value>, capture: ListenCapture): Promise<Value | undefined> {
  const listening = capture.served.then(() =>
    new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)))
  );
  const first = await Promise.race([promise, listening]);
  if (capture.listened) void promise.then(() => {}); // the race would mark a later rejection as handled
  return first;
}

const HINT_AFTER = 5000; // ms without a call to listen, after which a message says what the worker waits for

/** Settles with what a program serves, once the program listens. */
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
    process.once("beforeExit", idle); // only Node emits it; never in a worker, which has an open channel
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

/** The first usual name under which a module exports a possible application. */
function usualName(exports: Record<string, unknown>): string | undefined {
  return USUAL_NAMES.find((usual) => mayBeApplication(exports[usual]));
}

/**
 * Whether an export may be an application. A plain object is none: every CommonJS module has one as its default export,
 * for example an empty object or `{ app }`.
 */
function mayBeApplication(value: unknown): boolean {
  if (value === undefined) return false;
  const isPlain = typeof value === "object" && value !== null && typeOf(value) === "wsgi" && !("wsgiApp" in value);
  return !isPlain || value instanceof Promise;
}

/** The exports of a module. A module compiled to CommonJS has its own default export as a member of `default`. */
function unwrapped(exports: Record<string, unknown>): Record<string, unknown> {
  const inner = Object(exports.default) as Record<string, unknown>;
  return inner.__esModule === true ? { ...exports, default: undefined, ...inner } : exports;
}

/** Gives the value of an exported promise. */
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
    throw new AppLoadError(spec, `${messageOf(error)}${moduleAdvice(error, url)}`, { cause: error });
  }
}

/** Advice for an ES module that a runtime has taken for CommonJS, because package.json says so. */
function moduleAdvice(error: unknown, url: string): string {
  const asCommonJs = /\b(?:import statement outside a module|'import\.meta' outside|Unexpected token 'export')/;
  if (!asCommonJs.test(messageOf(error)) || !url.startsWith("file:")) return "";
  for (let folder = dirname(fileURLToPath(url)); folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, "package.json");
    if (existsSync(path)) return `. Write "type": "module" in ${path}, or give the file the extension .mjs or .mts`;
  }
  return "";
}

/** The specifier to pass to `import()` for a module. */
function specifierOf(spec: string, module: string): string {
  const file = fileOf(module);
  if (file?.endsWith(".py")) {
    throw new AppLoadError(spec, `it is no module of JavaScript or TypeScript${pythonHint(spec, module)}`);
  }
  if (file !== null || /^[a-z]+:/.test(module)) return file ?? module;
  const here = process.cwd();
  if (/^[./]/.test(module)) {
    throw new AppLoadError(
      spec,
      `there is no file ${resolve(here, module)}${pythonHint(spec, module) || nearFile(module, here)}`,
    );
  }
  try {
    return pathToFileURL(createRequire(join(here, "_.js")).resolve(module)).href;
  } catch {
    // An import map may have the name.
  }
  try {
    return import.meta.resolve(module);
  } catch {
    throw new AppLoadError(
      spec,
      `there is neither a file ${module} in ${here}, with or without .ts, nor such a package${
        pythonHint(spec, module) || nearFile(module, here)
      }`,
    );
  }
}

/** Suggests a file of the same folder whose name is like that of a module. */
function nearFile(module: string, directory: string): string {
  const path = resolve(directory, module);
  try {
    return suggestion(basename(path), readdirSync(dirname(path)).filter((name) => EXTENSIONS.includes(extname(name))));
  } catch {
    return ""; // there is no such folder
  }
}

/**
 * Gives the value that a specification names. It is wrapped in an object, because an application may have a method
 * `then` without being a promise, and `await` would call that method.
 */
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
    throw new AppLoadError(
      spec,
      `expected an export ${name ?? USUAL_NAMES.join(" or ")}; it exports ${there}${
        suggestion(name ?? "", Object.keys(exports))
      }`,
    );
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

/** The message for an application that did not load: the reason, and the place where it failed. */
export function loadFailure(error: unknown): string {
  if (!(error instanceof AppLoadError)) return errorText(error);
  if (error.cause === undefined) return error.message;
  // Bun puts the place of a syntax error into a property of its own, `position`.
  const { position } = error.cause as { position?: { file: string; line: number; column: number; lineText: string } };
  if (position === undefined || position === null) {
    return `${error.message}\n${errorText(error.cause)}${inUseHint(error.cause)}`;
  }
  return `${error.message}\n    at ${position.file}:${position.line}:${position.column}\n    ${position.lineText}`;
}

/** The message of a thrown value. Some errors that Bun throws are not instances of Error. */
function messageOf(error: unknown): string {
  const { message } = Object(error) as { message?: unknown };
  return typeof message === "string" ? message : `thrown was ${describe(error)}`;
}
