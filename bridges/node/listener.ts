/**
 * The types of a `(req, res)` listener, without those of Node: a program that has no `@types/node` uses the bridge too.
 *
 * @module
 */

/** The type of `req` for a listener that declares no types: a minimal `IncomingMessage`. */
export interface ListenerRequest extends AsyncIterable<Uint8Array> {
  /** Method as sent. */
  readonly method?: string | undefined;
  /** Path below the mount point, and query; not decoded. */
  readonly url?: string | undefined;
  /** Header fields by lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Listens to an event: `"data"`, `"end"`, `"close"`. */
  on(event: string, listener: (...args: never[]) => void): unknown;
}

/** The type of `res` for a listener that declares no types: a minimal `ServerResponse`. */
export interface ListenerResponse {
  /** The status code; 200 unless set. */
  statusCode: number;
  /** Sets a header field. */
  setHeader(name: string, value: number | string | readonly string[]): unknown;
  /** Decides the head. */
  writeHead(status: number, headers?: Readonly<Record<string, number | string | readonly string[]>>): unknown;
  /** Sends a block. Returns false if the listener should wait for `"drain"`. */
  write(block: string | Uint8Array): boolean;
  /** Ends the response. */
  end(block?: string | Uint8Array): unknown;
  /** Listens to an event: `"drain"`, `"finish"`, `"close"`. */
  on(event: string, listener: (...args: never[]) => void): unknown;
}

/** The classes of the two objects that a listener gets. They have to extend those of node:http, the default. */
export interface MessageClasses {
  /** Class of the request. */
  readonly IncomingMessage?: (new (socket: never) => object) | undefined;
  /** Class of the response. */
  readonly ServerResponse?: (new (request: never) => object) | undefined;
}
