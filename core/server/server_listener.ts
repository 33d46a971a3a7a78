/**
 * One listener of a running server. The facts of a request that depend on how it came are decided here: the scheme, the
 * name and the port of the server, and who may connect.
 *
 * A connection that learns its facts only after it was accepted (from a PROXY prefix, from a TLS handshake) passes a
 * {@linkcode Stage} first, see `stage.ts`. The environ of all other connections starts with the same template.
 *
 * @module
 */

import { type EnvironTemplate, serverTemplate } from "../contract/environ.ts";
import type { ErrorStream } from "../contract/error_stream.ts";
import { describePlace, OptionError } from "../errors.ts";
import type { Address, Connection, Host, Listener, Peer, TlsSettings, Transport } from "../seams.ts";
import type { ForwardingOf, Http1Config } from "../wires/http1/config.ts";
import type { ListenerSettings } from "./options.ts";
import { ALL_PEERS, allowsPeer } from "./peer_policy.ts";
import type { ConnectionFacts, Stage, StageListener } from "./stage.ts";

const NO_VARIABLES: Readonly<Record<string, string>> = {};

/** What all listeners of a server share. */
export interface ServerShare {
  readonly config: Omit<Http1Config, "template" | "forwardingOf">;
  readonly errors: ErrorStream;
  readonly multiprocess: boolean;
}

/** The parts of a listener that are loaded only where its options ask for them. */
export interface ListenerParts {
  /** What its connections do before their wire. */
  readonly stage?: Stage | undefined;
  /** The settings of TLS. */
  readonly tls?: TlsSettings | undefined;
  /** What peers are believed to say about their clients. */
  readonly forwardingOf?: ForwardingOf | undefined;
}

/** A listener of a server, open or about to open. */
export class ServerListener implements StageListener {
  /** What its connections do before their wire; undefined for nothing. */
  readonly stage: Stage | undefined;
  readonly #settings: ListenerSettings;
  readonly #share: ServerShare;
  readonly #tls: TlsSettings | undefined;
  readonly #forwardingOf: ForwardingOf | undefined;
  readonly #configs: (Http1Config | undefined)[] = [];
  /** Those of connections that have variables of their own, for as long as such a connection is open. */
  readonly #configsWith = new WeakMap<Readonly<Record<string, string>>, (Http1Config | undefined)[]>();
  #listener: Listener | undefined;
  #config: Http1Config | undefined;

  /** A listener with these settings. */
  constructor(settings: ListenerSettings, share: ServerShare, { stage, tls, forwardingOf }: ListenerParts) {
    this.#settings = settings;
    this.#share = share;
    this.#forwardingOf = forwardingOf;
    this.stage = stage;
    this.#tls = tls;
  }

  /**
   * Listens.
   *
   * @throws {ListenError} (as a rejection) when the address is not available.
   * @throws {OptionError} (as a rejection) when the policy needs to know the kind of a descriptor and the system does
   *   not tell it.
   */
  async open(host: Host, accept: (transport: Transport) => Connection): Promise<void> {
    const { at, allowIps, proxyProtocol, proxyAllowIps, forwardedAllowIps } = this.#settings;
    const report = (message: string): void => this.#share.errors.write(`tsgi: ${message}\n`);
    const listener = await host.listen({ ...this.#settings, tls: this.#tls }, accept, report);
    this.#listener = listener;
    this.#config = this.#configFor({ secure: false, named: false, believed: true });
    if (listener.kind !== undefined) return;
    // The descriptor may be a Unix socket, whose peers have no addresses to compare with a list.
    const expected = `"*" for ${describePlace(at)}, of which the system does not tell whether it is TCP or Unix`;
    const lists = {
      allowIps,
      ...(proxyProtocol ? { proxyAllowIps } : {}),
      ...(forwardedAllowIps === undefined ? {} : { forwardedAllowIps }),
    };
    for (const [name, list] of Object.entries(lists)) {
      if (list === ALL_PEERS) continue;
      await listener.close();
      throw new OptionError(name, expected, list);
    }
  }

  /** The URL of its address. */
  url(protocol: string): string {
    return url(this.address, this.#tls === undefined ? protocol : "https");
  }

  /** The actual address. */
  get address(): Address {
    return (this.#listener as Listener).address;
  }

  /** Whether a peer may connect. */
  allows(peer: Peer): boolean {
    return allowsPeer(this.#settings.allowIps, peer, this.#listener?.kind);
  }

  /** Whether a peer may state who its client is, if it has to. */
  believes(peer: Peer): boolean {
    return !this.#settings.proxyProtocol || allowsPeer(this.#settings.proxyAllowIps, peer, this.#listener?.kind);
  }

  /** The configuration of a connection with no facts of its own. */
  get config(): Http1Config {
    return this.#config as Http1Config;
  }

  /** The configuration of a connection with facts of its own. */
  configWith({ secure = false, peer, variables }: ConnectionFacts): Http1Config {
    const named = peer !== undefined && peer.localAddress !== "";
    // A balancer that does not state its client has relayed what anybody may have written: its address proves nothing.
    const believed = peer !== undefined || !this.#settings.proxyProtocol;
    if (variables === undefined) return this.#configFor({ secure, named, believed });
    let configs = this.#configsWith.get(variables);
    if (configs === undefined) this.#configsWith.set(variables, configs = []);
    return this.#configFor({ secure, named, believed }, configs, variables);
  }

  /** Stops accepting. */
  async close(): Promise<void> {
    await this.#listener?.close();
  }

  /**
   * There are eight configurations at most: secure or not, with our own or the connection's name and port, and whether
   * fields about clients may be believed.
   */
  #configFor(
    { secure, named, believed }: Readonly<Record<"secure" | "named" | "believed", boolean>>,
    configs = this.#configs,
    variables = NO_VARIABLES,
  ): Http1Config {
    const scheme = secure ? "https" : this.#settings.urlScheme;
    const template = (): EnvironTemplate => ({ ...this.#template(scheme, named), ...variables });
    return configs[(secure ? 1 : 0) + (named ? 2 : 0) + (believed ? 4 : 0)] ??= {
      ...this.#share.config,
      template: template(),
      forwardingOf: believed ? this.#forwardingOf : undefined,
    };
  }

  /** With an empty name and port 0, each connection puts its local address into its own copy. */
  #template(scheme: "http" | "https", named: boolean): EnvironTemplate {
    const { address } = this;
    const { errors, multiprocess } = this.#share;
    const [serverName, serverPort] = named
      ? ["", "0"]
      : address.transport === "unix"
      ? ["localhost", scheme === "https" ? "443" : "80"]
      : [address.hostname, String(address.port)];
    return serverTemplate({ serverName, serverPort, scheme, multiprocess, runOnce: false, errors });
  }
}

/**
 * The URL of an address, as shown to people.
 *
 * @example
 * ```ts
 * import { url } from "./server_listener.ts";
 * console.assert(url({ transport: "tcp", hostname: "::1", port: 8000 }) === "http://[::1]:8000/");
 * ```
 */
export function url(address: Address, scheme: string = "http"): string {
  if (address.transport === "unix") {
    return scheme === "http" ? `unix:${address.path}` : `${scheme}+unix:${address.path}`;
  }
  const { hostname, port } = address;
  return `${scheme}://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}/`;
}

/**
 * Loads the parts of a listener, as its options say. Its connections begin with `stage` if it is given.
 *
 * @throws {OptionError} (as a rejection) for a member of the option `tls` with an invalid value.
 */
export async function partsOf(settings: ListenerSettings, stage?: Stage): Promise<ListenerParts> {
  const { forwardedAllowIps, forwardedHeaders, tls } = settings;
  const checked = tls === undefined ? undefined : (await import("./tls_options.ts")).tlsSettings(tls.options, tls.name);
  const parts = { stage: stage ?? await stageOf(settings, checked), tls: checked };
  if (forwardedAllowIps === undefined) return parts;
  const { forwardingOf } = await import("./forwarded.ts");
  return { ...parts, forwardingOf: forwardingOf(forwardedAllowIps, forwardedHeaders) };
}

/** Loads the stage of a listener: a PROXY prefix, then a TLS handshake. */
async function stageOf({ proxyProtocol }: ListenerSettings, tls: TlsSettings | undefined): Promise<Stage | undefined> {
  const prefix = proxyProtocol ? (await import("./proxy_protocol.ts")).readPrefix : undefined;
  if (tls === undefined) return prefix;
  const { handshake, inTurn } = await import("./tls.ts");
  return prefix === undefined ? handshake(tls) : inTurn(prefix, handshake(tls));
}
