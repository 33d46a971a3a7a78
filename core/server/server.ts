/**
 * Composition: a host, a wire and an application become a server. The only place where they meet.
 *
 * The server keeps the set of its connections, gives them the tick, and ends them at shutdown. It has one timer, from
 * its first connection on.
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

/** What `shutdown` of a {@linkcode Server} may be told. */
export interface ShutdownOptions {
  /** Seconds that running requests have before they are cut. Default: the option `gracefulTimeout`, 30. */
  readonly timeout?: number;
}

/** A server that listens: what `serve` gives. */
export interface Server {
  /** The address in force; its port is the real one. */
  readonly address: Address;
  /** Settles once the server has stopped and its last connection is gone. */
  readonly finished: Promise<void>;
  /**
   * Stops accepting, lets running requests finish, gives idle connections `drainIdle` seconds for one more, and cuts
   * what is left at the time-out. A later call with a shorter time-out shortens it.
   *
   * @returns the same promise as `finished`.
   * @throws {OptionError} (as a rejection) for a time-out that is not a number from 0; nothing is stopped then.
   */
  shutdown(options?: ShutdownOptions): Promise<void>;
}

const TICK = 500; // ms
const QUIET_TURNS = 3; // of the event loop without a new connection: then nobody waits to be accepted
const MOST_TURNS = 1000; // for a port that is never quiet

/**
 * Listens and serves an application on a host.
 *
 * @throws {ListenError} (as a rejection) when the address cannot be had.
 * @throws {OptionError} (as a rejection) for an option with a value it cannot have.
 * @throws {ApplicationError} (as a rejection) when `app` is no application.
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

/** A connection that has been accepted and not been let in yet. */
interface Guest {
  readonly connection: WireConnection;
  readonly transport: Transport;
}

/** A server in full: what `serve` shows a part of. */
export class RunningServer implements Server {
  readonly finished: Promise<void>;
  readonly #host: Host;
  readonly #settings: Settings;
  readonly #gateway: Gateway;
  readonly #errors: ErrorStream;
  readonly #connections = new Map<Connection, Transport>();
  readonly #leaving = new Set<Connection>(); // of those: turned away or retired, and on their way out
  readonly #tickets: (() => void)[] = []; // of handleOne: who is told when that connection is done
  readonly #ended = new Map<Connection, () => void>();
  #waiting: Guest[] = [];
  #open: boolean; // connections are let in as they come
  #config: Http1Config | undefined;
  #wire: Wire | undefined;
  #listener: Listener | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #ignoreSignals: () => void = () => {};
  #accepted = 0; // connections so far
  #stopping = false;
  #stopped = false; // the port is free
  #finished = false; // nothing is left
  #clock = 0; // ms, of the ticks
  #ticked = 0;
  #wasLate = false; // the last tick came late, and judged nobody
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

  /** Lets in the connections that wait, and those to come. */
  openUp(): void {
    this.#open = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { transport } of waiting) transport.resume();
  }

  /** Lets in one connection for one request; settles when it is gone. */
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
      // Where a Unix socket may listen, peers may have no addresses that could be looked for in a list.
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
      await this.shutdown({ timeout: 0 }); // nobody will have this server
      throw error;
    }
  }

  /** Shuts down when `signal` fires, and lets go of it at the end: a signal may outlive many servers. */
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
      for (const { transport } of this.#waiting) transport.reset(); // nobody will ever let them in
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

  /** Closing the port resets connections that the system has made and nobody has accepted: those are accepted first. */
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
      // Without an address it has reset the connection before it was accepted, which is everyday and not worth a line.
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
   * Ends the connection that has been idle between requests for longest; false where none is idle. It is looked for only
   * when the server is full, so that connections cost nothing for it before.
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
    const guarded: Connection = new GuardedConnection(next, transport, this.#errors, () => this.#forget(guarded));
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
    // While the event loop was blocked nobody was heard: that time does not count against the clients. What they have sent
    // meanwhile waits to be read, so they are not judged before the next tick either.
    const late = passed > 2 * TICK && !this.#wasLate;
    this.#wasLate = late;
    this.#clock += Math.min(passed, late ? TICK : 2 * TICK);
    for (const [connection, transport] of this.#connections) {
      if (now >= this.#cutAt) transport.reset();
      else if (!late) connection.tick(this.#clock);
    }
    if (now >= this.#cutAt) this.#settle();
  }

  /** Ends the server once nothing is left of it, or its time is over. */
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
 * The URL of an address, for people.
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
