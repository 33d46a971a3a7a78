/**
 * Runs bytes through a connection of a wire, with the real gateway and an application that notes what it sees.
 *
 * The transport keeps the rules of `core/seams.ts`: it delivers nothing while it is paused, and overwrites the bytes that
 * it has lent. An application call takes only microtasks, so one turn of the event loop is enough for all that is ready.
 *
 * @module
 */

import type { Environ, StartResponse } from "../../core/contract/types.ts";
import type { AccessRecord } from "../../core/gateway/access_log.ts";
import { TOKEN } from "../../core/grammar.ts";
import type { Transport } from "../../core/seams.ts";
import type { WireConnection } from "../../core/wires/wire.ts";
import { configOf, type Overrides, withLog } from "../http1/harness.ts";
import { Broken, bytesOf, expect, textOf } from "./target.ts";

/** A request as the application saw it. */
export interface Seen {
  readonly environ: Readonly<Record<string, unknown>>;
  /** The body as latin-1 text, or the name of the error that reading it threw. */
  body: string;
}

/** What became of a connection. */
export interface Outcome {
  readonly seen: readonly Seen[];
  /** Everything sent, as latin-1 text. */
  readonly sent: string;
  /** The status of each refused request, as the log has it. */
  readonly refused: readonly string[];
  /** The text of wsgi.errors. */
  readonly log: string;
  /** How the server ended the connection before the client did. */
  readonly ending: "open" | "end" | "reset";
}

const MEMORY = 1 << 17;
const MOST_TURNS = 400; // of the event loop, for all that a connection has to do
const memory = new Uint8Array(MEMORY); // shared: there is one connection at a time
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class FuzzTransport implements Transport {
  readonly peer = { remoteAddress: "192.0.2.1", remotePort: "4711", localAddress: "192.0.2.2", localPort: "80" };
  readonly givesInput = false;
  readonly buffered = 0;
  memory = memory;
  sent = "";
  ending: Outcome["ending"] = "open";
  paused = false;
  write(bytes: Uint8Array): boolean {
    this.sent += textOf(bytes);
    return true;
  }
  reserve(min: number): number {
    this.memory = min <= MEMORY ? memory : new Uint8Array(min);
    return 0;
  }
  commit(length: number): boolean {
    return this.write(this.memory.subarray(0, length));
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  attach(): void {}
  end(): void {
    this.ending = "end";
  }
  destroy(): void {
    this.ending = "reset";
  }
  reset(): void {
    this.ending = "reset";
  }
}

/** A wire under test with its configuration, which all runs share. */
export class Bench {
  readonly #connect: (transport: Transport) => WireConnection;
  readonly #valid: Uint8Array;
  #seen: Seen[] = [];
  #records: AccessRecord[] = [];
  #log = "";

  /**
   * `wire` makes a connection; `valid` is a request, which nobody may serve after the end; `overrides` are limits. The
   * application reads each body, or answers at once.
   */
  constructor(
    wire: (transport: Transport, config: ReturnType<typeof configOf>) => WireConnection,
    valid: string,
    overrides: Overrides = {},
    reads = true,
  ) {
    this.#valid = bytesOf(valid);
    const app = (environ: Environ, startResponse: StartResponse): string[] | Promise<string[]> => {
      const seen: Seen = { environ: { ...environ }, body: "" };
      expect(Object.getPrototypeOf(environ) === Object.prototype, "the environ is a plain object", () => "");
      this.#seen.push(seen);
      if (reads) return read(seen, environ, startResponse);
      startResponse("200 OK", [["Date", "now"]]);
      return ["0"];
    };
    const defaults = configOf(app, (text) => void (this.#log += text));
    const accessLog = (record: AccessRecord): void => void this.#records.push(record);
    const config = { ...withLog(defaults, accessLog), ...overrides };
    this.#connect = (transport) => wire(transport, config);
  }

  /**
   * Delivers the pieces of a stream, then FIN. With `settleEach` everything ready runs after each piece.
   *
   * @throws {Broken} when an invariant of every wire does not hold.
   */
  async run(pieces: readonly Uint8Array[], settleEach: boolean): Promise<Outcome> {
    const seen: Seen[] = this.#seen = [];
    this.#log = "";
    this.#records = [];
    const transport = new FuzzTransport();
    const connection = this.#connect(transport);
    for (const piece of pieces) {
      for (let turns = 0; transport.paused && transport.ending === "open"; turns++) {
        expect(turns < MOST_TURNS, "a paused connection resumes", () => this.#log);
        await turn();
      }
      const lent = piece.slice();
      connection.receive(lent);
      lent.fill(0x3f);
      if (settleEach) await turn();
    }
    await this.#settled(transport);
    connection.tick(0);
    void (connection.idleOrder);
    const { ending } = transport;
    if (ending === "open") connection.ended();
    await this.#settled(transport);
    this.#expectEnded(transport, connection, ending);
    connection.closed();
    const log = this.#log;
    if (OWN_ERROR.test(log)) throw new Broken("no error other than the named ones", log);
    for (const { environ } of seen) expectEnviron(environ);
    const refused = [...log.matchAll(/refused a request from \S+: ([^:\n]*)/g)].map(([, status]) => status as string);
    expectRecords(this.#records, seen.length);
    return { seen, sent: transport.sent, refused, log, ending };
  }

  async #settled(transport: FuzzTransport): Promise<void> {
    for (let turns = 0, before = -1; before !== transport.sent.length + this.#seen.length; turns++) {
      expect(turns < MOST_TURNS, "all work ends", () => this.#log);
      before = transport.sent.length + this.#seen.length;
      await turn();
    }
  }

  /** After the end nothing reaches the application, and after FIN every connection ends. */
  #expectEnded(transport: FuzzTransport, connection: WireConnection, ending: Outcome["ending"]): void {
    const { sent } = transport;
    const count = this.#seen.length;
    if (ending !== "open") connection.receive(this.#valid.slice());
    expect(transport.ending !== "open", "a connection ends after FIN", () => sent);
    expect(
      this.#seen.length === count && transport.sent === sent,
      "nothing is served after the end",
      () => transport.sent,
    );
  }
}

async function read(seen: Seen, environ: Environ, startResponse: StartResponse): Promise<string[]> {
  try {
    seen.body = textOf(await environ["wsgi.input"].read());
  } catch (error) {
    seen.body = (error as Error).name;
    throw error;
  }
  startResponse("200 OK", [["Date", "now"]]);
  return [`${seen.body.length}`];
}

/** The access log has each request once; of a refused one it has only latin-1 text too. */
function expectRecords(records: readonly AccessRecord[], seen: number): void {
  const served = records.filter(({ refused }) => refused === undefined).length;
  expect(served === seen, "the access log has each request once", () => [served, seen]);
  for (const { environ, refused } of records) {
    if (refused === undefined) continue;
    for (const value of Object.values(environ)) {
      expect(typeof value !== "string" || !BEYOND_LATIN1.test(value), "the access log is latin-1", () => value);
    }
  }
}

/** The log of an error that is the server's own, neither a refusal nor an error of the application. */
const OWN_ERROR = /^tsgi: connection from (?!.*: other requests run on it)/m;

// deno-lint-ignore no-control-regex
const BEYOND_LATIN1 = /[^\x00-\xff]/;
const OWN_KEY = /^(?:wsgi|tsgi)\.[a-z_]+$/;

/** What the environ of each request obeys, by PEP 3333 and RFC 3875, whatever the wire. */
export function expectEnviron(environ: Readonly<Record<string, unknown>>): void {
  const text = (key: string): string => {
    const value = environ[key];
    if (typeof value !== "string") throw new Broken("environ values are text", [key, typeof value]);
    return value;
  };
  for (const key of Object.keys(environ)) {
    if (OWN_KEY.test(key)) continue;
    expect(!BEYOND_LATIN1.test(text(key)) && !BEYOND_LATIN1.test(key), "environ is latin-1", () => [key, environ[key]]);
    expect(!key.includes(".") || key.startsWith("HTTP_"), "no client sets a key with a dot", () => key);
    expect(!(key.startsWith("HTTP_") && /[a-z]/.test(key)), "HTTP_ keys have no small letters", () => key);
  }
  expect(TOKEN.test(text("REQUEST_METHOD")), "the method is a token", () => environ.REQUEST_METHOD);
  for (const key of ["SCRIPT_NAME", "PATH_INFO"]) {
    expect(/^(?:\/|$)/.test(text(key)), "paths begin with a slash", () => [key, environ[key]]);
  }
  expect(text("SCRIPT_NAME") + text("PATH_INFO") !== "", "one of the paths is not empty", () => "");
  expect(text("SERVER_NAME") !== "", "the server has a name", () => "");
  expect(/^[0-9]+$/.test(text("SERVER_PORT")), "the port is a number", () => environ.SERVER_PORT);
  expect(/^HTTP\/[0-9](?:\.[0-9])?$/.test(text("SERVER_PROTOCOL")), "the protocol", () => environ.SERVER_PROTOCOL);
  const { CONTENT_LENGTH: length, "wsgi.url_scheme": scheme } = environ;
  expect(length === undefined || /^[0-9]+$/.test(String(length)), "CONTENT_LENGTH is a number", () => length);
  expect(scheme === "http" || scheme === "https", "the scheme", () => scheme);
  for (const key of ["HTTP_PROXY", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"]) {
    expect(!Object.hasOwn(environ, key), "keys that never enter an environ", () => key);
  }
}

/** The part of an environ that comes from the request, to compare. */
export function requestPart(environ: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const part: Record<string, unknown> = {};
  for (const key of Object.keys(environ)) if (!OWN_KEY.test(key)) part[key] = environ[key];
  return part;
}

/** Whether two outcomes are the same, apart from interim responses, which depend on timing, and the Date of refusals. */
export function expectSameOutcome(got: Outcome, wanted: Outcome, invariant: string): void {
  const comparable = ({ seen, sent, refused, ending }: Outcome): string =>
    JSON.stringify([
      seen.map(({ environ, body }) => [requestPart(environ), body]),
      sent.replaceAll("HTTP/1.1 100 Continue\r\n\r\n", "").replaceAll(/^Date: .*$/gm, ""),
      refused,
      ending,
    ]);
  const [one, other] = [comparable(got), comparable(wanted)];
  if (one !== other) throw new Broken(invariant, `got ${one}, wanted ${other}`);
}
