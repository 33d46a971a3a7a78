/**
 * Defines a rule of the contract, and the error that is thrown when a rule is broken.
 *
 * Each other file of this folder holds the rules of one theme, with the prose of each rule beside the code that checks
 * it. `docs/SPEC.md` is generated from that prose, so the document and the checks agree.
 *
 * @module
 */

/** Who has to keep a rule: the application (and any middleware above it), or the server (and any middleware below). */
export type Bound = "application" | "server";

/** When a rule is checked: always, or only with `strict`, where PEP 3333 is narrower than this contract. */
export type Mode = "always" | "strict";

/** A rule of the contract. */
export interface Rule {
  /** Name of the rule in the tests and in `docs/SPEC.md`: `"R03"`. */
  readonly id: string;
  /** Who has to keep it. */
  readonly bound: Bound;
  /** When it is checked. */
  readonly mode: Mode;
  /** What it says, in Markdown. */
  readonly text: string;
}

/** A rule that a validator cannot check, and why. */
export interface UncheckedRule extends Omit<Rule, "mode"> {
  /** Why not, and what checks it instead. */
  readonly reason: string;
}

/** The rules of one theme. */
export interface Theme {
  /** Title of its section. */
  readonly title: string;
  /** What the section is about, in Markdown. */
  readonly introduction: string;
  /** What is checked. */
  readonly checked: readonly Rule[];
  /** What is not. */
  readonly unchecked: readonly UncheckedRule[];
}

/**
 * A rule of WSGI was broken (PEP 3333, and docs/SPEC.md of this package). The message quotes the rule and says what was
 * found.
 *
 * @example
 * ```ts
 * import { validator, WsgiViolation } from "tsgi/wsgiref/validate";
 * import { client } from "tsgi/testing";
 * const app = validator(() => ["startResponse was never called"]);
 * const error = await client(app, { raise: true }).get("/").catch((error) => error);
 * console.assert(error instanceof WsgiViolation);
 * console.assert(error.rule.id === "R15" && error.rule.bound === "application");
 * ```
 */
export class WsgiViolation extends Error {
  /** Name of the class. */
  override readonly name = "WsgiViolation";
  /** The rule. */
  readonly rule: Rule;

  /** Says which rule, who broke it, and what was found. */
  constructor(rule: Rule, found: string, options?: ErrorOptions) {
    super(`${rule.id}, broken by the ${rule.bound}: ${found}. The rule: ${rule.text}`, options);
    this.rule = rule;
  }
}

/** Throws a {@linkcode WsgiViolation} unless `holds` is true. */
export function must(holds: boolean, rule: Rule, found: () => string): asserts holds {
  if (!holds) throw new WsgiViolation(rule, found());
}

/** Makes a rule for the application. */
export function forApplication(id: string, text: string, mode: Mode = "always"): Rule {
  return { id, bound: "application", mode, text };
}

/** Makes a rule for the server. */
export function forServer(id: string, text: string, mode: Mode = "always"): Rule {
  return { id, bound: "server", mode, text };
}
