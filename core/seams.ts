/**
 * The seams: the four interfaces that keep hosts, wires and applications apart.
 *
 * A *Host* is what a runtime offers: sockets, a fast latin-1 decoder, a later turn of the event loop.
 * A wire controls one socket through a *Transport*. The host reports events of that socket to a *Connection* of the
 * wire. The gateway writes a response to an *Exchange*. Each host implements Host and Transport, and each wire
 * implements Connection and Exchange. Each side is implemented once, and every combination works.
 *
 * Three rules hold for every implementation:
 *
 * 1. A Transport never calls its Connection from inside a Transport call. It reports the effects of a call later.
 * 2. Bytes passed to `receive` are lent: they are valid until it returns, then the host reuses the memory. If the
 *    Transport has `givesInput`, they belong to the Connection instead, and the host does not touch them again.
 *    Bytes passed to `write` belong to the Transport: the caller does not touch them again.
 * 3. The host calls `closed` exactly once, as the last call, whatever the cause.
 *
 * @module
 */

/** The protocol of a server: with clients (`"http"`), or with the web server in front of it. */
export type Protocol = "http" | "fastcgi" | "scgi" | "uwsgi";

/**
 * A header list: name and value pairs, both latin-1 strings (PEP 3333, "The start_response() Callable"). Repeated names
 * are kept as they are.
 *
 * A list that is made before it is used needs this type: without it, the compiler takes the pairs for arrays of any
 * length. A list that grows is a `[string, string][]`, which may be given wherever a HeaderList is taken.
 *
 * @example
 * ```ts
 * import type { HeaderList } from "tsgi";
 * const headers: HeaderList = [["Content-Type", "text/plain"]];
 * const more: [string, string][] = [];
 * more.push(["Set-Cookie", "a=1"]);
 * console.assert([...headers, ...more].length === 2);
 * ```
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

/** The address of a TCP socket that listens. */
export interface TcpAddress {
  /** Always `"tcp"`. */
  readonly transport: "tcp";
  /** Host name or address, IPv6 without brackets. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
}

/** The address of a Unix socket that listens. */
export interface UnixAddress {
  /** Always `"unix"`. */
  readonly transport: "unix";
  /** Its path; `""` for an inherited descriptor, whose path no runtime tells. */
  readonly path: string;
}

/** Where a server listens. */
export type Address = TcpAddress | UnixAddress;

/**
 * The kind of a listening socket. It decides who may connect: a peer of a Unix socket has no address, so the file mode
 * of the socket decides; a TCP peer has one, and `allowIps` decides.
 */
export type SocketKind = Address["transport"];

/** A file descriptor that listens already. */
export interface Descriptor {
  /** Always `"fd"`. */
  readonly transport: "fd";
  /** Its number. */
  readonly fd: number;
  /** Where it listens, if the caller knows that because it opened the descriptor. */
  readonly address?: Address | undefined;
}

/** A place to listen at: an address, or a descriptor that listens already. */
export type Place = Address | Descriptor;

/** Where and how a host listens. */
export interface ListenOptions {
  /** The place. With port 0 the system chooses a free port. */
  readonly at: Place;
  /** File mode of a Unix socket, as in `chmod`. */
  readonly mode: number | undefined;
  /** Most connections that the system queues until the server accepts them. */
  readonly backlog: number | undefined;
  /** Whether other processes may listen on the same port; the system then distributes the connections. */
  readonly reusePort: boolean;
  /** The settings of TLS. With them, each Transport of the listener has `secure`. */
  readonly tls: TlsSettings | undefined;
}

/** A certificate with its key. Each is the path of a file, or text in PEM form. */
export interface TlsIdentity {
  /** The certificate, and the intermediate ones behind it. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
  /** The passphrase of the key; undefined if the key is not encrypted. */
  readonly passphrase: string | undefined;
}

/** What a listener that speaks TLS has to know. */
export interface TlsSettings {
  /** The certificates, the default first. The name that a client asks for (SNI) selects one of the others. */
  readonly identities: readonly TlsIdentity[];
  /** The certificates of those who may sign client certificates: a path, or text in PEM form. */
  readonly ca: string | undefined;
  /** Whether a client is asked for a certificate, and whether it has to have one. */
  readonly certReqs: "none" | "optional" | "required";
  /** The oldest version that is spoken. */
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** The ciphers of TLS 1.2, in OpenSSL's form; undefined for those of the runtime. */
  readonly ciphers: string | undefined;
  /** The protocols that a client can select (ALPN), the preferred one first. */
  readonly protocols: readonly string[];
}

/** The certificate of a client. */
export interface ClientCertificate {
  /** The certificate in DER. */
  readonly der: Uint8Array;
  /** The certificate in PEM. */
  readonly pem: string;
  /** Its serial number in hexadecimal. */
  readonly serial: string;
  /** Since when it is valid, as text. */
  readonly validFrom: string;
  /** Until when it is valid, as text. */
  readonly validTo: string;
  /** Why it is not trusted: a code of OpenSSL. Undefined if it is trusted. */
  readonly problem: string | undefined;
}

/** The outcome of a TLS handshake. */
export interface Secured {
  /** The version of TLS: `"TLSv1.3"`. */
  readonly version: string;
  /** The name of the cipher suite. */
  readonly cipher: string;
  /** The protocol that the two ends agreed on (ALPN); undefined if the client named none. */
  readonly protocol: string | undefined;
  /** The certificate of the client, if it was asked for one and has sent one. */
  readonly client: ClientCertificate | undefined;
}

/** The receiver of the outcome of a TLS handshake. One of the two is called, once; neither if the client leaves. */
export interface HandshakeWatcher {
  /** The connection is secure. From now on the Transport carries what is inside of TLS. */
  secured(facts: Secured): void;
  /** The handshake has failed. */
  failed(reason: string): void;
}

/** A listening socket. */
export interface Listener {
  /** The actual address: its port is the real one even if the caller asked for port 0. */
  readonly address: Address;
  /** Its kind; undefined for an inherited descriptor whose kind the host cannot find out. */
  readonly kind: SocketKind | undefined;
  /** Stops accepting and frees the port; open connections stay. Resolves once the port is free. */
  close(): Promise<void>;
}

/**
 * The services of a runtime. Each adapter that has sockets implements it once.
 *
 * @internal
 */
export interface Host {
  /** Name of the runtime, for messages: `"node"`, `"deno"`, `"bun"`. */
  readonly runtime: string;
  /**
   * Listens, and calls `accept` for each new socket to get its {@linkcode Connection}.
   *
   * @param report Gets what the log should say about the listener later: that a certificate was read anew.
   * @throws {ListenError} (as a rejection) when the address is not available, or the host cannot listen in that way.
   * @throws {TlsError} (as a rejection) when a certificate or a key cannot be used.
   */
  listen(
    options: ListenOptions,
    accept: (transport: Transport) => Connection,
    report: (message: string) => void,
  ): Promise<Listener>;
  /** Decodes `bytes[start, end)` as latin-1: one code unit for each byte. */
  latin1(bytes: Uint8Array, start: number, end: number): string;
  /** Runs `callback` in a later turn of the event loop, after the input and output that are ready now. */
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
  /** Addresses of the two ends: those of the socket, unless a stage before the wire has found others. */
  peer: Peer;
  /** Whether the connection may keep the bytes that it receives. If not, they are lent. */
  readonly givesInput: boolean;
  /** Bytes accepted by `write` or `commit` that the system has not taken yet. */
  readonly buffered: number;
  /** Sends bytes and takes ownership of them. Returns false above the high-water mark: then wait for `drained`. */
  write(bytes: Uint8Array): boolean;
  /** The output memory of which `reserve` lends a part. It may be another array after each call. */
  readonly memory: Uint8Array;
  /** Lends at least `min` bytes of `memory` until the next Transport call. Returns the index at which they begin. */
  reserve(min: number): number;
  /** Sends the first `length` bytes of what `reserve` lent. Returns false as `write` does. */
  commit(length: number): boolean;
  /** Stops reading, which gives the peer backpressure: no `receive` or `ended` until `resume` or `attach`. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Hands the socket to another connection and reads again. The new connection receives `leftover` first, later. */
  attach(next: Connection, leftover: Uint8Array): void;
  /**
   * Begins a TLS handshake, of which `unread` are the first bytes. Only for a listener with `tls`, and only once. Until
   * then the Transport carries the bytes of the socket itself.
   */
  secure?(unread: Uint8Array, watcher: HandshakeWatcher): void;
  /** Sends what is buffered, then FIN, and reads on. The socket closes by itself once the peer has sent FIN too. */
  end(): void;
  /** Closes at once. Bytes that are buffered here are lost; bytes that the system has taken are still sent. */
  destroy(): void;
  /** Closes at once, with a reset if the host can send one: the peer then does not take it for an orderly end. */
  reset(): void;
}

/** One connection of a wire protocol. Bytes arrive through these calls and leave through its Transport. */
export interface Connection {
  /** Bytes arrived, at least one and split anywhere. They are lent for the call, unless the Transport has `givesInput`. */
  receive(bytes: Uint8Array): void;
  /** Output is below the high-water mark again, after `write` or `commit` returned false. */
  drained(): void;
  /** The peer sent FIN: no more bytes will arrive. */
  ended(): void;
  /** The socket is closed, whatever the cause. This is the last call. */
  closed(error?: unknown): void;
  /** The server shuts down: finish the running requests and close, after `drainIdle` if the connection is idle. */
  shutdown(): void;
  /** The server's coarse clock, in monotonic milliseconds. The server calls this about twice a second. */
  tick(now: number): void;
}

/**
 * A response head that has passed validation, as {@linkcode Exchange.head} gets it.
 * The validation also collects the facts that every wire needs, so that no wire looks for them again.
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

/** Outgoing octets: bytes, or ASCII text with one octet in each code unit. `length` is the number of octets in both. */
export type Octets = Uint8Array | string;

/** The receiver of one response of the gateway. Each wire, the fetch adapter and the test client implement it. */
export interface Exchange {
  /**
   * Starts the response. Called once, before `body`.
   *
   * @param head The validated head.
   * @param length Length of the whole body in bytes, or null if it is not known: the wire then chooses a framing.
   * @param bodyless True when no body follows whatever `length` says: HEAD, 204, 205 and 304.
   */
  head(head: ResponseHead, length: number | null, bodyless: boolean): void;
  /** Sends a non-empty block and takes ownership of it. If it returns false, wait for `drained` of the invocation. */
  body(block: Octets): boolean;
  /** Ends a complete response. The wire begins no other exchange before the caller has returned. */
  end(): void;
  /** Ends an incomplete response in such a way that the client can see that it is incomplete. */
  abort(error: unknown): void;
  /** Sends an error response of the server itself, before any head was sent, and closes the connection. */
  refuse(status: string): void;
  /** Sends an interim response; does nothing if the client does not support them. Absent if the wire has none. */
  informational?(status: string, headers: HeaderList): void;
  /**
   * Detaches the socket from the wire, after a request with `Connection: Upgrade` (RFC 9110 7.8).
   *
   * @param headers The fields of the 101 that the wire sends first, Upgrade among them; null when the caller writes the
   *   101 itself.
   * @returns undefined where there is no such socket, as if the method were absent.
   * @throws {RequestError} when the request does not ask for an Upgrade.
   */
  upgrade?(headers: HeaderList | null): RawSocket | undefined;
  /** The client has left before the end. Only an exchange that reports responses has this. */
  departed?(): void;
}

/** A socket that has left its wire. Only this project's own code sees it; applications get an `UpgradedSocket`. */
export interface RawSocket {
  /** The socket, paused. */
  readonly transport: Transport;
  /** Bytes that arrived behind the request and were not part of it. */
  readonly leftover: Uint8Array;
  /**
   * Hands the socket to a connection, which receives `leftover` first. The server calls `tick` and `shutdown` of the
   * connection, and catches its errors.
   */
  attach(next: RawConnection): void;
}

/** The connection of a socket that has left its wire. */
export interface RawConnection extends Connection {
  /** Bytes that it has written, for the time-out of output that the client does not take. */
  readonly written: number;
}
