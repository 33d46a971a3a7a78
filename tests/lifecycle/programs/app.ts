/**
 * The application of all lifecycle tests. It counts its calls and what became of them; `/counts` tells.
 *
 * @module
 */

import process from "node:process";
import type { Body, Environ, ServeOptions, StartResponse } from "../../../mod.ts";
import { liveHeap } from "./heap.ts";
import { BLOCK, SLOW_BYTES, SLOW_PAUSE } from "./pace.ts";

/** What became of the calls to `/post` and `/blocks`. */
export interface Counts {
  readonly calls: number;
  /** How often close() ran, for each call. */
  readonly closes: readonly number[];
  /** Bodies whose first block was asked for, and `finally` blocks of those that ran. */
  readonly begun: number;
  readonly finals: number;
}

const closes: number[] = [];
let begun = 0;
let finals = 0;
let release: () => void;
const released = new Promise<void>((resolve) => release = resolve);
const abort = new AbortController();

/** Options from the environment, with what every program sets. */
export function options(): ServeOptions {
  const given = JSON.parse(process.env["TSGI_SERVE"] ?? "{}") as ServeOptions;
  const onListen: ServeOptions["onListen"] = (address) =>
    console.log(`port ${address.transport === "tcp" ? address.port : 0}`);
  const where = given.fd === undefined ? { hostname: "127.0.0.1", port: 0 } : {};
  return { ...where, signal: abort.signal, onListen, ...given };
}

/** A timer that the departure of the client ends: what the application leaves behind would keep the process alive. */
function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** A body of many small blocks whose end is counted. */
function counted(blocks: number): Body {
  const call = closes.push(0) - 1;
  const body = (async function* () {
    begun++;
    try {
      for (let i = 0; i < blocks; i++) {
        yield "abcd";
        await wait(1);
      }
    } finally {
      finals++;
    }
  })();
  return Object.assign(body, { close: () => void closes[call]!++ });
}

function* fresh(bytes: number): Generator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += BLOCK) yield new Uint8Array(BLOCK);
}

/** A body that never gives a byte, whose end is counted. */
function* nothing(): Generator<string> {
  begun++;
  try {
    for (;;) yield "";
  } finally {
    finals++;
  }
}

/** The same, with a pause between its blocks. */
async function* nothingSlowly(): AsyncGenerator<string> {
  for (const block of nothing()) {
    yield block;
    await wait(20);
  }
}

/** The application. */
export async function app(environ: Environ, startResponse: StartResponse): Promise<Body> {
  const query = new URLSearchParams(environ.QUERY_STRING);
  const input = environ["wsgi.input"];
  const ok = (length?: number): unknown =>
    startResponse("200 OK", length === undefined ? [] : [["Content-Length", String(length)]]);
  switch (environ.PATH_INFO) {
    case "/counts": {
      ok();
      const counts: Counts = { calls: closes.length, closes, begun, finals };
      return [JSON.stringify(counts)];
    }
    case "/heap":
      ok();
      return [JSON.stringify(await liveHeap())];
    case "/wait":
      await wait(Number(query.get("ms")), environ["tsgi.request"].signal);
      ok();
      return ["waited"];
    case "/hold":
      await released;
      ok();
      return ["held"];
    case "/release":
      release();
      ok();
      return ["released"];
    case "/abort":
      abort.abort();
      ok();
      return ["aborted"];
    case "/post":
      await input.read().catch(() => {}); // the client is gone: the body is returned all the same
      ok();
      return counted(3);
    case "/blocks":
      ok();
      return counted(50);
    case "/nothing":
      ok();
      return nothing();
    case "/nothing-slowly":
      ok();
      return nothingSlowly();
    case "/upload": {
      let got = 0;
      let pauses = 0;
      for await (const bytes of input) {
        got += bytes.length;
        if (got < (pauses + 1) * SLOW_BYTES) continue;
        pauses++;
        await wait(SLOW_PAUSE);
      }
      ok();
      return [`got ${got}`];
    }
    case "/upgraded": { // writes without end, until the connection breaks
      const { writable, closed } = environ["tsgi.request"].upgrade();
      begun++;
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(BLOCK)) }).pipeTo(writable).catch(
        () => {},
      );
      closed.catch(() => finals++);
      return [];
    }
    case "/download": {
      const bytes = Number(query.get("bytes"));
      ok(bytes);
      return fresh(bytes);
    }
  }
  ok();
  return [`ok ${environ.QUERY_STRING}`];
}
