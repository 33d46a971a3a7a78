/**
 * Makes load: for the shutdown tests, whose clients connect until they are refused, and for all others, whose clients go on
 * until they are told to stop. They check each response to the last byte.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import { Client } from "../behaviour/client.ts";
import { textOf } from "../behaviour/response.ts";

/** Clients of each kind: those with a connection for each request, and those that keep theirs. */
export const CLIENTS = 8;
const GAP = 50; // ms, below drainIdle
const DEADLINE = 20_000;

/** The counts of the requests of one round. */
export interface Tally {
  answered: number;
  connections: number;
  /** Those whose response announced the end of the connection. */
  last: number;
  /** Connections that the system reset before a request was sent. */
  unsent: number;
  /** First requests of connections that were reset without a byte, because the server never accepted them. */
  backlog: number;
  failures: string[];
}

/** How the clients behave. */
export interface LoadOptions {
  /** Whether they are to stop. */
  readonly over?: () => boolean;
  /** The certificate that signed the server's: they speak TLS. */
  readonly ca?: string | undefined;
  /** What they ask for, of an application that is not the one of these tests; its responses have a length. */
  readonly path?: string;
  /** Milliseconds between the requests of a client that keeps its connection. Default: 50. */
  readonly gap?: number;
}

/** Sends one request, and checks the response to the last byte. False when the connection ends. */
async function exchange(client: Client, tally: Tally, kind: string, plainPath?: string): Promise<boolean> {
  const id = `${kind}${tally.answered}`;
  try {
    const ms = tally.answered % 10;
    const path = plainPath ?? (ms === 0 ? `/ok?${id}` : `/wait?ms=${ms}`);
    await client.request("GET", path, kind === "closing" ? { headers: [["Connection", "close"]] } : {});
    const response = await client.response(DEADLINE);
    const body = textOf(response);
    const expected = plainPath === undefined ? (ms === 0 ? `ok ${id}` : "waited") : body;
    if (response.status !== 200 || body !== expected) throw new Error(`Got ${body}`);
    tally.answered++;
    const last = response.headers.some(([name, value]) => /^connection$/i.test(name) && value === "close");
    if (last && kind !== "closing") tally.last++;
    return !last;
  } catch (error) {
    const reset = (client.failure as NodeJS.ErrnoException | null)?.code;
    if (client.seen === 0 && (reset === "ECONNRESET" || reset === "EPIPE")) tally.backlog++;
    else tally.failures.push(`${kind}: ${(error as Error).message}`);
    return false;
  }
}

/** Connects again and again, until it is refused. */
async function connectAgainAndAgain(
  port: number,
  kind: "fresh" | "closing" | "kept",
  tally: Tally,
  { over, ca, path, gap = GAP }: LoadOptions,
): Promise<void> {
  const isOver = over ?? ((): boolean => false);
  for (let connections = 0; connections < 100_000 && !isOver(); connections++) {
    let client: Client;
    try {
      client = await Client.connect(port, ca);
    } catch (error) {
      if (over === undefined && (error as NodeJS.ErrnoException).code === "ECONNREFUSED") return;
      tally.unsent++;
      continue;
    }
    tally.connections++;
    try {
      if (kind !== "kept") await exchange(client, tally, kind, path);
      else while (!client.over && !isOver() && await exchange(client, tally, kind, path)) if (gap > 0) await pause(gap);
    } finally {
      client.dispose();
    }
  }
}

/** A tally with all counts at 0. */
export function noTally(): Tally {
  return { answered: 0, connections: 0, last: 0, unsent: 0, backlog: 0, failures: [] };
}

/** Starts the clients of a port; each settles once it is refused, or once `over` says so. */
export function clientsOf(port: number, tally: Tally, options: LoadOptions = {}): Promise<void>[] {
  return Array.from({ length: CLIENTS }, (_, i) => [
    connectAgainAndAgain(port, i % 2 === 0 ? "fresh" : "closing", tally, options),
    connectAgainAndAgain(port, "kept", tally, options),
  ]).flat();
}
