/**
 * What the bare programs share: the head of the one request is read as text, and the rest is counted. The pace of a
 * sink and the blocks of a source are those of the application, app.ts.
 *
 * @module
 */

import { BLOCK, SLOW_BYTES, SLOW_PAUSE } from "./pace.ts";

/** The answer to an upload. */
export const OK: Uint8Array = new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");

/** What a request asks for: to be read, or to be sent, so many bytes; `rest` are those behind the head. */
export function plan(head: Uint8Array): { upload: boolean; bytes: number; rest: number } {
  const text = new TextDecoder("latin1").decode(head);
  const at = text.indexOf("\r\n\r\n");
  const upload = text.startsWith("POST ");
  const bytes = Number((upload ? /content-length: (\d+)/i : /bytes=(\d+)/).exec(text)?.[1]);
  if (at < 0 || !(bytes > 0)) throw new Error(`Not a request: ${text.slice(0, 200)}`);
  return { upload, bytes, rest: head.length - at - 4 };
}

/** The blocks of a source, behind a head. */
export function* fresh(bytes: number): Generator<Uint8Array, undefined> {
  yield new TextEncoder().encode(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
  for (let sent = 0; sent < bytes; sent += BLOCK) yield new Uint8Array(BLOCK);
}

/** Counts what a sink has read, and says when it has to pause. */
export function pace(): (count: number) => Promise<void> | undefined {
  let got = 0;
  return (count) => {
    got += count;
    if (got < SLOW_BYTES) return undefined;
    got -= SLOW_BYTES;
    return new Promise((resolve) => setTimeout(resolve, SLOW_PAUSE));
  };
}
