/**
 * A raw client over node:net. It sends exactly the bytes that a test gives, and waits for the condition that it names.
 *
 * The socket allows half-open connections: sending FIN does not stop reading, and the server's FIN does not stop
 * sending. Nothing here sleeps. Each wait checks its condition again at every event of the socket. At its deadline, the
 * error says what had arrived until then.
 *
 * @module
 */

import { connect as netConnect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { bytesOf, ResponseReader, textOf, type WireResponse } from "./response.ts";

/** How long one wait may take. */
export const DEADLINE = 5000;

/** The parts of a request besides method and target. */
export interface RequestInit {
  readonly version?: string;
  /** Field lines; Host comes first unless `host` is null. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly host?: string | null;
  /** The body. A Content-Length is added unless the headers already frame it. */
  readonly body?: string | Uint8Array;
}

/** Bytes of a latin-1 string. */
export function latin1(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

/** Encodes a body as chunks, one for each element. */
export function chunked(parts: readonly (string | Uint8Array)[]): Buffer {
  const out: Uint8Array[] = [];
  for (const part of parts) {
    const bytes = typeof part === "string" ? latin1(part) : part;
    out.push(latin1(`${bytes.length.toString(16)}\r\n`), bytes, latin1("\r\n"));
  }
  return Buffer.concat([...out, latin1("0\r\n\r\n")]);
}

/** Bytes of a request. */
export function requestBytes(method: string, target: string, init: RequestInit = {}): Buffer {
  const headers = init.headers ?? [];
  let head = `${method} ${target} ${init.version ?? "HTTP/1.1"}\r\n`;
  if (init.host !== null) head += `Host: ${init.host ?? "test.example"}\r\n`;
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
  const body = typeof init.body === "string" ? latin1(init.body) : init.body ?? new Uint8Array(0);
  const framed = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
  if (init.body !== undefined && !framed) head += `Content-Length: ${body.length}\r\n`;
  return Buffer.concat([latin1(head + "\r\n"), body]);
}

/** One connection to a server under test. */
export class Client {
  readonly reader: ResponseReader = new ResponseReader();
  /** True once the server has sent FIN. */
  fin = false;
  /** The error that ended the connection, such as ECONNRESET. */
  failure: Error | null = null;
  #socket: Socket;
  readonly #raw: Socket; // below TLS; otherwise the same
  #waiters = new Set<() => void>();
  #given = 0;
  #seen = 0;

  private constructor(socket: Socket, raw: Socket) {
    this.#socket = socket;
    this.#raw = raw;
    socket.on("data", (bytes: Buffer) => {
      this.#seen += bytes.length;
      this.reader.push(bytes);
      this.#notify();
    });
    socket.on("end", () => this.#over(true));
    socket.on("error", (error) => {
      this.failure ??= error;
      this.#over(false);
    });
    socket.on("close", () => this.#notify());
  }

  /** Connects to a port of this machine; with `ca`, the text of a certificate, by TLS. */
  static async connect(port: number, ca?: string): Promise<Client> {
    const raw = netConnect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
    const socket = ca === undefined ? raw : tlsConnect({ socket: raw, ca, ALPNProtocols: ["h2", "http/1.1"] });
    await new Promise<void>((resolve, reject) => {
      socket.once(ca === undefined ? "connect" : "secureConnect", resolve);
      socket.once("error", reject);
    });
    return new Client(socket, raw);
  }

  /** The client's own port. */
  get port(): number {
    return this.#raw.localPort ?? 0;
  }

  /** Bytes that have arrived. */
  get seen(): number {
    return this.#seen;
  }

  /** Bytes that were sent here and not yet taken by the system. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  /** Whether nothing more can arrive. */
  get over(): boolean {
    return this.fin || this.failure !== null;
  }

  #over(clean: boolean): void {
    if (clean) this.fin = true;
    this.reader.end(clean && this.failure === null);
    this.#notify();
  }

  #notify(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** Sends bytes; the promise settles once the system has taken them. */
  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve) =>
      this.#socket.write(typeof data === "string" ? latin1(data) : data, () => resolve())
    );
  }

  /** Sends a request and expects a response to it. */
  request(method: string, target: string, init: RequestInit = {}): Promise<void> {
    this.reader.expect(method);
    return this.send(requestBytes(method, target, init));
  }

  /** Sends FIN. */
  finish(): void {
    this.#socket.end();
  }

  /** Sends RST. */
  reset(): void {
    this.#raw.resetAndDestroy();
  }

  /** Stops reading. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#socket.resume();
  }

  /** Reads slowly: pauses after each block until the next timer. */
  readSlowly(): void {
    this.#socket.on("data", () => {
      this.#socket.pause();
      setTimeout(() => this.#socket.resume(), 1);
    });
  }

  /** Frees the socket. */
  dispose(): void {
    this.#socket.destroy();
  }

  #summary(): string {
    const heads = this.reader.finals.map((r) =>
      `${r.status} ${r.framing} ${r.received} bytes${r.complete ? "" : ", incomplete"}`
    );
    return `${this.#seen} bytes seen; interim [${this.reader.interims.map((r) => r.status)}]; final [${
      heads.join("; ")
    }]` +
      `${this.fin ? "; FIN" : ""}${this.failure === null ? "" : `; ${this.failure.message}`}`;
  }

  /** Waits until the predicate holds. Throws at the deadline, and at a malformed response unless that is allowed. */
  until(what: string, predicate: () => boolean, deadline: number = DEADLINE): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null): void => {
        clearTimeout(timer);
        this.#waiters.delete(attempt);
        if (error === null) resolve();
        else reject(error);
      };
      const attempt = (): void => {
        if (this.reader.error !== null) {
          settle(new Error(`Malformed response: ${this.reader.error} (${this.#summary()})`));
        } else if (predicate()) settle(null);
      };
      const timer = setTimeout(
        () => settle(new Error(`Waited ${deadline} ms for ${what}: ${this.#summary()}`)),
        deadline,
      );
      this.#waiters.add(attempt);
      attempt();
    });
  }

  /** Waits for the head of the next response. Its body may still be incomplete. */
  async head(): Promise<WireResponse> {
    await this.until("a response head", () => this.reader.finals.length > this.#given || this.over);
    const response = this.reader.finals[this.#given];
    if (response === undefined) throw new Error(`Closed without a response: ${this.#summary()}`);
    return response;
  }

  /** Waits for the next complete response. */
  async response(deadline: number = DEADLINE): Promise<WireResponse> {
    await this.until(
      "a complete response",
      () => this.reader.finals[this.#given]?.complete === true || this.over,
      deadline,
    );
    const response = this.reader.finals[this.#given];
    if (response === undefined) throw new Error(`Closed without a response: ${this.#summary()}`);
    if (!response.complete) {
      throw new Error(`Truncated response: ${this.#summary()} ${JSON.stringify(textOf(response).slice(0, 200))}`);
    }
    this.#given++;
    return response;
  }

  /** Waits until the body of the next response has begun with these bytes. */
  async begun(text: string): Promise<WireResponse> {
    const begins = (): boolean => {
      const response = this.reader.finals[this.#given];
      return response !== undefined && bytesOf(response).toString("latin1").startsWith(text);
    };
    await this.until(`a body that begins with ${JSON.stringify(text)}`, () => begins() || this.over);
    if (!begins()) throw new Error(`Closed before ${JSON.stringify(text)}: ${this.#summary()}`);
    return this.reader.finals[this.#given]!;
  }

  /** Waits for the next response, which has to be cut off: the connection ends before it is complete. */
  async truncated(): Promise<WireResponse> {
    await this.until("the end of the connection", () => this.over);
    const response = this.reader.finals[this.#given];
    if (response === undefined) throw new Error(`No head before the end: ${this.#summary()}`);
    if (response.complete) throw new Error(`The response looks complete: ${this.#summary()}`);
    this.#given++;
    return response;
  }

  /** Waits for the server to close. */
  async closed(): Promise<void> {
    await this.until("the server to close", () => this.over);
  }

  /** Waits for bytes of a tunnel, after a 101. */
  async tunnelled(text: string): Promise<void> {
    await this.until(`${JSON.stringify(text)} through the tunnel`, () => this.tunnel() === text || this.over);
    if (this.tunnel() !== text) {
      throw new Error(`Tunnel gave ${JSON.stringify(this.tunnel())}, expected ${JSON.stringify(text)}`);
    }
  }

  /** What arrived behind a 101. */
  tunnel(): string {
    return Buffer.concat(this.reader.tunnel).toString("latin1");
  }

  /** Proves that the connection still serves: one more request and its answer. */
  async persists(): Promise<void> {
    await this.request("GET", "/ok");
    const response = await this.response();
    if (response.status !== 200 || textOf(response) !== "ok") throw new Error(`Follow-up answered ${response.status}`);
  }
}
