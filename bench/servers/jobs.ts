/**
 * The jobs as WSGI applications, and the data that the baselines share with them.
 *
 * @module
 */

import process from "node:process";
import type { Application, Environ, StartResponse } from "../../mod.ts";
import { BLOCK, BLOCKS, HELLO, type Job, K64 } from "../workloads.ts";

const PLAIN = [["Content-Type", "text/plain"], ["Content-Length", String(HELLO.length)]] as const;
const BYTES = [["Content-Type", "application/octet-stream"]] as const;
const big = new Uint8Array(K64).fill(0x78);
const block = new Uint8Array(BLOCK).fill(0x78);

/** The body of the k64 job. */
export const k64Body: Uint8Array<ArrayBuffer> = big;

/** The body of the stream job. */
export async function* blocks(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let i = 0; i < BLOCKS; i++) yield await block; // what an application awaits is in memory already
}

async function echo(environ: Environ, startResponse: StartResponse): Promise<Uint8Array[]> {
  const body = await environ["wsgi.input"].read();
  startResponse("200 OK", [...BYTES, ["Content-Length", String(body.length)]]);
  return [body];
}

/** The hello job. */
export function hello(_environ: Environ, startResponse: StartResponse): string[] {
  startResponse("200 OK", PLAIN);
  return [HELLO];
}

/** The applications. */
export const applications: Readonly<Record<Job, Application>> = {
  hello,
  echo,
  k64: (_environ, startResponse) => {
    startResponse("200 OK", [...BYTES, ["Content-Length", String(K64)]]);
    return [big];
  },
  stream: (_environ, startResponse) => {
    startResponse("200 OK", BYTES);
    return blocks();
  },
};

/** The job that a server was started for. */
export function job(): Job {
  const name = process.argv[2];
  if (name !== undefined && Object.hasOwn(applications, name)) return name as Job;
  throw new Error(`Usage: SERVER ${Object.keys(applications).join("|")}`);
}

/** The line that a benchmark waits for. */
export function ready(port: number): void {
  console.log(`listening ${port}`);
}
