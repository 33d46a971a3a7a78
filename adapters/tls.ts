/**
 * TLS by `node:tls`, on Node.js, Deno and Bun.
 *
 * It is the one API that has everything on all three: SNI, ALPN, client certificates, new certificates while it runs.
 * Of `Deno.listenTls` and `Bun.listen`, each lacks some of it.
 *
 * The sockets are those of an ordinary listener. So a socket is counted, limited and timed from its beginning, and what
 * a stage has to see before TLS (the prefix of the PROXY protocol, a request in clear) is read from the socket itself.
 * Then the socket is given to a `tls.Server` that listens nowhere, by its event "connection". That is how a
 * `tls.Server` gets its own sockets too.
 *
 * @module
 */

import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { setInterval } from "node:timers";
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type Server,
  type TlsOptions as TlsServerOptions,
  type TLSSocket,
} from "node:tls";
import { TlsError } from "../core/errors.ts";
import type {
  ClientCertificate,
  Connection,
  HandshakeWatcher,
  Secured,
  TlsSettings,
  Transport,
} from "../core/seams.ts";
import { COPY_LIMIT, type Memory } from "./batched_transport.ts";
import { NodeTransport } from "./node_socket.ts";
import { isFor, type LoadedTls, loadTls, stateOf } from "./tls_files.ts";
import { isTrusted } from "./tls_trust.ts";

const { Buffer, process } = globalThis;
const LOOK = 1000; // ms between two looks at the files
const LONGEST = 2 ** 31 - 1; // ms: the time-out of the handshake is the stage's

/** Codes of errors that only say that the client has left. */
const DEPARTURES: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

/** The TLS of a listener. */
export class TlsEnd {
  readonly #settings: TlsSettings;
  readonly #report: (message: string) => void;
  readonly #server: Server;
  readonly #handshakes = new WeakMap<Socket, TlsTransport>();
  #identities: LoadedTls["identities"] = [];
  #authorities: LoadedTls["authorities"] = [];
  #contexts: readonly SecureContext[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #state: string | undefined; // of the files in use
  #seen: string | undefined; // of the files at the last look

  private constructor(settings: TlsSettings, report: (message: string) => void) {
    this.#settings = settings;
    this.#report = report;
    this.#server = createServer({
      requestCert: settings.certReqs !== "none",
      rejectUnauthorized: false, // the stage refuses, with a reason
      ALPNProtocols: [...settings.protocols],
      // With one certificate there is nothing to choose, and on Deno the callback costs 11 KiB for each connection.
      ...(settings.identities.length > 1
        ? { SNICallback: (name, done): void => done(null, this.#contextFor(name)) } satisfies TlsServerOptions
        : {}),
      handshakeTimeout: LONGEST,
    });
    this.#server.on("secureConnection", (socket) => {
      this.#take(socket)?.secured(factsOf(socket, settings, this.#authorities), socket);
    });
    this.#server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => this.#take(socket)?.failed(error));
  }

  /**
   * Reads the files.
   *
   * @throws {TlsError} (as a rejection) when one of them cannot be used.
   */
  static async open(settings: TlsSettings, report: (message: string) => void): Promise<TlsEnd> {
    const end = new TlsEnd(settings, report);
    end.#seen = end.#state = await stateOf(settings); // before they are read: a change in between is found later
    end.#use(await loadTls(settings));
    return end;
  }

  /** Makes the transport of a socket. */
  transport(raw: Socket): TlsTransport {
    return new TlsTransport(raw, this);
  }

  /** Begins the handshake of a socket. */
  begin(raw: Socket, transport: TlsTransport): void {
    this.#handshakes.set(raw, transport);
    this.#server.emit("connection", raw);
  }

  /** Looks at the files from time to time, and uses what has changed in them. */
  watch(): void {
    if (this.#state === undefined) return;
    this.#timer = setInterval(() => void this.#look(), LOOK);
    this.#timer.unref();
  }

  /** Stops looking. */
  close(): void {
    clearInterval(this.#timer);
  }

  /** Reads the files anew once they have changed and have then stayed as they are until the next look. */
  async #look(): Promise<void> {
    const state = await stateOf(this.#settings);
    const settled = state === this.#seen;
    this.#seen = state;
    if (!settled || state === this.#state) return;
    this.#state = state;
    try {
      this.#use(await loadTls(this.#settings));
      this.#report("TLS: the certificates have changed and are in use");
    } catch (error) {
      this.#report(`${(error as Error).message}; the certificates of before stay in use`);
    }
  }

  #use({ identities, authorities, warnings }: LoadedTls): void {
    const { minVersion, ciphers } = this.#settings;
    const ca = authorities.map(String).join("");
    const more = { ...(ca === "" ? {} : { ca }), ...(ciphers === undefined ? {} : { ciphers }) };
    const options = identities.map(({ cert, key }) => ({ cert, key, minVersion, ...more }));
    try {
      this.#contexts = options.map((one) => createSecureContext(one));
    } catch (cause) {
      throw new TlsError("the certificates", `the runtime refuses them (${(cause as Error).message})`, { cause });
    }
    this.#server.setSecureContext(options[0] as object); // for clients that name no host
    this.#identities = identities;
    this.#authorities = authorities;
    for (const warning of warnings) this.#report(warning);
  }

  #contextFor(name: string): SecureContext {
    const at = this.#identities.findIndex((one) => isFor(one, name));
    return this.#contexts[Math.max(0, at)] as SecureContext;
  }

  /** The transport whose handshake is over. The socket inside of a TLSSocket has no public name, but the same on all. */
  #take(socket: TLSSocket): TlsTransport | undefined {
    return this.#handshakes.get((socket as unknown as { readonly _parent: Socket })._parent);
  }
}

function factsOf(socket: TLSSocket, { certReqs }: TlsSettings, authorities: LoadedTls["authorities"]): Secured {
  return {
    version: socket.getProtocol() ?? "",
    cipher: socket.getCipher()?.name ?? "",
    protocol: socket.alpnProtocol || undefined,
    client: certReqs === "none" ? undefined : clientOf(socket, authorities),
  };
}

function clientOf(socket: TLSSocket, authorities: LoadedTls["authorities"]): ClientCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  return {
    der: certificate.raw,
    pem: String(certificate),
    serial: certificate.serialNumber,
    validFrom: certificate.validFrom,
    validTo: certificate.validTo,
    problem: problemOf(socket, certificate, authorities),
  };
}

function problemOf(
  socket: TLSSocket,
  certificate: X509Certificate,
  authorities: LoadedTls["authorities"],
): string | undefined {
  if (!socket.authorized) return String(socket.authorizationError ?? "it is not verified");
  const isGood = !SHARES_SESSIONS || !socket.isSessionReused() || isTrusted(certificate, authorities);
  return isGood ? undefined : "no authority of now has signed the one in its resumed session";
}

/**
 * A socket that begins in clear and goes on in TLS.
 *
 * In clear it is read by "readable" and `read()`: what was read can then be put back, which on Bun is not possible for a
 * socket that flows.
 */
class TlsTransport extends NodeTransport {
  readonly #raw: Socket;
  readonly #end: TlsEnd;
  #watcher: HandshakeWatcher | undefined; // during the handshake
  #secure = false;
  #held = false; // paused in clear

  constructor(raw: Socket, end: TlsEnd) {
    super(raw, false);
    this.#raw = raw;
    this.#end = end;
    const { remoteAddress, remotePort, localAddress, localPort } = this.peer; // in TLS the socket no longer tells
    this.peer = { remoteAddress, remotePort, localAddress, localPort };
  }

  override start(accept: (transport: Transport) => Connection): void {
    const raw = this.#raw;
    this.connection = accept(this);
    raw.on("error", ignore); // "close" follows
    raw.on("close", () => {
      if (!this.#secure) this.closed(); // on Bun a FIN already closes it, and the TLSSocket goes on
    });
    raw.on("end", this.#ended);
    raw.on("readable", this.#read);
  }

  readonly #ended = (): void => this.connection?.ended();

  readonly #read = (): void => {
    // Only after null is there another "readable" on every runtime.
    while (!this.#held && this.#watcher === undefined && !this.#secure) {
      const bytes = this.#raw.read() as Uint8Array | null;
      if (bytes === null) return;
      this.feed(this.connection, bytes);
    }
  };

  secure(unread: Uint8Array, watcher: HandshakeWatcher): void {
    const raw = this.#raw;
    if (raw.destroyed) return;
    this.#watcher = watcher;
    raw.off("readable", this.#read).off("end", this.#ended);
    raw.unshift(unread);
    raw.allowHalfOpen = !LATE_HALF_OPEN; // a client that ends during the handshake leaves
    this.#end.begin(raw, this);
  }

  /** The handshake is over. */
  secured(facts: Secured, socket: TLSSocket): void {
    const watcher = this.#watcher;
    const raw = this.#raw;
    this.#watcher = undefined;
    if (watcher === undefined || raw.destroyed) return void socket.destroy();
    this.#secure = true;
    this.socket = socket;
    raw.allowHalfOpen = socket.allowHalfOpen = true;
    this.follow(socket);
    if (this.#held) this.pause();
    watcher.secured(facts);
  }

  /** The handshake has failed. Bun says so too if a client leaves right behind the handshake; that is no failure. */
  failed(error: NodeJS.ErrnoException): void {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    if (watcher === undefined) return;
    if (DEPARTURES.has(error.code ?? "")) return this.destroy();
    watcher.failed(error.code ?? error.message);
  }

  override send(memory: Memory, length: number): boolean {
    // A TLSSocket never takes output at once. So small output is copied, and the memory is free for the next response.
    if (length > COPY_LIMIT) return super.send(memory, length);
    this.give(Buffer.from(memory.bytes.subarray(0, length)));
    return true;
  }

  override pause(): void {
    if (!this.#secure) {
      this.#held = true;
      return;
    }
    super.pause();
    if (READS_ON) handleOf(this.#raw)?.readStop();
  }

  override resume(): void {
    if (!this.#secure) {
      this.#held = false;
      queueMicrotask(this.#read);
      return;
    }
    if (READS_ON) handleOf(this.#raw)?.readStart();
    super.resume();
  }

  override attach(next: Connection, leftover: Uint8Array): void {
    if (READS_ON && this.#secure) handleOf(this.#raw)?.readStart();
    super.attach(next, leftover);
  }

  override destroy(): void {
    this.#watcher = undefined;
    super.destroy();
    this.#raw.destroy();
  }

  protected override abort(): void {
    super.abort(this.#raw);
    this.#raw.destroy();
    this.socket.destroy(); // on Bun it would stay open
  }
}

/**
 * On Deno a TLSSocket that is paused reads on, and would take a whole upload into memory. So the reading of the socket
 * below it is stopped, which has no public name.
 */
const READS_ON = process.versions.deno !== undefined;

/**
 * On Node and Deno a client that ends during the handshake is noticed only if its socket is not half-open; that can still
 * change afterwards. On Bun it is noticed in any case, and a change afterwards has no effect.
 */
const LATE_HALF_OPEN = process.versions.bun === undefined;

/** On Deno a session that another listener has made, or one for which the certificate was not good, is resumed as good. */
const SHARES_SESSIONS = process.versions.deno !== undefined;

/** What a socket reads with. */
interface Handle {
  readStart(): void;
  readStop(): void;
}

function handleOf(socket: Socket): Handle | undefined {
  return (socket as unknown as { readonly _handle: Handle | null })._handle ?? undefined;
}

function ignore(): void {}
