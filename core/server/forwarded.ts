/**
 * Trusted proxies: what a request's environ says about its client, where a proxy in front states that in fields.
 *
 * Anybody can send such fields. So a field counts only if it is among `forwardedHeaders`, and if the peer, which is the
 * other end of the connection, is among `forwardedAllowIps`. Behind the PROXY protocol the peer is the one that the prefix
 * states: it wrote the request, and the balancer only relayed its bytes.
 *
 * **The right-most untrusted hop wins.** Each proxy appends to X-Forwarded-For the address that is connected to it. From
 * the peer the walk goes to the left, as long as the addresses are among `forwardedAllowIps`. The first one that is not
 * is the client; if there is none, the left-most is. What stands further left was written by the client and is not read.
 * With `"*"` no address tells a proxy from a client, so the right-most member is the client.
 *
 * The other lists have a member for each hop too. The one of the same hop counts, or the left-most if the list is
 * shorter, as it is where a proxy replaces the field.
 *
 * Contradictions are refused: somebody in the chain does not do what the others rely on.
 *
 * Nothing here is remembered from one request to the next, since the connections of a proxy carry the requests of many
 * clients.
 *
 * @module
 */

import type { EnvironTemplate } from "../contract/environ.ts";
import type { Environ } from "../contract/types.ts";
import { listMembers } from "../grammar.ts";
import { parseAddress } from "../ip_address.ts";
import { BAD_REQUEST, Refusal } from "../refusal.ts";
import type { Peer } from "../seams.ts";
import type { Forwarding, ForwardingOf } from "../wires/http1/config.ts";
import * as Field from "./forwarded_fields.ts";
import { ALL_PEERS, holds, isWithin, type Network, parseIps, UNIX_PEERS } from "./peer_policy.ts";

/** The keys of the fields in the environ. */
const FOR = "HTTP_X_FORWARDED_FOR";
const PROTO = "HTTP_X_FORWARDED_PROTO";
const HOST = "HTTP_X_FORWARDED_HOST";
const PORT = "HTTP_X_FORWARDED_PORT";
const PREFIX = "HTTP_X_FORWARDED_PREFIX";
const FORWARDED = "HTTP_FORWARDED";

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443" };

/** The client that a list of hops leads to. */
interface Found {
  /** The client; undefined if nothing is stated about it. */
  readonly hop: Field.Hop | undefined;
  /** The number of its member, from the right, from 0. */
  readonly index: number;
}

const NOTHING_FOUND: Found = { hop: undefined, index: 0 };

/**
 * The forwarding of a listener: for each connection, undefined if its peer is not believed.
 *
 * @param ips The option `forwardedAllowIps`.
 * @param headers The option `forwardedHeaders`.
 */
export function forwardingOf(ips: readonly string[] | "*", headers: readonly string[]): ForwardingOf {
  const proxies = new Proxies(ips);
  const keys = new Set(headers.map((name) => `HTTP_${name.toUpperCase().replaceAll("-", "_")}`));
  return (peer, template) =>
    ips === ALL_PEERS || proxies.has(peer.remoteAddress)
      ? new PeerForwarding(proxies, keys, peer, template)
      : undefined;
}

/** The proxies that are trusted. */
class Proxies {
  readonly #networks: readonly Network[];
  readonly #unix: boolean;

  constructor(ips: readonly string[] | "*") {
    const named = ips === ALL_PEERS ? [] : ips;
    this.#networks = named.filter((one) => one !== UNIX_PEERS).map((one) => parseIps(one) as Network);
    this.#unix = named.includes(UNIX_PEERS);
  }

  /** Whether a hop is a proxy: `""` is one at a Unix socket, null one that is hidden. */
  has(address: string | null): boolean {
    if (address === null) return false;
    if (address === "") return this.#unix;
    const words = parseAddress(address) as readonly number[];
    return this.#networks.some((network) => holds(network, words));
  }

  /** Walks from the right to the first hop that is not trusted. `hopAt` parses the member at an index. */
  clientOf(count: number, hopAt: (at: number) => Field.Hop | undefined): Found {
    let found = NOTHING_FOUND;
    for (let index = 0; index < count; index++) {
      const hop = hopAt(count - 1 - index);
      found = { hop: hop ?? found.hop, index };
      if (hop === undefined || !this.has(hop.address)) break;
    }
    return found;
  }
}

/** The requests of one connection whose peer is believed. */
class PeerForwarding implements Forwarding {
  readonly template: EnvironTemplate;
  readonly #proxies: Proxies;
  readonly #keys: ReadonlySet<string>;
  readonly #peer: Peer;

  constructor(proxies: Proxies, keys: ReadonlySet<string>, peer: Peer, template: EnvironTemplate) {
    this.#proxies = proxies;
    this.#keys = keys;
    this.#peer = peer;
    // The port is mostly not stated, and deleting it from each environ would be slow.
    const { REMOTE_PORT: _port, ...rest } = template;
    const { remoteAddress: address, remotePort: port } = peer;
    this.template = { ...rest, "tsgi.peer": Object.freeze({ address, port }) };
  }

  apply(environ: Environ, fields: readonly string[]): void {
    const members = (key: string): readonly string[] => this.#members(environ, key);
    const single = (key: string): readonly string[] => this.#single(environ, fields, key);
    const hops = members(FOR);
    const listed = this.#proxies.clientOf(hops.length, (at) => Field.parseForwardedFor(hops[at] as string));
    const elements = this.#keys.has(FORWARDED) ? Field.parseForwarded(environ[FORWARDED] ?? "") : [];
    const stated = this.#proxies.clientOf(elements.length, (at) => nodeOf(elements[at]));
    const element = atHop(elements, stated.index);
    const { index } = hops.length > 0 ? listed : stated;

    this.#setClient(environ, agreed(listed.hop, stated.hop, isSameHop, "X-Forwarded-For and Forwarded"));
    setScheme(
      environ,
      agreed(
        mapped(atHop(single(PROTO), index), (text) => Field.parseProto(text, "X-Forwarded-Proto")),
        mapped(element?.get("proto"), (text) => Field.parseProto(text, "Forwarded")),
        isSame,
        "X-Forwarded-Proto and Forwarded",
      ),
    );
    setHost(
      environ,
      agreed(
        mapped(atHop(single(HOST), index), (text) => Field.parseHost(text, "X-Forwarded-Host")),
        mapped(element?.get("host"), (text) => Field.parseHost(text, "Forwarded")),
        (one, other) => one.toLowerCase() === other.toLowerCase(),
        "X-Forwarded-Host and Forwarded",
      ),
      mapped(atHop(single(PORT), index), Field.parsePort),
    );
    setPrefix(environ, mapped(atHop(single(PREFIX), index), Field.parsePrefix));
  }

  /** The members of a list, if its field is believed. Empty ones are left out (RFC 9110 5.6.1.2). */
  #members(environ: Environ, key: string): readonly string[] {
    const value = this.#keys.has(key) ? environ[key] as string | undefined : undefined;
    if (value === undefined) return [];
    return value.includes(",") || value === "" ? listMembers(value).filter((one) => one !== "") : [value];
  }

  /**
   * The members of a field that may be repeated only with the same value. Schemes and hosts have no case, paths do.
   *
   * @throws {Refusal} 400 when two lines of it differ.
   */
  #single(environ: Environ, fields: readonly string[], key: string): readonly string[] {
    const members = this.#members(environ, key);
    if (members.length < 2) return members;
    const lines = fields.filter((_, i) => i % 2 === 1 && fields[i - 1] === key);
    const [first = "", ...others] = key === PREFIX ? lines : lines.map((line) => line.toLowerCase());
    if (others.some((line) => line !== first)) {
      throw new Refusal(BAD_REQUEST, `${nameOf(key)}, which is believed, is given twice with different values`);
    }
    return members.slice(0, members.length / lines.length);
  }

  /** Only what is known is in the environ. Of a peer that states no client, the address is there already. */
  #setClient(environ: Environ, hop: Field.Hop | undefined): void {
    const port = hop === undefined ? this.#peer.remotePort : hop.port;
    if (port !== "") environ.REMOTE_PORT = port;
    if (hop === undefined) return;
    if (hop.address === null || hop.address === "") delete environ.REMOTE_ADDR;
    else environ.REMOTE_ADDR = hop.address;
  }
}

function nodeOf(element: Field.ForwardedElement | undefined): Field.Hop | undefined {
  return mapped(element?.get("for"), (text) => Field.parseNode(text, "Forwarded"));
}

/** The member of a hop, or the left-most one of a list that is shorter. */
function atHop<T>(list: readonly T[], index: number): T | undefined {
  return list[Math.max(0, list.length - 1 - index)];
}

function mapped<T, R>(value: T | undefined, change: (value: T) => R): R | undefined {
  return value === undefined ? undefined : change(value);
}

/**
 * What one or both of two fields state.
 *
 * @throws {Refusal} 400 when they contradict each other.
 */
function agreed<T>(
  one: T | undefined,
  other: T | undefined,
  isEqual: (one: T, other: T) => boolean,
  names: string,
): T | undefined {
  if (one === undefined || other === undefined || isEqual(one, other)) return one ?? other;
  throw new Refusal(BAD_REQUEST, `${names}, which are believed, contradict each other`);
}

function isSame(one: unknown, other: unknown): boolean {
  return one === other;
}

/** Whether two hops are the same one. An address has several spellings. */
function isSameHop(one: Field.Hop, other: Field.Hop): boolean {
  const { address } = one;
  const isEqual = address === other.address ||
    (address !== null && other.address !== null && address !== "" && other.address !== "" &&
      isWithin(address, parseIps(other.address) as Network));
  return isEqual && (one.port === other.port || one.port === "" || other.port === "");
}

function setScheme(environ: Environ, scheme: "http" | "https" | undefined): void {
  if (scheme === undefined || scheme === environ["wsgi.url_scheme"]) return;
  environ["wsgi.url_scheme"] = scheme;
  if (scheme === "https") environ.HTTPS = "on";
  else delete environ.HTTPS;
}

/** Sets the authority of the request's URL. The default port of the scheme is not written. */
function setHost(environ: Environ, host: string | undefined, port: string | undefined): void {
  if (host !== undefined) environ.HTTP_HOST = host;
  if (port === undefined) return;
  const stated = host === undefined ? undefined : Field.splitHost(host).port;
  if (stated !== undefined && Number(stated) !== Number(port)) {
    throw new Refusal(BAD_REQUEST, "the host and X-Forwarded-Port, which are believed, contradict each other");
  }
  environ.SERVER_PORT = port;
  const authority = environ.HTTP_HOST;
  if (authority === undefined || authority === "") return;
  const { name } = Field.splitHost(authority);
  environ.HTTP_HOST = port === DEFAULT_PORTS[environ["wsgi.url_scheme"]] ? name : `${name}:${port}`;
}

/**
 * Puts a prefix before SCRIPT_NAME. The proxy has removed it from the path, so nothing is removed here. REQUEST_URI gets
 * it too: it is the target that the client has sent to the proxy.
 */
function setPrefix(environ: Environ, prefix: Field.Prefix | undefined): void {
  if (prefix === undefined) return;
  environ.SCRIPT_NAME = prefix.path + environ.SCRIPT_NAME;
  if (environ.REQUEST_URI.startsWith("/")) environ.REQUEST_URI = prefix.raw + environ.REQUEST_URI;
}

/** Converts `HTTP_X_FORWARDED_PROTO` to `X-Forwarded-Proto`. */
function nameOf(key: string): string {
  const words = key.slice("HTTP_".length).toLowerCase().split("_");
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("-");
}
