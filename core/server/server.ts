/**
 * Builds a server from a host, a wire and an application. This is the only place that knows all three.
 *
 * The server keeps the set of its connections, calls their `tick`, and ends them at shutdown. It has a single timer,
 * which starts with the first connection.
 *
 * @module
 */

import { asFunction } from "../contract/application.ts";
import { serverTemplate } from "../contract/environ.ts";
import { ErrorStream } from "../contract/error_stream.ts";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import type { Application } from "../contract/types.ts";
import type { Http1Config } from "../wires/http1/config.ts";
import { errorText, OptionError } from "../errors.ts";
import { GuardedConnection } from "../wires/raw_socket.ts";
import { loopbackNotice, type Settings, settings } from "./options.ts";
import type { ServeOptions } from "./serve_options.ts";
import { ALL_PEERS, allowsPeer } from "./peer_policy.ts";
import { FORBIDDEN, SERVICE_UNAVAILABLE } from "../refusal.ts";
import type { Address, Connection, Host, Listener, Transport } from "../seams.ts";
import type { WireConnection } from "../wires/wire.ts";
import { loadWire, type Wire } from "../wires/load.ts";

/** The options of {@linkcode Server.shutdown}. */
export interface ShutdownOptions {
  /** Seconds that running requests have before they are cut. Default: the option `gracefulTimeout`, 30. */
  readonly timeout?: number;
}

/** A server that listens, as `serve` returns it. */
export interface Server {
  /** The actual address; its port is the real one. */
  readonly address: Address;
  /** Settles once the server has stopped and its last connection is gone. */
  readonly finished: Promise<void>;
  /**
   * Stops accepting connections and lets running requests finish. Idle connections may send one more request for
   * `drainIdle` seconds. At the time-out the server cuts the connections that are left. A later call with a shorter
   * time-out shortens it.
   *
   * @returns the same promise as `finished`.
   * @throws {OptionError} (as a rejection) for a time-out that is not a number from 0; nothing is stopped then.
   */
  shutdown(options?: ShutdownOptions): Promise<void>;
}

const TICK = 500; // ms
const QUIET_TURNS = 3; // after these turns of the event loop without a new connection, no connection waits for accept
const MOST_TURNS = 1000; // the limit for a port that gets new connections all the time

/**
 * Listens and serves an application on a host.
 *
 * @throws {ListenError} (as a rejection) when the address is not available.
 * @throws {OptionError} (as a rejection) for an option with an invalid value.
 * @throws {ApplicationError} (as a rejection) when `app` is not an application.
 */
export async function startServer(host: Host, app: Application, options: ServeOptions = {}): Promise<Server> {
  const fromHost = {
    port: host.env("PORT"),
    hostname: host.env("HOST"),
    webServers: host.env("FCGI_WEB_SERVER_ADDRS"),
    errorLog: (text: string) => host.stderr(text),
  };
  const all = settings(options, fromHost);
  const server = new RunningServer(host, app, all);
  await server.listen();
  const notice = loopbackNotice(options, fromHost);
  if (notice !== undefined) new ErrorStream(all.errorLog).write(`tsgi: ${notice}\n`);
  return server;
}

/** A connection that has been accepted and is paused until `openUp` or `handleOne`. */
interface Guest {
  readonly connection: WireConnection;
  readonly transport: Transport;
}

/** The whole server. `serve` returns it as the narrower {@linkcode Server}. */
export class RunningServer implements Server {
  readonly finished: Promise<void>;
  readonly #host: Host;
  readonly #settings: Settings;
  readonly #gateway: Gateway;
  readonly #errors: ErrorStream;
  readonly #connections = new Map<Connection, Transport>();
  readonly #leaving = new Set<Connection>(); // those of them that were turned away or retired and are closing
  readonly #tickets: (() => void)[] = []; // pending calls of handleOne, resolved when their connection is gone
  readonly #ended = new Map<Connection, () => void>();
  #waiting: Guest[] = [];
  #open: boolean; // connections are served at once
  #config: Http1Config | undefined;
  #wire: Wire | undefined;
  #listener: Listener | undefined;
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

  /** A server of `app`; unless `open`, connections wait until `openUp` or `handleOne`. */
  constructor(host: Host, app: Application, all: Settings, open = true) {
    this.#host = host;
    this.#open = open;
    this.#settings = all;
    this.#errors = new ErrorStream(all.errorLog);
    this.#gateway = createGateway(app, this.#errors, all, host);
    this.finished = new Promise((resolve) => this.#finish = resolve);
  }

  get address(): Address {
    return (this.#listener as Listener).address;
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
    this.#listener = await this.#host.listen(all, (transport) => this.#accept(transport));
    if (this.#listener.kind === undefined && all.allowIps !== ALL_PEERS) {
      await this.#listener.close();
      // The descriptor may be a Unix socket, whose peers have no addresses to compare with the list.
      const expected = `"*" for file descriptor ${all.fd}, of which the system does not tell whether it is TCP or Unix`;
      throw new OptionError("allowIps", expected, all.allowIps);
    }
    this.#config = this.#wireConfig(this.#listener);
    const stop = (): void => void this.shutdown({ timeout: this.#stopping ? 0 : all.gracefulTimeout });
    if (all.handleSignals) this.#ignoreSignals = this.#host.onSignal(stop);
    if (all.signal?.aborted === true) stop();
    else this.#listenTo(all.signal, stop);
    try {
      if (all.onListen !== undefined) all.onListen(this.address);
      else this.#host.stderr(`Listening on ${url(this.address, all.protocol)} (tsgi on ${this.#host.runtime})\n`);
    } catch (error) {
      await this.shutdown({ timeout: 0 }); // the caller never gets this server
      throw error;
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
      for (const connection of this.#connections.keys()) connection.shutdown();
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
      await this.#listener?.close();
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

  #accept(transport: Transport): Connection {
    if (this.#accepted++ === 0) this.#startClock();
    const connection = (this.#wire as Wire)(transport, this.#config as Http1Config);
    this.#connections.set(connection, transport);
    const { peer } = transport;
    if (!allowsPeer(this.#settings.allowIps, peer, this.#listener?.kind)) {
      // A peer without an address reset its connection before accept. That is common, so it is not logged.
      const gone = peer.remoteAddress === "";
      if (!gone) this.#errors.write(`tsgi: turned away ${peer.remoteAddress}: it is not among allowIps\n`);
      this.#turnAway(connection, FORBIDDEN);
    } else if (this.#connections.size - this.#leaving.size > this.#settings.maxConnections && !this.#retireIdlest()) {
      this.#turnAway(connection, SERVICE_UNAVAILABLE);
    }
    if (!this.#open) {
      transport.pause();
      this.#waiting.push({ connection, transport });
      this.#letIn();
    }
    if (this.#stopping) connection.shutdown(); // it was accepted while the listener was being closed
    return connection;
  }

  #turnAway(connection: WireConnection, status: string): void {
    this.#leaving.add(connection);
    connection.turnAway(status);
  }

  /**
   * Ends the connection that has been idle between requests for longest; returns false if none is idle. The search runs
   * only when the server is full, so that there is no cost before.
   */
  #retireIdlest(): boolean {
    let idlest: WireConnection | undefined;
    for (const connection of this.#connections.keys() as Iterable<Partial<WireConnection>>) {
      const order = connection.idleOrder ?? 0; // a connection after an Upgrade has none
      if (order > 0 && order < (idlest?.idleOrder ?? Infinity)) idlest = connection as WireConnection;
    }
    if (idlest === undefined) return false;
    this.#leaving.add(idlest);
    idlest.retire();
    return true;
  }

  #letIn(): void {
    while (this.#tickets.length > 0 && this.#waiting.length > 0) {
      const { connection, transport } = this.#waiting.shift() as Guest;
      this.#ended.set(connection, this.#tickets.shift() as () => void);
      connection.serveOne();
      transport.resume();
    }
  }

  #wireConfig({ address, kind }: Listener): Http1Config {
    const all = this.#settings;
    const unix = kind === "unix";
    return {
      ...all,
      gateway: this.#gateway,
      template: serverTemplate({
        serverName: unix ? "localhost" : address.hostname,
        serverPort: unix ? (all.urlScheme === "https" ? "443" : "80") : String(address.port),
        scheme: all.urlScheme,
        multiprocess: all.multiprocess,
        runOnce: false,
        errors: this.#errors,
      }),
      latin1: (bytes, start, end) => this.#host.latin1(bytes, start, end),
      forget: (connection) => this.#forget(connection),
      adopt: (old, next, transport) => this.#adopt(old, next, transport),
    };
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection);
    this.#leaving.delete(connection);
    if (this.#waiting.length > 0) this.#waiting = this.#waiting.filter((guest) => guest.connection !== connection);
    this.#ended.get(connection)?.();
    this.#ended.delete(connection);
    this.#settle();
  }

  #adopt(old: Connection, next: Connection, transport: Transport): Connection {
    const forget = (): void => this.#forget(guarded);
    const timeout = this.#settings.writeTimeout * 1000;
    const guarded: Connection = new GuardedConnection(next, transport, this.#errors, timeout, forget);
    this.#connections.set(guarded, transport);
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

/**
 * The URL of an address, as shown to people.
 *
 * @example
 * ```ts
 * import { url } from "./server.ts";
 * console.assert(url({ hostname: "::1", port: 8000 }) === "http://[::1]:8000/");
 * ```
 */
export function url({ hostname, port, path }: Address, scheme: string = "http"): string {
  if (path !== undefined) return scheme === "http" ? `unix:${path}` : `${scheme}+unix:${path}`;
  return `${scheme}://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}/`;
}
