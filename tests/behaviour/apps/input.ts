/**
 * Applications that read the request body.
 *
 * `/input?ops=read:3;readline;iter` runs a list of reads in order and answers with what each gave, so that a test
 * says in one line what is read and how. Blocks are shown as latin-1 strings, an error as `{error, status}`.
 *
 * @module
 */

import type { Environ } from "../../../core/contract/types.ts";
import { bump, type Entry, gate, json, nameOf, note, type Table, watchSignal } from "./record.ts";

function show(block: unknown): string {
  if (!(block instanceof Uint8Array)) return `not bytes: ${Object.prototype.toString.call(block)}`;
  let text = "";
  for (const octet of block) text += String.fromCharCode(octet);
  return text;
}

async function run(op: string, environ: Environ, entry: Entry): Promise<unknown> {
  const input = environ["wsgi.input"];
  const [verb, argument] = op.split(":");
  const size = argument === undefined ? undefined : Number(argument);
  switch (verb) {
    case "read":
      return show(await (size === undefined ? input.read() : input.read(size)));
    case "readline":
      return show(await (size === undefined ? input.readline() : input.readline(size)));
    case "readlines": {
      const lines = await (size === undefined ? input.readlines() : input.readlines(size));
      return Array.isArray(lines) ? lines.map(show) : "not an array";
    }
    case "length":
      return (await input.read()).length;
    case "lengths": {
      const out: number[] = [];
      for (let line = await input.readline(); line.length > 0; line = await input.readline()) out.push(line.length);
      return out;
    }
    case "iter": {
      let text = "";
      for await (const block of input) text += show(block);
      return text;
    }
    case "next":
      for await (const block of input) return show(block).length > 0;
      return false;
    case "keep": {
      // Blocks are read one by one and looked at only at the end: they must be the application's own memory.
      const kept: Uint8Array[] = [];
      for (let i = 0; i < (size ?? 0); i++) {
        kept.push(await input.read(4));
        bump(entry, "kept");
      }
      return kept.map(show);
    }
    case "overlap": {
      const first = input.read();
      const second = await input.read(1).then(show, nameOf);
      note(entry, "overlap", second);
      return [show(await first), second];
    }
    case "shut": {
      const close = (input as unknown as { close?: () => unknown }).close;
      if (typeof close === "function") await close.call(input);
      return typeof close;
    }
    case "gate":
      await gate(entry);
      return "released";
    default:
      throw new Error(`Unknown operation ${op}`);
  }
}

/** Routes that read. */
export const inputTable: Table = {
  input: async (environ, startResponse, query, entry) => {
    const results: unknown[] = [];
    for (const op of (query.get("ops") ?? "").split(";")) {
      bump(entry, "ops");
      try {
        results.push(await run(op, environ, entry));
      } catch (error) {
        results.push({ error: nameOf(error), isError: error instanceof Error });
        note(entry, "errors", nameOf(error));
      }
    }
    entry.results = results;
    return json(startResponse, results);
  },
  // Lets the error of the read through.
  slurp: async (environ, startResponse, _query, entry) => {
    bump(entry, "started");
    watchSignal(environ, entry);
    try {
      const body = await environ["wsgi.input"].read();
      return json(startResponse, body.length);
    } catch (error) {
      entry.error = nameOf(error);
      throw error;
    }
  },
  // Answers without reading.
  ignore: (_environ, startResponse, query, entry) => {
    bump(entry, "started");
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return [query.get("say") ?? "ignored"];
  },
  // Sends head and a block, then reads, then sends what it read.
  late: (environ, startResponse) => {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return (async function* () {
      yield "first;";
      yield await environ["wsgi.input"].read();
    })();
  },
  // Reads only when the test says so, then counts.
  hold: async (environ, startResponse, _query, entry) => {
    await gate(entry);
    return json(startResponse, (await environ["wsgi.input"].read()).length);
  },
  // Reads after its response has ended.
  "after-end": (environ, startResponse, _query, entry) => {
    void gate(entry).then(() => environ["wsgi.input"].read()).then(
      (b) => entry.after = show(b),
      (e) => entry.after = nameOf(e),
    );
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return ["ended"];
  },
  // Sends back what arrives as it arrives.
  echo: (environ, startResponse) => {
    const headers: [string, string][] = [["Content-Type", "application/octet-stream"]];
    if (environ.CONTENT_LENGTH) headers.push(["Content-Length", environ.CONTENT_LENGTH]);
    startResponse("200 OK", headers);
    return environ["wsgi.input"];
  },
  // Reads all, then sends it back as one block.
  store: async (environ, startResponse) => {
    const body = await environ["wsgi.input"].read();
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    return [body];
  },
};
