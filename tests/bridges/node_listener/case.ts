/**
 * A case: a listener and the requests of a client. It does not say how the listener is served, so that the same cases
 * run over node:http and over tsgi.
 */

import type { IncomingMessage, ServerResponse } from "node:http";

/** Adds to what is compared. */
export type Note = (what: unknown) => void;

/** One case. */
export interface Case {
  readonly name: string;
  /** May be asynchronous; what it notes, and the events of both objects, are compared. */
  readonly listener: (req: IncomingMessage, res: ServerResponse, note: Note) => unknown;
  /** First line of the request; `GET / HTTP/1.1` unless told. */
  readonly line?: string;
  /** More header lines. */
  readonly headers?: readonly string[];
  /** The body, in pieces; between them the client waits until the listener has noted `"next"`. */
  readonly body?: readonly string[];
  /** When the client leaves before it has all: once the listener has noted `"leave"`. */
  readonly leaves?: boolean;
  /** The listener cuts the connection: only that the response is not complete is compared. */
  readonly cut?: boolean;
  /** Events that are not compared, with the reason. */
  readonly unordered?: string;
}

/** Resolves in a later turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
