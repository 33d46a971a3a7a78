/**
 * A client that behaves well, beside many that do not: it asks again and again, on a connection that it keeps and on a
 * new one each time, and measures how long the answers take.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import { Client } from "../behaviour/client.ts";

const GAP = 20; // ms between two requests
const LONGEST = 20_000; // ms to wait for an answer

/** How long the answers took, in ms. Any other answer than 200 is a failure. */
export interface Service {
  readonly fresh: number[];
  readonly kept: number[];
  readonly failures: string[];
}

/** No answers yet. */
export function noService(): Service {
  return { fresh: [], kept: [], failures: [] };
}

/** Asks for `/ok` until `isOver`, and adds to `service` what comes. With `ca`, the text of a certificate, by TLS. */
export async function probe(
  port: number,
  isOver: () => boolean,
  ca?: string,
  service: Service = noService(),
): Promise<Service> {
  let keeper: Client | undefined;
  const ask = async (client: Client, since: number, into: number[]): Promise<void> => {
    try {
      await client.request("GET", "/ok");
      const { status } = await client.response(LONGEST);
      if (status !== 200) throw new Error(`the answer was ${status}`);
      into.push(performance.now() - since);
    } catch (error) {
      service.failures.push((error as Error).message);
    }
  };
  for (; !isOver(); await pause(GAP)) {
    if (keeper === undefined || keeper.over) {
      keeper?.dispose();
      keeper = await Client.connect(port, ca);
      await ask(keeper, performance.now(), []); // its connection counts below, as a fresh one
    } else await ask(keeper, performance.now(), service.kept);
    const since = performance.now();
    const client = await Client.connect(port, ca);
    await ask(client, since, service.fresh);
    client.dispose();
  }
  keeper?.dispose();
  return service;
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
