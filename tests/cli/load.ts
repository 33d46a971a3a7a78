/**
 * Puts load on a command: fresh, closing and kept connections. Each response is checked to the last byte.
 *
 * @module
 */

import { expect } from "vitest";
import { CLIENTS, clientsOf, noTally, type Tally } from "../lifecycle/load.ts";
import { type Command, until } from "./command.ts";

/** Calls `run` while a command is under load; returns the counts of the requests. */
export async function underLoad(command: Command, run: () => Promise<void>, ca?: string): Promise<Tally> {
  const tally = noTally();
  let over = false;
  const clients = clientsOf(command.port, tally, { over: () => over, ca });
  const more = async (): Promise<void> => {
    const then = tally.answered;
    await until("the load", () => tally.answered > then + 2 * CLIENTS, 20_000, () => JSON.stringify(tally));
  };
  try {
    await more();
    await run();
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
