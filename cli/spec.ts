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
import type { ApplicationFunction } from "../core/gateway/types.ts";
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
  const { type = "auto", args = [], capture: captured } = options;
  const { module, name, factory } = parseSpec(spec);
  process.argv.splice(2, Infinity, ...args);
  const mayListen = captured !== undefined && (type === "program" || (type === "auto" && name === undefined));
  if (type === "program" && name !== undefined) {
    throw new AppLoadError(spec, `--app-type program takes a module that listens, without a name, got ${name}`);
  }
  const capture = mayListen ? await startCapture(captured) : undefined;
  const exports = await importModule(spec, module, capture !== undefined);
  if (capture !== undefined) {
    const app = capture.listened || type === "program" ? undefined : usualExport(exports);
    if (app === undefined) return { app: await served(await listening(spec, capture)), capture };
    capture.stop();
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

const PATIENCE = 5000; // ms without a call to listen, after which the log says what is waited for

/** What a program serves, once it listens. */
async function listening(spec: string, capture: ListenCapture): Promise<Served> {
  const hint = setTimeout(() => {
    writeSync(2, `tsgi: ${new AppLoadError(spec, NOT_LISTENING).message}\n`);
  }, PATIENCE);
  const served = await capture.served;
  clearTimeout(hint);
  return served;
}

const NOT_LISTENING = "the module exports no application and has not listened yet. A program that listens only where " +
  "import.meta.main is true never does in a worker, which imports it: remove that condition, or export the application";

/** What a module exports under a usual name. */
function usualExport(exports: Record<string, unknown>): unknown {
  const name = usualName(exports);
  return name === undefined ? undefined : exports[name];
}

/** The usual name under which a module exports an application. */
function usualName(exports: Record<string, unknown>): string | undefined {
  return USUAL_NAMES.find((usual) => {
    const value = exports[usual];
    // The default export of a CommonJS module is the object of all its exports, which may be empty.
    const isPlain = typeof value === "object" && value !== null && typeOf(value) === "wsgi" && !("wsgiApp" in value);
    return value !== undefined && !isPlain;
  });
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
  if (!factory) return { value };
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
