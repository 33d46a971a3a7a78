/**
 * The seams: the four interfaces that keep hosts, wires and applications apart.
 *
 * A *Host* is what a runtime gives (sockets, a fast latin-1 decoder, a later turn of the event loop).
 * A *Transport* is what a wire may ask of one socket, a *Connection* what a host may tell a wire,
 * an *Exchange* where the handler puts a response. Each host implements Host and Transport once, each wire
 * Connection and Exchange once: hosts x wires x applications then costs hosts + wires + applications.
 *
 * Three rules hold for every implementation:
 *
 * 1. A Transport never calls its Connection from inside a Transport call. What a call causes is told later.
 * 2. Bytes given to `receive` are lent: they are valid until it returns, then the host reuses the memory; unless the
 *    Transport says `givesInput`: then nobody but the Connection touches them any more.
 *    Bytes given to `write` are given away: the caller does not touch them again.
 * 3. `closed` comes exactly once and last, whatever the cause.
 *
 * @module
 */

/**
 * A header list: name and value pairs, both latin-1 strings (PEP 3333, "The start_response() Callable"). Repeated names
 * are kept as they are.
 */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** The two ends of a socket, as far as the host knows them. Unknown parts are `""`. */
export interface Peer {
  /** Address of the client, without brackets: `"127.0.0.1"`, `"::1"`. */
  readonly remoteAddress: string;
  /** Port of the client in decimal. */
  readonly remotePort: string;
  /** Address the client reached us at. */
  readonly localAddress: string;
  /** Port the client reached us at, in decimal. */
  readonly localPort: string;
}

/**
 * What kind of socket listens. A peer of a Unix socket never has an address, and its file mode says who may connect; a
 * TCP peer has one, and `allowIps` says it.
 */
export type SocketKind = "tcp" | "unix";

/** Where a server listens. */
export interface Address {
  /** Host name or address, IPv6 without brackets; `""` for a Unix socket. */
  readonly hostname: string;
  /** TCP port; 0 for a Unix socket. */
  readonly port: number;
  /** Path of a Unix socket; absent for TCP. */
  readonly path?: string;
}

/** Where and how a host is to listen: at `fd`, else at `path`, else at `hostname` and `port`. */
export interface ListenOptions {
  /** Name or address to listen on. */
  readonly hostname: string;
  /** TCP port; 0 asks the system for a free one. */
  readonly port: number;
  /** Path of a Unix socket. */
  readonly path: string | undefined;
  /** File mode of that socket, as in `chmod`. */
  readonly mode: number | undefined;
  /** A file descriptor that listens already. */
  readonly fd: number | undefined;
  /** The kind of that descriptor, where the caller has opened it and knows. */
  readonly kind?: SocketKind;
  /** Connections that the system holds until they are accepted. */
  readonly backlog: number | undefined;
  /** Whether other processes may listen on the same port too, the system sharing out the connections. */
  readonly reusePort: boolean;
}

/** A listening socket. */
export interface Listener {
  /** The address in force: the port is the real one even when 0 was asked for. */
  readonly address: Address;
  /** Its kind; undefined for an inherited descriptor of which the host cannot tell. */
  readonly kind: SocketKind | undefined;
  /** Stops accepting and frees the port; open connections stay. Resolves once the port is free. */
  close(): Promise<void>;
}

/**
 * What a runtime gives. Implemented once by each adapter that has sockets.
 *
 * @internal
 */
export interface Host {
  /** Name of the runtime, for messages: `"node"`, `"deno"`, `"bun"`. */
  readonly runtime: string;
  /**
   * Listens, and asks `accept` for a {@linkcode Connection} for each socket.
   *
   * @throws {ListenError} (as a rejection) when the address cannot be had, or the host cannot listen in that way.
   */
  listen(options: ListenOptions, accept: (transport: Transport) => Connection): Promise<Listener>;
  /** Decodes `bytes[start, end)` one code unit a byte. */
  latin1(bytes: Uint8Array, start: number, end: number): string;
  /** Runs `callback` in a later turn of the event loop, after input and output that is ready. */
  turn(callback: () => void): void;
  /** Appends text to standard error, without adding a line end. */
  stderr(text: string): void;
  /** Calls `listener` at each SIGINT and SIGTERM, until the function that is returned is called. */
  onSignal(listener: () => void): () => void;
  /** Reads an environment variable; undefined when it is not set or may not be read. */
  env(name: string): string | undefined;
}

/** One socket, as a wire sees it. */
export interface Transport {
  /** Addresses of the two ends. */
  readonly peer: Peer;
  /** Whether bytes that arrive are the connection's own to keep, and not lent. */
  readonly givesInput: boolean;
  /** Bytes accepted by `write` or `commit` that the system has not taken yet. */
  readonly buffered: number;
  /** Sends bytes and takes ownership of them. False: above the high-water mark, wait for `drained`. */
  write(bytes: Uint8Array): boolean;
  /** The output memory that `reserve` lends a part of. Another one after each call. */
  readonly memory: Uint8Array;
  /** Lends at least `min` bytes of `memory`, from the index that it returns on, until the next Transport call. */
  reserve(min: number): number;
  /** Sends the first `length` bytes of what `reserve` lent. False as for `write`. */
  commit(length: number): boolean;
  /** Stops reading, so that the peer feels backpressure: no `receive` or `ended` until `resume` or `attach`. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Hands the socket to another connection, which first receives `leftover`, later. Reads again. */
  attach(next: Connection, leftover: Uint8Array): void;
  /** Sends what is buffered, then FIN, and reads on. The socket closes by itself once the peer has sent FIN too. */
  end(): void;
  /** Closes at once; what is buffered here is lost, what the system has taken is not. */
  destroy(): void;
  /** Closes at once with a reset, where the host can, so that the peer cannot take it for an orderly end. */
  reset(): void;
}

/** One connection of a wire protocol: bytes in through these calls, bytes out through its Transport. */
export interface Connection {
  /** Bytes arrived: any split, any size above 0. Lent for the call. */
  receive(bytes: Uint8Array): void;
  /** Output is below the high-water mark again, after `write` or `commit` said false. */
  drained(): void;
  /** The peer sent FIN: nothing more will be received. */
  ended(): void;
  /** The socket is gone, for whatever cause. The last call. */
  closed(error?: unknown): void;
  /** Finish what runs, then close; accept no further request. */
  shutdown(): void;
  /** The coarse clock: milliseconds, monotonic. Called about twice a second. */
  tick(now: number): void;
}

/**
 * A response head that has passed validation: what {@linkcode Exchange.head} gets.
 * Facts that every wire needs are found once, while validating.
 */
export interface ResponseHead {
  /** Status code and reason phrase, latin-1: `"200 OK"`. */
  readonly status: string;
  /** The status code, 200 to 599; from a bridge up to 999. */
  readonly code: number;
  /** Header fields in the application's order; names are tokens, values latin-1 without controls. */
  readonly headers: HeaderList;
  /** The application's own Content-Length, or null when it gave none. */
  readonly contentLength: number | null;
  /** Whether the application gave a Date. */
  readonly hasDate: boolean;
  /** Whether the application gave a Server. */
  readonly hasServer: boolean;
}

/** Octets on their way out: bytes, or ASCII text, of which each code unit is an octet. Both have their number as `length`. */
export type Octets = Uint8Array | string;

/** Where the handler's response goes. Implemented once by each wire, and by the fetch adapter. */
export interface Exchange {
  /**
   * Starts the response. Called once, before `body`.
   *
   * @param head The validated head.
   * @param length Length of the whole body in bytes, or null when it is not known: the wire then frames it.
   * @param bodyless True when no body follows whatever `length` says: HEAD, 204, 205 and 304.
   */
  head(head: ResponseHead, length: number | null, bodyless: boolean): void;
  /** Sends a non-empty block and takes ownership of it. False: wait for the invocation's `drained`. */
  body(block: Octets): boolean;
  /** Ends a complete response. The wire begins no other exchange before the caller has returned. */
  end(): void;
  /** Ends an incomplete response so that the client can tell: never a clean end. */
  abort(error: unknown): void;
  /** Answers in the wire's own words before any head was sent, an error for the client, and closes. */
  refuse(status: string): void;
  /** Sends an interim response; ignored where the wire or the client has none. */
  informational(status: string, headers: HeaderList): void;
  /**
   * Takes the socket from the wire, after a request with `Connection: Upgrade` (RFC 9110 7.8).
   *
   * @param headers The fields of the 101 that the wire sends first, Upgrade among them; null when the caller writes the
   *   101 itself.
   * @throws {RequestError} where there is no such socket, or the request does not ask for an Upgrade.
   */
  upgrade(headers: HeaderList | null): RawSocket;
}

/** A socket that has left its wire. Only this project's own code sees it; applications get an `UpgradedSocket`. */
export interface RawSocket {
  /** The socket, paused. Call `attach` to receive what the client sends, and to see it close. */
  readonly transport: Transport;
  /** Bytes that arrived behind the request and were not part of it. */
  readonly leftover: Uint8Array;
}
