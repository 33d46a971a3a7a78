/**
 * Runs one request per connection without sockets, for the tests of SCGI and uwsgi.
 *
 * `tests/captures/` contains what nginx and Apache sent for known requests, one file per connection. A *verdict* is what
 * can be observed from outside: whether and with what the application was called, and the response.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { projectPath } from "../server_process.ts";
import type { Wire } from "../../core/wires/load.ts";
import type { Environ, StartResponse } from "../../core/contract/types.ts";
import { type Overrides, Talk } from "../http1/harness.ts";

/** The captured connections of a protocol: `"nginx-scgi-get"` and its bytes. */
export function captures(protocol: string): readonly (readonly [name: string, bytes: Uint8Array])[] {
  const names = readdirSync(projectPath("tests/captures")).filter((name) => name.includes(`-${protocol}-`)).sort();
  return names.map((
    name,
  ) => [name.replace(".bin", ""), new Uint8Array(readFileSync(projectPath(`tests/captures/${name}`)))]);
}

/** The observed result of a connection. */
export interface Verdict {
  /** The status of the answer; 0 for none. */
  readonly status: number;
  /** Method, SCRIPT_NAME, PATH_INFO, QUERY_STRING and CONTENT_LENGTH, when the application was called. */
  readonly request: readonly (string | undefined)[] | null;
  /** Length and digest of the body it read, or the name of the error it got. */
  readonly body: string;
}

/** Length and digest. */
export function digest(bytes: Uint8Array): string {
  return `${bytes.length} ${createHash("sha1").update(bytes).digest("hex").slice(0, 12)}`;
}

/** Feeds pieces and then FIN to a connection; returns the verdict. */
export async function verdictOf(
  wire: Wire,
  pieces: readonly Uint8Array[],
  overrides: Overrides = {},
): Promise<Verdict> {
  let request: (string | undefined)[] | null = null;
  let body = "";
  const app = async (environ: Environ, startResponse: StartResponse): Promise<string> => {
    const { REQUEST_METHOD, SCRIPT_NAME, PATH_INFO, QUERY_STRING, CONTENT_LENGTH } = environ;
    request = [REQUEST_METHOD, SCRIPT_NAME, PATH_INFO, QUERY_STRING, CONTENT_LENGTH];
    try {
      body = digest(await environ["wsgi.input"].read());
    } catch (error) {
      body = (error as Error).name;
      throw error;
    }
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return "served";
  };
  const talk = new Talk(app, overrides, wire);
  for (const piece of pieces) talk.connection.receive(piece.slice());
  talk.connection.ended();
  await talk.settled();
  const status = Number(/^(?:Status:|HTTP\/1\.1) ([0-9]{3}) /.exec(talk.transport.sent)?.[1] ?? 0);
  talk.connection.closed();
  if (talk.forgotten !== 1) throw new Error(`Forgotten ${talk.forgotten} times`);
  return { status, request, body };
}

/** Makes a generator of pseudo-random numbers below 2^32 (xorshift), which a seed determines. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>>= 0;
  };
}

/** A copy with one to three random changes: octets changed, removed, inserted, repeated, or the end cut off. */
export function mutated(bytes: Uint8Array, random: () => number): Uint8Array {
  let now: Uint8Array = bytes.slice();
  for (let changes = 1 + random() % 3; changes > 0; changes--) {
    // Heads are where the grammar is: most changes go there.
    const at = random() % (random() % 4 === 0 ? now.length + 1 : Math.min(now.length + 1, 600));
    const length = random() % 4 + 1;
    const part = (start: number, end?: number): Uint8Array => now.subarray(start, end);
    switch (random() % 5) {
      case 0:
        if (at < now.length) now[at] = random() % 256;
        break;
      case 1:
        now = joined(part(0, at), part(at + length));
        break;
      case 2:
        now = joined(part(0, at), Uint8Array.from({ length }, () => random() % 256), part(at));
        break;
      case 3:
        now = joined(part(0, at), part(Math.max(0, at - length)));
        break;
      default:
        now = part(0, at).slice();
    }
  }
  return now;
}

/** The bytes of all parts. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Bytes in pieces of random sizes. */
export function inPieces(bytes: Uint8Array, random: () => number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = random() % 4 === 0 ? 1 + random() % 8 : 1 + random() % bytes.length;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
