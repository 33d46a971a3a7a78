/**
 * A connection without sockets: bytes in as text, bytes out as text, and what the application saw.
 *
 * The transport records every call and calls nothing back. So each test decides when a drain, a FIN or the end of the
 * socket comes. All text is latin-1.
 */

import { serverTemplate } from "../../core/contract/environ.ts";
import { ErrorStream } from "../../core/contract/error_stream.ts";
import { type AccessLog, responseLog } from "../../core/gateway/access_log.ts";
import { createGateway } from "../../core/gateway/gateway.ts";
import type { Application, Environ, StartResponse } from "../../core/contract/types.ts";
import { readLatin1, writeLatin1 } from "../../core/grammar.ts";
import type { Http1Config } from "../../core/wires/http1/config.ts";
import { Http1Connection } from "../../core/wires/http1/connection.ts";
import { HeadModels } from "../../core/wires/http1/head_models.ts";
import { settings } from "../../core/server/options.ts";
import type { Connection, Transport } from "../../core/seams.ts";
import type { WireConnection } from "../../core/wires/wire.ts";
import type { Wire } from "../../core/wires/load.ts";

const START = 5; // where the memory that is lent begins: a wire must not take it to be 0

/** A transport that records. */
export class RecordingTransport implements Transport {
  readonly peer = { remoteAddress: "192.0.2.1", remotePort: "4711", localAddress: "192.0.2.2", localPort: "80" };
  readonly givesInput: boolean = false;
  /** Everything sent so far. */
  sent = "";
  /** Calls other than those that send, in order. */
  readonly calls: string[] = [];
  /** The result of write and commit. */
  flowing = true;
  buffered = 0;
  next: Connection | undefined;
  readonly memory: Uint8Array = new Uint8Array(1 << 20);

  write(bytes: Uint8Array): boolean {
    this.sent += readLatin1(bytes, 0, bytes.length);
    return this.flowing;
  }
  reserve(min: number): number {
    if (min > this.memory.length - START) throw new Error(`reserve(${min}) is more than a test expects`);
    return START;
  }
  commit(length: number): boolean {
    return this.write(this.memory.subarray(START, START + length));
  }
  pause(): void {
    this.calls.push("pause");
  }
  resume(): void {
    this.calls.push("resume");
  }
  attach(next: Connection): void {
    this.next = next;
    this.calls.push("attach");
  }
  end(): void {
    this.calls.push("end");
  }
  destroy(): void {
    this.calls.push("destroy");
  }
  reset(): void {
    this.calls.push("reset");
  }
}

/** The part of the configuration that a test may set. */
export type Overrides = Partial<Omit<Http1Config, "gateway" | "template">>;

/** HTTP/1.1 with a memory of heads, as a server's connections have it; without `models`, none. */
export function remembering(models?: HeadModels): Wire {
  return (transport, config) => new Http1Connection(transport, config, models);
}

/** The configuration of a connection under test: the defaults of a server. */
export function configOf(app: Application, log: (text: string) => void, forget: () => void = () => {}): Http1Config {
  const defaults = settings({}, { port: undefined, errorLog: () => {} });
  const errors = new ErrorStream(log);
  return {
    ...defaults,
    gateway: createGateway(app, errors, defaults, { turn: (callback) => void setImmediate(callback) }),
    template: serverTemplate({
      serverName: "server.test",
      serverPort: "80",
      scheme: "http",
      multiprocess: false,
      runOnce: false,
      errors,
    }),
    latin1: readLatin1,
    forget,
    adopt: (_old, next) => next,
  };
}

/** The same configuration with an access log. */
export function withLog(config: Http1Config, accessLog: AccessLog): Http1Config {
  return { ...config, gateway: { ...config.gateway, log: responseLog(accessLog, config.gateway.errors) } };
}

/** A connection under test, with its transport, application and log. */
export class Talk {
  readonly transport: RecordingTransport = new RecordingTransport();
  readonly connection: WireConnection;
  /** The text of wsgi.errors. */
  log = "";
  /** How often the connection asked to be forgotten. */
  forgotten = 0;

  constructor(
    app: Application,
    overrides: Overrides = {},
    wire: Wire = remembering(new HeadModels()),
  ) {
    const config = configOf(app, (text) => this.log += text, () => this.forgotten++);
    this.connection = wire(this.transport, { ...config, ...overrides });
  }

  /** Delivers text as one read; the memory is overwritten afterwards, as a host would. */
  receive(text: string): this {
    const bytes = new Uint8Array(text.length);
    writeLatin1(bytes, 0, text);
    this.connection.receive(bytes);
    bytes.fill(0x3f);
    return this;
  }

  /** Lets everything that is ready run. */
  async settled(): Promise<this> {
    await new Promise((resolve) => setImmediate(resolve));
    return this;
  }

  /** What was sent, with the value of Date fixed. */
  get sent(): string {
    return this.transport.sent.replaceAll(/^Date: .*$/gm, "Date: now").replaceAll("\r\n", "\n");
  }

  /** Status codes of what was sent, in order. */
  get statuses(): number[] {
    return [...this.transport.sent.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
  }
}

/** What the echo application below saw of one request. */
export interface Seen {
  readonly line: string;
  readonly fields: Readonly<Record<string, unknown>>;
  body: string;
}

/** An application that reads the whole body, notes the request in `seen`, and answers with the body's length. */
export function noting(seen: Seen[]): Application {
  return async (environ: Environ, startResponse: StartResponse): Promise<string[]> => {
    const fields = Object.fromEntries(Object.entries(environ).filter(([key]) => /^(HTTP_|CONTENT_)/.test(key)));
    const { REQUEST_METHOD, SCRIPT_NAME, PATH_INFO, QUERY_STRING, SERVER_PROTOCOL } = environ;
    const entry: Seen = {
      line: [REQUEST_METHOD, SCRIPT_NAME, PATH_INFO, QUERY_STRING, SERVER_PROTOCOL].join(" "),
      fields,
      body: "",
    };
    seen.push(entry);
    try {
      const body = await environ["wsgi.input"].read();
      entry.body = readLatin1(body, 0, body.length);
    } catch (error) {
      entry.body = `${(error as Error).name}`;
      throw error;
    }
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return [`${entry.body.length}`];
  };
}

/** An application that answers at once and reads nothing. */
export function hello(_environ: Environ, startResponse: StartResponse): string[] {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return ["hello"];
}
