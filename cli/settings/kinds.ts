/**
 * The kinds of values of settings: how each is parsed and checked.
 *
 * @module
 */

import type { Values } from "../../core/server/option_table.ts";
import type { Kind } from "./setting.ts";

/** A whole number within bounds. */
export function integer(least: number, most: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  const bounds = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  const check = (value: unknown): number | undefined =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
      ? value as number
      : undefined;
  return {
    expected: `a whole number ${bounds}`,
    metavar: "INT",
    parse: (text) => /^[0-9]{1,16}$/.test(text) ? check(Number(text)) : undefined,
    check,
  };
}

/** A whole number, or Infinity for no limit. */
export function limit(least: number): Kind<number> {
  return withWord(integer(least), "Infinity", Infinity);
}

/** Permission bits in octal. */
export function octal(what: string): Kind<number> {
  return {
    expected: `${what} in octal, 0 to 777`,
    metavar: "OCTAL",
    parse: (given) => /^(0o?)?[0-7]{1,3}$/.test(given) ? parseInt(given.replace(/^0o/, ""), 8) : undefined,
    check: (value) =>
      Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0o777 ? value as number : undefined,
  };
}

/** A number of seconds, with or without a fraction. */
export function seconds(least: "from 0" | "above 0", word?: "Infinity"): Kind<number> {
  const check = (value: unknown): number | undefined =>
    typeof value === "number" && Number.isFinite(value) && (least === "from 0" ? value >= 0 : value > 0)
      ? value
      : undefined;
  const kind: Kind<number> = {
    expected: `seconds ${least}`,
    metavar: "SECONDS",
    parse: (text) => /^[0-9]{1,9}(\.[0-9]{1,6})?$/.test(text) ? check(Number(text)) : undefined,
    check,
  };
  return word === undefined ? kind : withWord(kind, word, Infinity);
}

/** Extends a kind by a word that stands for a value: `auto`. */
export function withWord<T, W>(kind: Kind<T>, word: string, meaning: W): Kind<T | W> {
  return {
    ...kind,
    expected: `${kind.expected}, or ${word}`,
    parse: (text) => text === word ? meaning : kind.parse(text),
    check: (value) => value === meaning || value === word ? meaning : kind.check(value),
  };
}

/** Text that `holds` accepts. */
export function text(
  metavar: string,
  expected: string = "text that is not empty",
  holds: (text: string) => boolean = (given) => given !== "",
): Kind<string> {
  const check = (value: unknown): string | undefined =>
    typeof value === "string" && !value.includes("\0") && holds(value) ? value : undefined;
  return { expected, metavar, parse: check, check };
}

/** One of a few words. */
export function choice<const W extends string>(...words: readonly W[]): Kind<W> {
  const check = (value: unknown): W | undefined => words.find((word) => word === value);
  return { expected: `one of ${words.join(", ")}`, metavar: "WORD", parse: check, check };
}

/** A boolean. On the command line, the option without a value means true. */
export const toggle: Kind<boolean> = {
  expected: "true or false",
  metavar: "",
  parse: (given) => /^(true|1)$/i.test(given) ? true : /^(false|0)$/i.test(given) ? false : undefined,
  check: (value) => typeof value === "boolean" ? value : undefined,
};

/** Extends a kind by null, for no value. Only the configuration file can give null. */
export function optional<T>(kind: Kind<T>): Kind<T | null> {
  return { ...kind, check: (value) => value === null ? null : kind.check(value) };
}

/** A list of values. In text they are separated by commas; the option may also be repeated. */
export function list<T>(kind: Kind<T>, least: 0 | 1 = 0): Kind<readonly T[]> {
  const all = (items: readonly unknown[], one: (item: never) => T | undefined): T[] | undefined => {
    const good = items.map((item) => one(item as never)).filter((item) => item !== undefined);
    return good.length === items.length && good.length >= least ? good : undefined;
  };
  return {
    expected: `${kind.expected} (or several)`,
    metavar: kind.metavar,
    repeatable: true,
    parse: (given) => all(given.split(",").filter((part) => part !== ""), kind.parse),
    check: (value) => all(Array.isArray(value) ? value : [value], kind.check),
  };
}

/** A function, which only the configuration file can give. */
export function hook<F extends (...args: never[]) => unknown>(): Kind<F | null> {
  return {
    expected: "a function",
    metavar: "",
    code: true,
    parse: () => undefined,
    check: (value) => value === null || typeof value === "function" ? value as F | null : undefined,
  };
}

/** The kind for an option of `serve`: it allows the same values, and parses them from text too. */
export function kindOf(values: Values): Kind<unknown> {
  switch (values.type) {
    case "integer":
      return values.unlimited === true ? limit(values.least) : integer(values.least, values.most);
    case "seconds":
      return seconds(values.least, values.unlimited === true ? "Infinity" : undefined);
    case "boolean":
      return toggle;
    case "word":
      return choice(...values.words);
    case "text":
      return text("TEXT", values.expected, values.holds);
    default:
      throw new TypeError(`The command cannot read ${values.type} values from text`);
  }
}
