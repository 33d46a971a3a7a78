/**
 * Puts load on a command: fresh, closing and kept connections. Each response is checked to the last byte.
 *
 * @module
 */

import { expect } from "vitest";
import { CLIENTS, clientsOf, type LoadOptions, noTally, type Tally } from "../lifecycle/load.ts";
import { type Command, until } from "./command.ts";

/** Calls `run` while a command is under load; returns the counts of the requests. */
export async function underLoad(
  command: Command,
  run: (tally: Tally) => Promise<void>,
  options: LoadOptions = {},
): Promise<Tally> {
  const tally = noTally();
  let over = false;
  const clients = clientsOf(command.port, tally, { ...options, over: () => over });
  const more = async (): Promise<void> => {
    const then = tally.answered;
    await until("the load", () => tally.answered > then + 2 * CLIENTS, 20_000, () => JSON.stringify(tally));
  };
  try {
    await more();
    await run(tally);
    await more();
  } finally {
    over = true;
    await Promise.all(clients);
  }
  return tally;
}

/** Expects that not one request was lost. */
export function nothingLost({ unsent, backlog, failures }: Tally): void {
  expect({ unsent, backlog, failures }).toEqual({ unsent: 0, backlog: 0, failures: [] });
}

/** Tells the counts in a line that begins with `what`. Returns why requests were lost. */
export function lossOf(tally: Tally, what: string, say: (line: string) => void): string[] {
  const { answered, connections, unsent, backlog, failures } = tally;
  const lost = unsent + backlog + failures.length;
  const causes = [...new Set(failures.map((failure) => failure.replace(/: .*, /s, ": ").slice(0, 80)))].slice(0, 3);
  say(`${what}: ${answered} answered on ${connections} connections, ${lost} failed ${causes.join("; ")}`);
  return lost === 0 ? [] : [`${what}: ${lost} requests failed: ${causes.join("; ")}`];
}
