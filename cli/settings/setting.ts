/**
 * What a setting is: one entry of the table from which the command line, the configuration file, the environment,
 * `--help`, `--print-config` and docs/settings.md are made.
 *
 * The key in the table is the name in the configuration file, in camelCase: `gracefulTimeout`. The others follow from
 * it by rule, `--graceful-timeout` and `TSGI_GRACEFUL_TIMEOUT`, so that no two places can disagree.
 *
 * @module
 */

/** A kind of value: how it is read from text, and how it is checked where a program gives it. */
export interface Kind<T> {
  /** What is allowed, for messages: `a whole number from 0`. */
  readonly expected: string;
  /** Stands for the value in help: `INT`. Empty for a switch, which has no value on the command line. */
  readonly metavar: string;
  /** Reads text of the command line or the environment; undefined when it is not allowed. */
  parse(text: string): T | undefined;
  /** Checks what the configuration file gives; undefined when it is not allowed. */
  check(value: unknown): T | undefined;
  /** Says which part of a value that is not allowed is wrong; undefined where the value tells it by itself. */
  wrong?(value: unknown): string | undefined;
  /** Whether it may be given several times, each adding to the list. */
  readonly repeatable?: boolean;
  /** Whether only a program can give it: it is not on the command line, nor in the environment. */
  readonly code?: boolean;
}

/** One setting. */
export interface Setting<T> {
  /** What values it takes. */
  readonly kind: Kind<T>;
  /** The value when nobody gives one. */
  readonly default: T;
  /** How help shows the default where the value itself would not tell. */
  readonly defaultText?: string;
  /** One letter for the command line. */
  readonly short?: string;
  /** What it does, in Markdown: the first sentence is the summary that `--help` shows. */
  readonly help: string;
  /** Whether a change needs a new start: a reload keeps the old value, and says so. */
  readonly restart?: boolean;
  /** Whether only the command line and the environment can say it, or the command line alone. */
  readonly only?: "outside" | "command line";
}

/** A group of settings. */
export type Topic<T> = { readonly [Key in keyof T]: Setting<T[Key]> };

/** A setting has a value that it cannot have, or there is no setting of that name. */
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
