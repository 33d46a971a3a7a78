/**
 * Applications that use `wsgi.file_wrapper` on files made of memory, which count how they are read and closed.
 *
 * @module
 */

import type { FileLike } from "../../../core/contract/file_wrapper.ts";
import { bump, type Entry, note, type Table } from "./record.ts";

/** What the files hold. */
export const CONTENT = "0123456789abcdefghijklmnopqrstuvwxyz";

function fileOf(entry: Entry, form: string, offset: number): FileLike {
  const bytes = new TextEncoder().encode(CONTENT);
  let at = offset;
  const close = (): void => bump(entry, "closed");
  const take = (size: number): Uint8Array => {
    note(entry, "sizes", size);
    const block = bytes.slice(at, at + size);
    at += block.length;
    return block;
  };
  switch (form) {
    case "async":
      return { read: async (size) => (await Promise.resolve(), take(size)), close };
    case "null":
      return { read: (size) => at < bytes.length ? take(size) : null, close };
    case "unclosable":
      return { read: take };
    case "failing":
      return {
        read: (size) => {
          if (at > 0) throw new Error(`boom ${String(entry.key)}`);
          return take(size);
        },
        close,
      };
    case "stream":
      return {
        async *[Symbol.asyncIterator]() {
          for (; at < bytes.length;) yield take(7);
        },
        close,
      };
    default:
      return { read: take, close };
  }
}

/** Routes: `/file?form=&size=&length=&offset=` and the same wrapped once more. */
export const fileTable: Table = {
  file: (environ, startResponse, query, entry) => {
    const headers: [string, string][] = [["Content-Type", "text/plain"]];
    const length = query.get("length");
    if (length !== null) headers.push(["Content-Length", length]);
    const file = fileOf(entry, query.get("form") ?? "sync", Number(query.get("offset") ?? 0));
    const size = query.get("size");
    const body = size === null ? environ["wsgi.file_wrapper"](file) : environ["wsgi.file_wrapper"](file, Number(size));
    // W01: nothing is read before the wrapper is returned.
    entry.readBefore = entry.sizes ?? null;
    startResponse(query.get("status") ?? "200 OK", headers);
    return body;
  },
  // W01: made, but not returned.
  "file-unused": (environ, startResponse, _query, entry) => {
    environ["wsgi.file_wrapper"](fileOf(entry, "sync", 0));
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return ["other"];
  },
  // W05: a middleware that iterates it.
  "file-wrapped": (environ, startResponse, _query, entry) => {
    const inner = environ["wsgi.file_wrapper"](fileOf(entry, "sync", 0), 10);
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    const outer = (async function* () {
      for await (const block of inner) yield new TextDecoder().decode(block).toUpperCase();
      note(entry, "closedAtEnd", entry.closed ?? 0);
    })();
    return Object.assign(outer, { close: () => inner.close() });
  },
};
