/**
 * A strict HTTP/1.1 response reader: bytes in, responses out, no sockets.
 *
 * It is incremental, so that a test can look at a head or at the first block before the rest has arrived. It is stricter
 * than a browser. These are errors: two framings, a repeated Content-Length, a 204 with a length, a chunk that does not
 * end at its length, and bytes after the last response or after `Connection: close`. The test calls `expect(method)` for
 * each request in order, because the reader cannot know which request a response answers.
 *
 * @module
 */

/** How a response body is delimited on the wire. */
export type Framing = "none" | "length" | "chunked" | "close";

/** One response, growing while its body arrives. */
export interface WireResponse {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** The head as it was sent, one code unit a byte, without the empty line. */
  readonly raw: string;
  /** Field lines in order, names as they were sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly framing: Framing;
  /** Sizes of the chunks, without the last one; empty when not chunked. */
  readonly chunks: number[];
  readonly pieces: Uint8Array[];
  received: number;
  /** True once the body has ended as its framing says. */
  complete: boolean;
}

const STATUS = /^HTTP\/1\.([01]) ([0-9]{3})(?: ([\t \x21-\x7e\x80-\xff]*))?$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
const CHUNK = /^[0-9A-Fa-f]{1,8}(?:;.*)?$/;

/** All values of a header field, in order. */
export function fields(response: WireResponse, name: string): string[] {
  return response.headers.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, v]) => v);
}

/** The one value of a header field; undefined when absent, an error when repeated. */
export function field(response: WireResponse, name: string): string | undefined {
  const all = fields(response, name);
  if (all.length > 1) throw new Error(`${name} is repeated: ${JSON.stringify(all)}`);
  return all[0];
}

/** The body so far. */
export function bytesOf(response: WireResponse): Buffer {
  return Buffer.concat(response.pieces);
}

/** The body so far as UTF-8. */
export function textOf(response: WireResponse): string {
  return bytesOf(response).toString("utf8");
}

type State = "head" | "length" | "chunk-size" | "chunk-data" | "chunk-end" | "trailer" | "close" | "tunnel";

/** Reads the responses of one connection. */
export class ResponseReader {
  /** Interim responses, 1xx but 101, in order. */
  readonly interims: WireResponse[] = [];
  /** Final responses in order; the last one may be incomplete. */
  readonly finals: WireResponse[] = [];
  /** What arrived after a 101. */
  readonly tunnel: Uint8Array[] = [];
  /** The first violation of the grammar, after which nothing more is read. */
  error: string | null = null;
  #methods: string[] = [];
  #state: State = "head";
  #rest: Buffer = Buffer.alloc(0);
  #left = 0;
  #last = false;

  /** Notes that a request with this method was sent. */
  expect(method: string): void {
    this.#methods.push(method);
  }

  /** Takes bytes. */
  push(bytes: Buffer): void {
    if (this.error !== null) return;
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    try {
      while (this.#rest.length > 0 && this.#step());
    } catch (error) {
      this.error = error instanceof Error ? error.message : String(error);
    }
  }

  /** Takes the end of input; a reset is never a clean end. */
  end(clean: boolean): void {
    const current = this.finals.at(-1);
    if (clean && this.#state === "close" && current !== undefined) current.complete = true;
    else if (this.#state === "head" && this.#rest.length > 0) this.error ??= `Truncated head ${this.#show()}`;
  }

  #show(): string {
    return JSON.stringify(this.#rest.toString("latin1", 0, 80));
  }

  #line(): string | null {
    const end = this.#rest.indexOf("\r\n");
    if (end < 0) {
      if (this.#rest.length > 65536) throw new Error(`Endless line ${this.#show()}`);
      return null;
    }
    const line = this.#rest.toString("latin1", 0, end);
    this.#rest = this.#rest.subarray(end + 2);
    return line;
  }

  #take(current: WireResponse, most: number): number {
    const n = Math.min(most, this.#rest.length);
    current.pieces.push(this.#rest.subarray(0, n));
    current.received += n;
    this.#rest = this.#rest.subarray(n);
    return n;
  }

  #step(): boolean {
    if (this.#state === "head") return this.#head();
    if (this.#state === "tunnel") {
      this.tunnel.push(this.#rest);
      this.#rest = Buffer.alloc(0);
      return false;
    }
    const current = this.finals.at(-1)!;
    switch (this.#state) {
      case "close":
        this.#take(current, Infinity);
        return false;
      case "length":
        this.#left -= this.#take(current, this.#left);
        if (this.#left === 0) this.#done(current);
        return true;
      case "chunk-size": {
        const line = this.#line();
        if (line === null) return false;
        if (!CHUNK.test(line)) throw new Error(`Bad chunk size ${JSON.stringify(line.slice(0, 40))}`);
        this.#left = parseInt(line, 16);
        if (this.#left > 0) current.chunks.push(this.#left);
        this.#state = this.#left === 0 ? "trailer" : "chunk-data";
        return true;
      }
      case "chunk-data":
        this.#left -= this.#take(current, this.#left);
        if (this.#left === 0) this.#state = "chunk-end";
        return true;
      case "chunk-end":
        if (this.#rest.length < 2) return false;
        if (this.#rest[0] !== 13 || this.#rest[1] !== 10) throw new Error(`Chunk not terminated ${this.#show()}`);
        this.#rest = this.#rest.subarray(2);
        this.#state = "chunk-size";
        return true;
      case "trailer": {
        const line = this.#line();
        if (line === "") this.#done(current);
        return line !== null;
      }
    }
  }

  #done(current: WireResponse): void {
    current.complete = true;
    this.#state = "head";
  }

  #head(): boolean {
    if (this.#last) throw new Error(`Bytes after Connection: close: ${this.#show()}`);
    if (this.#methods.length === 0) throw new Error(`Surplus bytes ${this.#show()}`);
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end < 0) {
      if (this.#rest.length > 200_000) throw new Error("Endless head");
      return false;
    }
    const raw = this.#rest.toString("latin1", 0, end);
    this.#rest = this.#rest.subarray(end + 4);
    const response = parseHead(raw, this.#methods[0]!);
    if (response.status < 200 && response.status !== 101) {
      this.interims.push(response);
      return true;
    }
    this.#methods.shift();
    this.finals.push(response);
    if (fields(response, "connection").join(",").toLowerCase().split(/[ \t]*,[ \t]*/).includes("close")) {
      this.#last = true;
    }
    if (response.status === 101) this.#state = "tunnel";
    else if (response.framing === "chunked") this.#state = "chunk-size";
    else if (response.framing === "close") this.#state = "close";
    else if (response.framing === "length") {
      this.#left = Number(field(response, "content-length"));
      this.#state = "length";
      if (this.#left === 0) this.#done(response);
    }
    return true;
  }
}

function parseHead(raw: string, method: string): WireResponse {
  const lines = raw.split("\r\n");
  const match = STATUS.exec(lines[0]!);
  if (match === null) throw new Error(`Bad status line ${JSON.stringify(lines[0]!.slice(0, 80))}`);
  const status = Number(match[2]);
  const headers: [string, string][] = [];
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    if (!TOKEN.test(name) || CONTROL.test(value)) {
      throw new Error(`Bad header line ${JSON.stringify(line.slice(0, 80))}`);
    }
    headers.push([name, value]);
  }
  const all = (name: string): string[] => headers.filter(([n]) => n.toLowerCase() === name).map(([, v]) => v);
  const te = all("transfer-encoding");
  const cl = all("content-length");
  if (te.length > 0 && cl.length > 0) throw new Error("Both Transfer-Encoding and Content-Length");
  if (cl.length > 1 || (cl.length === 1 && !/^[0-9]+$/.test(cl[0]!))) {
    throw new Error(`Bad Content-Length ${JSON.stringify(cl)}`);
  }
  if (te.length > 0 && te.join(",").toLowerCase() !== "chunked") {
    throw new Error(`Bad Transfer-Encoding ${JSON.stringify(te)}`);
  }
  if ((status < 200 || status === 204) && te.length + cl.length > 0) throw new Error(`${status} with framing fields`);
  const bodyless = status < 200 || status === 204 || status === 304 || method === "HEAD";
  const framing: Framing = bodyless ? "none" : te.length > 0 ? "chunked" : cl.length > 0 ? "length" : "close";
  return {
    version: `HTTP/1.${match[1]}`,
    status,
    reason: match[3] ?? "",
    raw,
    headers,
    framing,
    chunks: [],
    pieces: [],
    received: 0,
    complete: bodyless,
  };
}
