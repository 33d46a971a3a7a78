/**
 * Application specifications: `module:name`, `module:factory()`, `module`.
 *
 * The module is a path with or without its extension, a URL, or the name of a package. Without a name it is the default
 * export, else `app`, else `application`. A path begins with `.` or `/`, or is there; else it is a package.
 *
 * @module
 */

import { existsSync, statSync } from "node:fs";
import process from "node:process";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ApplicationError, asFunction } from "../core/gateway/application.ts";
import type { ApplicationFunction } from "../core/gateway/types.ts";
import { describe, errorText } from "../core/errors.ts";

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

/**
 * Loads an application.
 *
 * @throws {AppLoadError} (as a rejection) with the cause.
 */
export async function loadApp(spec: string): Promise<ApplicationFunction> {
  const { module, name, factory } = parseSpec(spec);
  const exports = await importModule(spec, module);
  const value = await choose(spec, exports, name, factory);
  try {
    return asFunction(value as ApplicationFunction);
  } catch (error) {
    const fetch = (value as { fetch?: unknown } | null)?.fetch;
    const hint = typeof fetch === "function"
      ? 'it is a fetch application: export fromFetch(app), of "tsgi/bridges/fetch"'
      : messageOf(error);
    throw new AppLoadError(spec, error instanceof ApplicationError ? hint : messageOf(error));
  }
}

async function importModule(spec: string, module: string): Promise<Record<string, unknown>> {
  const url = specifierOf(spec, module);
  try {
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

async function choose(
  spec: string,
  exports: Record<string, unknown>,
  name: string | undefined,
  factory: boolean,
): Promise<unknown> {
  const there = Object.keys(exports).join(", ") || "nothing";
  const path = name?.split(".") ?? [USUAL_NAMES.find((usual) => exports[usual] !== undefined)];
  let value: unknown = exports;
  let owner: unknown;
  for (const part of path) {
    owner = value;
    value = part === undefined ? undefined : (value as Record<string, unknown> | null | undefined)?.[part];
  }
  if (value === undefined) {
    throw new AppLoadError(spec, `expected an export ${name ?? USUAL_NAMES.join(" or ")}; it exports ${there}`);
  }
  if (!factory) return value;
  if (typeof value !== "function") {
    throw new AppLoadError(spec, `${name} is no function to call, it is ${describe(value)}`);
  }
  try {
    return await (owner === exports ? value() : value.call(owner));
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
