/**
 * A case: a listener and the requests of a client. It does not say how the listener is served, so that the same cases
 * run over node:http and over tsgi.
 */

import type { IncomingMessage, ServerResponse } from "node:http";

/** Adds a note to those that are compared. */
export type Note = (what: unknown) => void;

/** One case. */
export interface Case {
  readonly name: string;
  /** May be asynchronous. Its notes and the events of both objects are compared. */
  readonly listener: (req: IncomingMessage, res: ServerResponse, note: Note) => unknown;
  /** First line of the request. Default `GET / HTTP/1.1`. */
  readonly line?: string;
  /** More header lines. */
  readonly headers?: readonly string[];
  /** The pieces of the body. After each, the client waits until the listener has noted `"next"`. */
  readonly body?: readonly string[];
  /** Whether the client leaves early, once the listener has noted `"leave"`. */
  readonly leaves?: boolean;
  /** Whether the listener cuts the connection. Then only the incompleteness of the response is compared. */
  readonly cut?: boolean;
  /** Events that are not compared, with the reason. */
  readonly unordered?: string;
}

/** Resolves in a later turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
