/**
 * The type of a setting. A setting is one entry of a table. The command line, the configuration file, the environment,
 * `--help`, `--print-config` and docs/settings.md all use that table.
 *
 * The key in the table is the name in the configuration file, in camelCase: `gracefulTimeout`. The option
 * `--graceful-timeout` and the variable `TSGI_GRACEFUL_TIMEOUT` are derived from it, so that the names cannot differ.
 *
 * @module
 */

/** A kind of value: how it is parsed from text, and how a value from the configuration file is checked. */
export interface Kind<T> {
  /** The allowed values, for messages: `a whole number from 0`. */
  readonly expected: string;
  /** The placeholder of the value in help: `INT`. Empty for a switch, which has no value on the command line. */
  readonly metavar: string;
  /** Parses text of the command line or the environment; undefined when the value is invalid. */
  parse(text: string): T | undefined;
  /** Checks a value of the configuration file; undefined when it is invalid. */
  check(value: unknown): T | undefined;
  /** Describes which part of an invalid value is wrong; undefined if the value alone is clear enough. */
  wrong?(value: unknown): string | undefined;
  /** Whether the option may be repeated, each time adding to the list. */
  readonly repeatable?: boolean;
  /** Whether only the configuration file can give it, and neither the command line nor the environment. */
  readonly code?: boolean;
}

/** One setting. */
export interface Setting<T> {
  /** The kind of its values. */
  readonly kind: Kind<T>;
  /** The value if no source gives one. */
  readonly default: T;
  /** The text for the default in help, if the value itself would be unclear. */
  readonly defaultText?: string;
  /** The letter of the short option. */
  readonly short?: string;
  /** Its description, in Markdown. The first sentence is the summary that `--help` shows. */
  readonly help: string;
  /** Whether a change needs a restart. A reload keeps the old value and logs a warning. */
  readonly restart?: boolean;
  /** Limits the sources: to the command line and the environment (`outside`), or to the command line alone. */
  readonly only?: "outside" | "command line";
}

/** A group of settings. */
export type Topic<T> = { readonly [Key in keyof T]: Setting<T[Key]> };

/** A setting has an invalid value, or its name is unknown. */
export class SettingError extends Error {
  /** Name of the class. */
  override readonly name = "SettingError";

  /** Says where, which setting, what was expected and what was given. */
  constructor(where: string, expected: string, given: string) {
    super(`${where}: expected ${expected}, got ${given}`);
  }
}

/** The option of a setting: `--graceful-timeout`. */
export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The environment variable of a setting: `TSGI_GRACEFUL_TIMEOUT`. */
export function variableOf(key: string): string {
  return `TSGI_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
