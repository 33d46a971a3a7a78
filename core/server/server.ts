/**
 * Builds a server from a host, a wire and an application. This is the only place that knows all three.
 *
 * The server keeps the set of its connections, calls their `tick`, and ends them at shutdown. It has a single timer,
 * which starts with the first connection.
 *
 * @module
 */

import { asFunction } from "../contract/application.ts";
import { ErrorStream } from "../contract/error_stream.ts";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import type { Application } from "../contract/types.ts";
import { errorText, OptionError } from "../errors.ts";
import { GuardedConnection } from "../wires/raw_socket.ts";
import { loopbackNotice, type Settings, settings } from "./options.ts";
import { type Admission, Connections, EVERYBODY, NOBODY } from "./connections.ts";
import type { ServeOptions } from "./serve_options.ts";
import type { Server, ServerParts, ShutdownOptions } from "./server_types.ts";
import { type ListenerParts, partsOf, ServerListener, type ServerShare } from "./server_listener.ts";
import type { ConnectionFacts, Stage, StagedConnection, StageOwner } from "./stage.ts";
import { FORBIDDEN, SERVICE_UNAVAILABLE } from "../refusal.ts";
import type { Address, Connection, Host, RawConnection, Transport } from "../seams.ts";
import type { WireConnection } from "../wires/wire.ts";
import { loadWire, type Wire } from "../wires/load.ts";

export type { Server, ServerParts, ShutdownOptions } from "./server_types.ts";

const TICK = 500; // ms
const QUIET_TURNS = 3; // after these turns of the event loop without a new connection, no connection waits for accept
const MOST_TURNS = 1000; // the limit for a port that gets new connections all the time

/**
 * Listens and serves an application on a host.
 *
 * @param parts What the program that runs the server adds.
 * @throws {ListenError} (as a rejection) when the address is not available.
 * @throws {OptionError} (as a rejection) for an option with an invalid value.
 * @throws {ApplicationError} (as a rejection) when `app` is not an application.
 */
export async function startServer(
  host: Host,
  app: Application,
  options: ServeOptions = {},
  parts: ServerParts = {},
): Promise<RunningServer> {
  const fromHost = {
    port: host.env("PORT"),
    hostname: host.env("HOST"),
    webServers: host.env("FCGI_WEB_SERVER_ADDRS"),
    errorLog: (text: string) => host.stderr(text),
  };
  const all = settings(options, fromHost);
  const server = new RunningServer(host, app, all, parts);
  await server.listen();
  const notice = loopbackNotice(options, fromHost);
  if (notice !== undefined) new ErrorStream(all.errorLog).write(`tsgi: ${notice}\n`);
  return server;
}

/** A connection that has been accepted and is paused until `openUp` or `handleOne`. */
type Guest = Readonly<{ connection: WireConnection; transport: Transport }>;

/** The whole server. `serve` returns it as the narrower {@linkcode Server}. */
export class RunningServer implements Server {
  readonly finished: Promise<void>;
  readonly #host: Host;
  readonly #settings: Settings;
  readonly #gateway: Gateway;
  readonly #errors: ErrorStream;
  readonly #share: ServerShare;
  readonly #stages: StageOwner;
  readonly #admission: Admission;
  readonly #stage: Stage | undefined;
  readonly #connections: Connections;
  readonly #tickets: (() => void)[] = []; // pending calls of handleOne, resolved when their connection is gone
  readonly #ended = new Map<Connection, () => void>();
  #waiting: Guest[] = [];
  #open: boolean; // connections are served at once
  #wire: Wire | undefined;
  #Staged: typeof StagedConnection | undefined; // loaded if a listener has a stage
  #listeners: readonly ServerListener[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #ignoreSignals: () => void = () => {};
  #accepted = 0; // connections so far
  #stopping = false;
  #stopped = false; // the port is free
  #finished = false; // nothing is left
  #clock = 0; // ms, as passed to `tick`
  #ticked = 0;
  #wasLate = false; // the last tick was late and checked no time-outs
  #cutAt = Infinity;
  #finish: () => void = () => {};

  /** A server of `app`. */
  constructor(host: Host, app: Application, all: Settings, parts: ServerParts = {}) {
    this.#host = host;
    this.#open = parts.open ?? true;
    this.#admission = parts.admission ?? EVERYBODY;
    this.#stage = parts.stage;
    this.#settings = all;
    this.#connections = new Connections(all.maxConnections);
    this.#errors = new ErrorStream(all.errorLog);
    this.#gateway = createGateway(app, this.#errors, { ...all, errorPage: parts.errorPage }, host);
    this.finished = new Promise((resolve) => this.#finish = resolve);
    const forget = (connection: Connection): void => this.#forget(connection);
    this.#share = {
      config: {
        ...all,
        gateway: this.#gateway,
        latin1: (bytes, start, end) => host.latin1(bytes, start, end),
        forget,
        adopt: (old, next, transport) => this.#adopt(old, next, transport),
      },
      errors: this.#errors,
      multiprocess: all.multiprocess,
    };
    this.#stages = { timeouts: all, errors: this.#errors, enter: this.#enter.bind(this), forget };
  }

  get address(): Address {
    return this.addresses[0] as Address;
  }

  get addresses(): readonly Address[] {
    return this.#listeners.map((listener) => listener.address);
  }

  /** How many sockets are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Makes the next request the last one on `count` connections that are in use. */
  closeAfterNext(count: number): void {
    this.#connections.closeAfterNext(count);
  }

  /** Serves another application from the next request on. */
  set app(app: Application) {
    this.#gateway.app = asFunction(app);
  }

  /** Serves the connections that wait, and all later ones. */
  openUp(): void {
    this.#open = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { transport } of waiting) transport.resume();
  }

  /** Serves one connection for one request; settles when that connection is gone. */
  handleOne(): Promise<void> {
    return new Promise((resolve) => {
      this.#tickets.push(resolve);
      this.#letIn();
    });
  }

  /** Listens. */
  async listen(): Promise<void> {
    const all = this.#settings;
    this.#wire = await loadWire(all.protocol);
    if (all.accessLog !== undefined) {
      const { responseLog } = await import("../gateway/access_log.ts");
      this.#gateway.log = responseLog(all.accessLog, this.#errors);
    }
    const serves = this.#open;
    this.#open = serves && all.listeners.length === 1; // no request is served before the server listens everywhere
    await this.#listen();
    if (serves && !this.#open) this.openUp();
    const stop = (): void => void this.shutdown({ timeout: this.#stopping ? 0 : all.gracefulTimeout });
    if (all.handleSignals) this.#ignoreSignals = this.#host.onSignal(stop);
    if (all.signal?.aborted === true) stop();
    else this.#listenTo(all.signal, stop);
    try {
      if (all.onListen !== undefined) all.onListen(this.address, this.addresses);
      else {
        const { runtime } = this.#host;
        const lines = this.#listeners.map((one) => `Listening on ${one.url(all.protocol)} (tsgi on ${runtime})\n`);
        this.#host.stderr(lines.join(""));
      }
    } catch (error) {
      await this.shutdown({ timeout: 0 }); // the caller never gets this server
      throw error;
    }
  }

  /** Opens the listeners in turn. If one fails, closes those before it, and what has connected to them. */
  async #listen(): Promise<void> {
    const { listeners } = this.#settings;
    const parts = await Promise.all(listeners.map((one) => partsOf(one, this.#stage))); // checks all before one listens
    for (const [i, one] of listeners.entries()) {
      const listener = new ServerListener(one, this.#share, parts[i] as ListenerParts);
      if (listener.stage !== undefined) this.#Staged ??= (await import("./stage.ts")).StagedConnection;
      try {
        await listener.open(this.#host, (transport) => this.#accept(transport, listener));
      } catch (error) {
        if (this.#listeners.length > 0) await this.shutdown({ timeout: 0 });
        throw error;
      }
      this.#listeners = [...this.#listeners, listener];
    }
  }

  /** Shuts down when `signal` fires. Removes the listener at the end, since a signal may outlive many servers. */
  #listenTo(signal: AbortSignal | undefined, stop: () => void): void {
    signal?.addEventListener("abort", stop, { once: true });
    const ignore = this.#ignoreSignals;
    this.#ignoreSignals = () => {
      ignore();
      signal?.removeEventListener("abort", stop);
    };
  }

  shutdown(options: ShutdownOptions = {}): Promise<void> {
    const timeout: unknown = (options as ShutdownOptions | null)?.timeout ?? this.#settings.gracefulTimeout;
    if (typeof timeout !== "number" || !(timeout >= 0)) {
      return Promise.reject(new OptionError("timeout", "seconds from 0", timeout));
    }
    this.#cutAt = Math.min(this.#cutAt, performance.now() + timeout * 1000);
    if (!this.#stopping) {
      this.#stopping = true;
      for (const [connection] of this.#connections) connection.shutdown();
      for (const { transport } of this.#waiting) transport.reset(); // they would never be served
      for (const resolve of this.#tickets.splice(0)) resolve();
      this.#close();
    }
    this.#tick();
    return this.finished;
  }

  async #close(): Promise<void> {
    try {
      await this.#acceptWaiting();
      await Promise.all(this.#listeners.map((listener) => listener.close()));
    } catch (error) {
      this.#errors.write(`tsgi: ${errorText(error)}\n`);
    }
    this.#stopped = true;
    this.#settle();
  }

  /** Accepts the connections that wait in the backlog, because closing the port would reset them. */
  async #acceptWaiting(): Promise<void> {
    for (let turns = 0, quiet = 0; turns < MOST_TURNS && quiet < QUIET_TURNS; turns++) {
      const before = this.#accepted;
      await new Promise<void>((resolve) => this.#host.turn(resolve));
      quiet = this.#accepted === before ? quiet + 1 : 0;
    }
  }

  #accept(transport: Transport, listener: ServerListener): Connection {
    if (this.#accepted++ === 0) this.#startClock();
    if (this.#connections.size >= this.#admission.most) {
      this.#admission.refused();
      transport.destroy();
      return NOBODY;
    }
    const { peer } = transport;
    const { stage } = listener;
    if (stage !== undefined && !listener.believes(peer)) return this.#disbelieve(transport);
    const connection = stage === undefined
      ? (this.#wire as Wire)(transport, listener.config)
      : new (this.#Staged as typeof StagedConnection)(transport, stage, listener, this.#stages);
    this.#connections.add(connection, transport);
    if (!listener.allows(peer)) {
      // A peer without an address reset its connection before accept. That is common, so it is not logged.
      const gone = peer.remoteAddress === "";
      if (!gone) this.#errors.write(`tsgi: turned away ${peer.remoteAddress}: it is not among allowIps\n`);
      this.#connections.turnAway(connection, FORBIDDEN);
    } else if (!this.#connections.makeRoom()) {
      this.#connections.turnAway(connection, SERVICE_UNAVAILABLE);
    }
    if (!this.#open) {
      transport.pause();
      this.#waiting.push({ connection, transport });
      this.#letIn();
    }
    if (this.#stopping) connection.shutdown(); // it was accepted while the listener was being closed
    this.#admission.accepted();
    return connection;
  }

  /** Closes the connection of a peer whose PROXY prefix is not believed. One without an address has already gone. */
  #disbelieve(transport: Transport): Connection {
    const { remoteAddress } = transport.peer;
    if (remoteAddress !== "") {
      this.#errors.write(`tsgi: closed the connection from ${remoteAddress}: it is not among proxyAllowIps\n`);
    }
    transport.destroy();
    return NOBODY;
  }

  #letIn(): void {
    while (this.#tickets.length > 0 && this.#waiting.length > 0) {
      const { connection, transport } = this.#waiting.shift() as Guest;
      this.#ended.set(connection, this.#tickets.shift() as () => void);
      connection.serveOne();
      transport.resume();
    }
  }

  /** Replaces a connection whose stage is over by one of its wire, which gets all that was asked of the former. */
  #enter(staged: StagedConnection, facts: ConnectionFacts, unread: Uint8Array): void {
    const { transport, listener, turnedAway } = staged;
    if (facts.peer !== undefined) transport.peer = facts.peer;
    const next = (facts.wire ?? (this.#wire as Wire))(transport, listener.configWith(facts));
    this.#connections.delete(staged);
    this.#connections.add(next, transport);
    const ended = this.#ended.get(staged);
    this.#ended.delete(staged);
    if (ended !== undefined) this.#ended.set(next, ended);
    if (staged.servesOne) next.serveOne();
    if (turnedAway !== undefined) this.#connections.turnAway(next, turnedAway);
    if (this.#stopping) next.shutdown();
    transport.attach(next, unread);
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#waiting.length > 0) this.#waiting = this.#waiting.filter((guest) => guest.connection !== connection);
    this.#ended.get(connection)?.();
    this.#ended.delete(connection);
    this.#settle();
  }

  #adopt(old: Connection, next: RawConnection, transport: Transport): Connection {
    const forget = (): void => this.#forget(guarded);
    const timeout = this.#settings.writeTimeout * 1000;
    const guarded: Connection = new GuardedConnection(next, transport, this.#errors, timeout, forget);
    this.#connections.add(guarded, transport);
    this.#forget(old);
    if (this.#stopping) guarded.shutdown();
    return guarded;
  }

  #startClock(): void {
    this.#ticked = performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK);
  }

  #tick(): void {
    const now = performance.now();
    const passed = now - this.#ticked;
    this.#ticked = now;
    // While the event loop was blocked, the server could not read, so that time does not count against the clients. What
    // they have sent in that time is still unread, so their time-outs are not checked before the next tick.
    const late = passed > 2 * TICK && !this.#wasLate;
    this.#wasLate = late;
    this.#clock += Math.min(passed, late ? TICK : 2 * TICK);
    for (const [connection, transport] of this.#connections) {
      if (now >= this.#cutAt) transport.reset();
      else if (!late) connection.tick(this.#clock);
    }
    if (now >= this.#cutAt) this.#settle();
  }

  /** Ends the server once all connections and background work are done, or the time-out is over. */
  #settle(): void {
    if (!this.#stopped || this.#finished || this.#connections.size > 0) return;
    const { background } = this.#gateway;
    if (background.size > 0) {
      if (performance.now() < this.#cutAt) return background.whenIdle(() => this.#settle());
      this.#errors.write(`tsgi: shutdown: ${background.size} promises of waitUntil have not settled in time\n`);
    }
    this.#finished = true;
    clearInterval(this.#timer);
    this.#ignoreSignals();
    this.#finish();
  }
}
