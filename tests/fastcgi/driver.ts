/**
 * Runs bytes of a web server through a connection, many times a second, and returns the verdicts.
 *
 * The web servers of the captures begin a request once the one before has ended. So bytes are cut where records begin
 * and everything that is ready runs there, besides whatever cuts a test makes.
 */

import process from "node:process";
import { fastcgiConnection } from "../../core/wires/fastcgi/connection.ts";
import type { EnvironTemplate } from "../../core/contract/environ.ts";
import type { Environ, StartResponse } from "../../core/contract/types.ts";
import type { Transport } from "../../core/seams.ts";
import { configOf } from "../http1/harness.ts";
import { comparable, type Verdict } from "./naive.ts";

const SIZE = 1 << 17;
const memory = new Uint8Array(SIZE); // shared by all: tests here have one connection at a time

/** Whether to run all cases, in minutes. By default the tests run fewer cases, in seconds. */
export const exhaustive: boolean = process.env["TSGI_EXHAUSTIVE"] !== undefined;

/** A transport that records only how it ended. */
class QuietTransport implements Transport {
  readonly peer = { remoteAddress: "192.0.2.1", remotePort: "4711", localAddress: "192.0.2.2", localPort: "80" };
  readonly givesInput = false;
  readonly buffered = 0;
  ending: Verdict["ending"] = "open";
  write(): boolean {
    return true;
  }
  memory = memory;
  reserve(min: number): number {
    this.memory = min <= SIZE ? memory : new Uint8Array(min);
    return 0;
  }
  commit(): boolean {
    return true;
  }
  pause(): void {}
  resume(): void {}
  attach(): void {}
  end(): void {
    this.ending = "end";
  }
  destroy(): void {
    this.ending = "reset";
  }
  reset(): void {
    this.ending = "reset";
  }
}

/** The common part of every environ. */
export const template: EnvironTemplate = configOf(() => [], () => {}).template;

const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The verdict on bytes that come in pieces cut at `cuts`, each followed by a rest; `each` runs after each piece. */
export async function drive(bytes: Uint8Array, cuts: readonly number[]): Promise<Verdict> {
  const verdict: Verdict = { accepted: [], refused: [], ending: "open" };
  const transport = new QuietTransport();
  const app = async (environ: Environ, startResponse: StartResponse): Promise<string[]> => {
    const entry = { environ: comparable(environ), body: "" };
    verdict.accepted.push(entry);
    try {
      entry.body = Buffer.from(await environ["wsgi.input"].read()).toString("latin1");
    } catch (error) {
      entry.body = (error as Error).name;
      throw error;
    }
    startResponse("200 OK", []);
    return ["ok"];
  };
  const connection = fastcgiConnection(
    transport,
    configOf(app, (text) => {
      const refused = /^tsgi: refused a request from \S+: ([^:]*)/.exec(text);
      if (refused !== null) verdict.refused.push(refused[1] as string);
    }),
  );
  let start = 0;
  for (const end of [...cuts, bytes.length]) {
    if (end <= start || end > bytes.length) continue;
    connection.receive(bytes.slice(start, end));
    await macrotask();
    start = end;
  }
  verdict.ending = transport.ending;
  connection.closed();
  await macrotask();
  return verdict;
}
