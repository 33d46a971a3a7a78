/**
 * The patterns of a router, for the compiler and at run time.
 *
 * @module
 */

import { describe } from "../core/errors.ts";
import { CONTROL } from "../core/grammar.ts";
import { latin1 } from "../http/query.ts";

/** The name of a segment's parameter. */
export type RouteParamName<Segment extends string> = Segment extends `:${infer Name}` ? Name
  : Segment extends "*" ? "*"
  : Segment extends `*${infer Name}` ? Name
  : never;

/** The names of the parameters in a pattern. */
export type RouteParamNames<Path extends string> = Path extends `${infer Segment}/${infer Rest}`
  ? RouteParamName<Segment> | RouteParamNames<Rest>
  : RouteParamName<Path>;

/**
 * The parameters of a pattern, by name.
 *
 * @example
 * ```ts
 * import type { RouteParams } from "tsgi/middleware";
 * const params: RouteParams<"/users/:id/files/*path"> = { id: "7", path: "a/b" };
 * console.assert(params.id === "7");
 * ```
 */
export type RouteParams<Path extends string> = string extends Path ? Readonly<Record<string, string>>
  : { readonly [Name in RouteParamNames<Path>]: string };

/** A pattern in its parts. */
export interface Pattern {
  /** Literal segments as PATH_INFO has them; undefined for a parameter. */
  readonly segments: readonly (string | undefined)[];
  /** Names of the parameters, in order, that of the wildcard last. */
  readonly names: readonly string[];
  /** Whether the rest of the path follows. */
  readonly wildcard: boolean;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Takes a pattern apart.
 *
 * @throws {TypeError} for text that is no pattern.
 *
 * @example
 * ```ts
 * import { parsePattern } from "./pattern.ts";
 * const { segments, names, wildcard } = parsePattern("/users/:id/*rest");
 * console.assert(segments.length === 2 && segments[0] === "users" && names.join() === "id,rest" && wildcard);
 * ```
 */
export function parsePattern(path: string): Pattern {
  const refuse = (why: string): TypeError => new TypeError(`router: ${why} in the pattern ${describe(path)}`);
  if (typeof path !== "string" || !path.startsWith("/") || CONTROL.test(path)) {
    throw new TypeError(`router: expected a pattern that begins with "/", got ${describe(path)}`);
  }
  const segments: (string | undefined)[] = [];
  const names: string[] = [];
  let wildcard = false;
  for (const segment of path.slice(1).split("/")) {
    if (wildcard) throw refuse("something follows the wildcard");
    if (!segment.startsWith(":") && !segment.startsWith("*")) {
      segments.push(latin1(segment));
      continue;
    }
    const name = segment === "*" ? "*" : segment.slice(1);
    if (name !== "*" && (!NAME.test(name) || name === "__proto__")) throw refuse(`${describe(name)} is no name`);
    if (names.includes(name)) throw refuse(`the name ${name} is there twice`);
    names.push(name);
    wildcard = segment.startsWith("*");
    if (!wildcard) segments.push(undefined);
  }
  return { segments, names, wildcard };
}
