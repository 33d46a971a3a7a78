/**
 * The stage before the wire, on a host without sockets: what it holds, what it passes on, and when it is over.
 *
 * The clock of the server is made to tick by the test.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Environ, StartResponse } from "../../core/contract/types.ts";
import { readLatin1 } from "../../core/grammar.ts";
import type { Connection, Host, Transport } from "../../core/seams.ts";
import { settings } from "../../core/server/options.ts";
import { RunningServer, type ServerParts } from "../../core/server/server.ts";
import type { ServeOptions } from "../../core/server/serve_options.ts";
import { type ConnectionFacts, type Gate, type Stage, StageError } from "../../core/server/stage.ts";
import { scgiConnection } from "../../core/wires/scgi/connection.ts";
import { RecordingTransport } from "../http1/harness.ts";
import { scgiRequest } from "../scgi/request.ts";
import { bytesOf } from "./proxy_prefix.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** A socket whose client the test plays. */
class Socket extends RecordingTransport {
  #connection: Connection | undefined;
  isClosed = false;

  accepted(connection: Connection): this {
    this.#connection = connection;
    return this;
  }

  sends(text: string): void {
    this.#connection?.receive(bytesOf(text));
  }

  leaves(): void {
    this.#connection?.ended();
  }

  override attach(next: Connection, leftover: Uint8Array = new Uint8Array()): void {
    super.attach(next);
    this.#connection = next;
    queueMicrotask(() => {
      if (leftover.length > 0) next.receive(leftover);
    });
  }

  override end(): void {
    super.end();
    this.#close();
  }

  override destroy(): void {
    super.destroy();
    this.#close();
  }

  override reset(): void {
    super.reset();
    this.#close();
  }

  #close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    queueMicrotask(() => this.#connection?.closed());
  }
}

interface Bench {
  readonly server: RunningServer;
  readonly log: string[];
  readonly environs: Environ[];
  /** A client connects. */
  connect(): Socket;
}

/** A server whose connections go through `stage`. */
async function serving(
  stage: Stage | undefined,
  options: ServeOptions = {},
  parts: ServerParts = {},
): Promise<Bench> {
  const log: string[] = [];
  const environs: Environ[] = [];
  let accept: (transport: Transport) => Connection = () => expect.fail("does not listen");
  const host: Host = {
    runtime: "test",
    listen: (_options, accepts) => {
      accept = accepts;
      const address = { transport: "tcp", hostname: "127.0.0.1", port: 8000 } as const;
      return Promise.resolve({ address, kind: "tcp", close: () => Promise.resolve() });
    },
    latin1: readLatin1,
    turn: (callback) => void queueMicrotask(callback),
    stderr: () => {},
    onSignal: () => () => {},
    env: () => undefined,
  };
  const app = (environ: Environ, startResponse: StartResponse): string | Promise<string> => {
    environs.push(environ);
    if (environ.PATH_INFO === "/slow") return new Promise(() => {});
    startResponse("200 OK", []);
    return "served";
  };
  const given = { handleSignals: false, onListen: () => {}, ...options };
  const all = settings(given, { port: undefined, errorLog: (text) => log.push(text) });
  const server = new RunningServer(host, app, all, { ...parts, ...(stage === undefined ? {} : { stage }) });
  await server.listen();
  const connect = (): Socket => {
    const socket = new Socket();
    return socket.accepted(accept(socket));
  };
  return { server, log, environs, connect };
}

/** A stage that passes everything behind an exclamation mark on, with some facts; "?" is refused, "#" breaks. */
function marked(facts: ConnectionFacts = {}): Stage {
  return (_transport, gate) => ({
    receive: (bytes) => {
      const at = bytes.indexOf(0x21);
      if (bytes[0] === 0x3f) gate.refuse("it asks");
      if (bytes[0] === 0x23) throw new Error("a mistake of the stage");
      if (bytes[0] === 0x24) throw new StageError("it breaks a rule");
      if (at >= 0) gate.pass(facts, bytes.subarray(at + 1));
    },
  });
}

/** Lets microtasks run, however many follow each other. */
async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await null;
}

async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds * 2; i++) {
    vi.advanceTimersByTime(500);
    await settled();
  }
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] }));
afterEach(() => void vi.useRealTimers());

describe("15.3 a stage", () => {
  it("hands the socket and the unread bytes to the wire", async () => {
    const { connect, environs } = await serving(marked());
    const socket = connect();
    socket.sends("preface!" + GET);
    expect([environs.length, socket.calls]).toEqual([0, ["pause", "attach"]]);
    await settled();
    expect(environs[0]).toMatchObject({ REMOTE_ADDR: "192.0.2.1", "wsgi.url_scheme": "http", SERVER_PORT: "8000" });
    expect(environs[0]).not.toHaveProperty("HTTPS");
    expect(socket.sent).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*served$/);
  });

  const peer = { remoteAddress: "203.0.113.7", remotePort: "5", localAddress: "198.51.100.1", localPort: "8443" };
  it.each<[ConnectionFacts, object]>([
    [{ secure: true }, { "wsgi.url_scheme": "https", HTTPS: "on", REMOTE_ADDR: "192.0.2.1", SERVER_PORT: "8000" }],
    [{ peer }, { REMOTE_ADDR: "203.0.113.7", REMOTE_PORT: "5", SERVER_NAME: "198.51.100.1", SERVER_PORT: "8443" }],
    [{ peer, secure: true }, { REMOTE_ADDR: "203.0.113.7", SERVER_PORT: "8443", HTTPS: "on" }],
    [{ peer: { ...peer, localAddress: "" } }, {
      REMOTE_ADDR: "203.0.113.7",
      SERVER_NAME: "127.0.0.1",
      SERVER_PORT: "8000",
    }],
  ])("decides the facts of its connection and of no other: %j", async (facts, expected) => {
    let next: ConnectionFacts = facts;
    const { connect, environs } = await serving((transport, gate) => marked(next)(transport, gate));
    connect().sends(`!${GET}${GET}`);
    next = {};
    connect().sends(`!${GET}`);
    await settled();
    expect(environs).toHaveLength(3);
    expect(environs[0]).toMatchObject(expected);
    expect(environs[1]).toMatchObject(expected);
    expect(environs[2]).toMatchObject({
      REMOTE_ADDR: "192.0.2.1",
      SERVER_NAME: "127.0.0.1",
      "wsgi.url_scheme": "http",
    });
  });

  it("chooses the wire", async () => {
    const { connect } = await serving(marked({ wire: scgiConnection }));
    const socket = connect();
    socket.sends("!" + scgiRequest({ REQUEST_METHOD: "GET", PATH_INFO: "/" }, "0"));
    await settled();
    expect(socket.sent).toMatch(/^Status: 200 OK\r\n/);
  });

  it("may pass later, when something asynchronous is done", async () => {
    let gate: Gate | undefined;
    const { connect } = await serving((_transport, its) => {
      gate = its;
      return { receive: () => {} };
    });
    const socket = connect();
    socket.sends("preface");
    await settled();
    gate?.pass({}, bytesOf(GET));
    gate?.pass({}, bytesOf(GET)); // only the first call counts
    gate?.refuse("too late");
    await settled();
    expect(socket.sent.match(/served/g)).toHaveLength(1);
    expect(socket.isClosed).toBe(false);
  });

  it.each([
    ["refuses", "?", /^tsgi: closed the connection from 192\.0\.2\.1: it asks\n$/],
    ["throws a StageError", "$", /^tsgi: closed the connection from 192\.0\.2\.1: it breaks a rule\n$/],
    [
      "throws by mistake",
      "#",
      /^tsgi: closed the connection from 192\.0\.2\.1: Error: a mistake of the stage\n[^]*at /,
    ],
    ["is left in the middle", "pref\x04", /^tsgi: closed the connection from 192\.0\.2\.1: it ended before its first/],
    ["is left before it began", "\x04", /^$/],
  ])("that %s: no response, and a line if anything came", async (_name, text, line) => {
    const { server, connect, log } = await serving(marked());
    const socket = connect();
    if (text !== "\x04") socket.sends(text.replace("\x04", ""));
    if (text.endsWith("\x04")) socket.leaves();
    socket.sends("!" + GET); // what may still arrive is dropped
    await settled();
    expect([socket.sent, socket.isClosed, server.connections]).toEqual(["", true, 0]);
    expect(log.join("")).toMatch(line);
  });

  it("may refuse its connection at once", async () => {
    const { connect, log } = await serving((_transport, gate) => {
      gate.refuse("nobody");
      return { receive: () => {} };
    });
    expect(connect().calls).toEqual(["destroy"]);
    expect(log.join("")).toMatch(/: nobody\n$/);
  });

  it("has a deadline, whatever trickles in, and the wire has its own behind it", async () => {
    const { connect, log } = await serving(marked(), { headerTimeout: 3 });
    const [slow, quick] = [connect(), connect()];
    for (let i = 0; i < 4; i++) {
      slow.sends("x");
      await pass(0.5);
    }
    quick.sends("!GET / HTTP/1.1\r\n");
    await pass(2);
    expect([slow.isClosed, quick.isClosed]).toEqual([true, false]);
    expect(log.join("")).toBe(
      "tsgi: closed the connection from 192.0.2.1: it was not ready for its first request within 3 s\n",
    );
    await pass(2);
    expect(quick.sent).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("counts against maxConnections; who is turned away meanwhile gets the 503 behind the stage, or is cut", async () => {
    const { server, connect, log } = await serving(marked(), { maxConnections: 1 });
    const [first, second, third] = [connect(), connect(), connect()];
    expect(server.connections).toBe(3);
    second.sends("!" + GET);
    await pass(1);
    expect(second.sent).toMatch(/^HTTP\/1\.1 503 /);
    await pass(2);
    expect([first.isClosed, third.isClosed]).toEqual([false, true]);
    expect(log.join("")).toMatch(/not ready for its first request within 2 s/);
    first.sends("!" + GET);
    await settled();
    expect(first.sent).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("who is not among allowIps is turned away behind the stage", async () => {
    const { connect, environs } = await serving(marked(), { allowIps: ["10.0.0.0/8"] });
    const socket = connect();
    socket.sends("!" + GET);
    await settled();
    expect([socket.sent.slice(0, 12), environs.length]).toEqual(["HTTP/1.1 403", 0]);
  });

  it("at shutdown still has drainIdle, and is cut at the time-out", async () => {
    const { server, connect, environs, log } = await serving(marked(), { drainIdle: 1, headerTimeout: 30 });
    const [silent, begun, ready] = [connect(), connect(), connect()];
    begun.sends("x");
    const finished = server.shutdown({ timeout: 10 });
    ready.sends("!" + GET);
    await settled();
    expect(ready.sent).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Connection: close/);
    await pass(2);
    expect([silent.isClosed, begun.isClosed, environs.length]).toEqual([true, true, 1]);
    expect(log.join("").match(/closed the connection/g)).toHaveLength(1); // the one that had begun
    await finished;

    const cut = await serving(marked());
    const socket = cut.connect();
    await cut.server.shutdown({ timeout: 0 });
    expect(socket.calls).toContain("reset");
  });

  it("of a server that serves one connection at a time", async () => {
    const { server, connect } = await serving(marked(), {}, { open: false });
    const socket = connect();
    expect(socket.calls).toEqual(["pause"]);
    let over = false;
    const handled = server.handleOne().then(() => over = true);
    socket.sends("!" + GET + GET);
    await settled();
    expect(socket.sent.match(/served/g)).toHaveLength(1);
    expect(socket.sent).toContain("Connection: close");
    await handled;
    expect(over).toBe(true);
  });
});

describe("15.3 the hook of a server for its connections", () => {
  it("closes a socket above the limit at once, without a wire, and says so", async () => {
    let [refused, accepted] = [0, 0];
    const admission = { most: 2, refused: () => refused++, accepted: () => accepted++ };
    const { server, connect } = await serving(undefined, {}, { admission });
    expect(server.connections).toBe(0);
    const [first, second, third] = [connect(), connect(), connect()];
    third.sends(GET);
    expect([third.calls, third.sent, refused]).toEqual([["destroy"], "", 1]);
    first.destroy();
    await settled();
    expect([server.connections, second.isClosed]).toEqual([1, false]);
    connect().sends(GET);
    expect([server.connections, refused, accepted]).toEqual([2, 1, 3]);
  });

  /** Requests on sockets of these numbers, and which sockets are closed then. */
  async function ask(sockets: readonly Socket[], ...which: number[]): Promise<number[]> {
    for (const i of which) sockets[i]?.sends(GET);
    await settled();
    return [...sockets.keys()].filter((i) => sockets[i]?.isClosed);
  }

  it("makes the next request the last one on connections that are in use, and leaves idle ones alone", async () => {
    const { server, connect } = await serving(undefined);
    const sockets = Array.from({ length: 4 }, connect);
    await ask(sockets, 0, 1, 2, 3);
    server.closeAfterNext(0); // from here on it counts which are in use
    await ask(sockets, 2, 3);
    server.closeAfterNext(1);
    server.closeAfterNext(4); // none was used since the previous call
    expect(await ask(sockets, 0, 1, 3)).toEqual([]);
    expect(await ask(sockets, 2)).toEqual([2]);
    server.closeAfterNext(4);
    expect(await ask(sockets, 0, 1, 3)).toEqual([0, 1, 2, 3]);
  });

  it("counts a connection that has not closed yet, since its response takes long", async () => {
    const { server, connect } = await serving(undefined);
    const sockets = Array.from({ length: 2 }, connect);
    sockets[0]?.sends("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    await ask(sockets, 1);
    server.closeAfterNext(1);
    await ask(sockets);
    server.closeAfterNext(1);
    expect(await ask(sockets, 1)).toEqual([]);
  });
});
