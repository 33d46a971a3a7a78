/**
 * Parses the command lines of the benchmarks: `--name value`, with comma-separated lists.
 *
 * @module
 */

import process from "node:process";

/** Returns the values of a command line, or else defaults. Prints the usage and exits for anything else. */
export function commandLine<Name extends string>(
  usage: string,
  defaults: Readonly<Record<Name, string>>,
  args: readonly string[] = process.argv.slice(2),
): Record<Name, string> {
  const values: Record<Name, string> = { ...defaults };
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i]!.replace(/^--/, "");
    const value = args[i + 1];
    if (!args[i]!.startsWith("--") || !Object.hasOwn(values, name) || value === undefined) {
      console.error(`${args[i] === "--help" ? "" : `Not understood: ${args[i]}\n`}${usage}`);
      process.exit(args[i] === "--help" ? 0 : 2);
    }
    values[name as Name] = value;
  }
  return values;
}

/** Parses a list. Prints the usage and exits if a member is unknown. */
export function members<Member extends string>(name: string, text: string, known: readonly Member[]): Member[] {
  const asked = text.split(",").filter((one) => one !== "" && one !== "none");
  const wrong = asked.find((one) => !known.includes(one as Member));
  if (wrong !== undefined) {
    console.error(`--${name}: ${wrong} is none of ${known.join(", ")}`);
    process.exit(2);
  }
  return asked as Member[];
}

/** Parses a whole number from 1. */
export function count(name: string, text: string): number {
  if (/^[1-9][0-9]{0,3}$/.test(text)) return Number(text);
  console.error(`--${name}: ${text} is no whole number from 1 to 9999`);
  process.exit(2);
}
