/**
 * The access log: one record of each response, however it ends, and nothing at all where nobody wants it.
 */

import { describe, expect, it } from "vitest";
import { type AccessRecord, responseLog } from "../../core/gateway/access_log.ts";
import { asFunction } from "../../core/contract/application.ts";
import { Background } from "../../core/gateway/gateway.ts";
import { ErrorStream } from "../../core/contract/error_stream.ts";
import { Invocation } from "../../core/gateway/invocation.ts";
import { RequestBody } from "../../core/contract/request_body.ts";
import type { Application } from "../../core/contract/types.ts";
import { call, FakeExchange, settle } from "./fake_exchange.ts";

interface Logged {
  readonly records: AccessRecord[];
  readonly exchange: FakeExchange;
  readonly invocation: Invocation;
  readonly errors: string[];
}

function logged(app: Application, accessLog?: (record: AccessRecord) => void): Logged {
  const records: AccessRecord[] = [];
  const errors: string[] = [];
  const stream = new ErrorStream((text) => errors.push(text));
  const exchange = new FakeExchange();
  const gateway = {
    app: asFunction(app),
    errors: stream,
    limitReadline: 65536,
    writeBufferLimit: 1048576,
    turn: (callback: () => void) => void setTimeout(callback, 0),
    background: new Background(),
    log: responseLog(accessLog ?? ((record) => void records.push(record)), stream),
  };
  const { environ } = call(() => [], {}, { later: true });
  const invocation = new Invocation(gateway, exchange, environ, RequestBody.empty());
  invocation.run();
  return { records, exchange, invocation, errors };
}

const HEADERS = [["X-A", "b"]] as const;

describe("one record of each response", () => {
  it("that is complete: after its end, with what was sent", () => {
    const { records, exchange } = logged((environ, start) => {
      environ.REMOTE_USER = "alice";
      start("201 Created", HEADERS);
      return ["four", "", "more"];
    });
    expect(exchange.calls).toEqual(["head 201 Created length 8", "body four", "body more", "end"]);
    expect(records).toMatchObject([{ status: 201, bytes: 8, complete: true, environ: { REMOTE_USER: "alice" } }]);
    expect(records[0]?.headers).toEqual(HEADERS);
    expect(records[0]?.duration).toBeGreaterThanOrEqual(0);
  });

  it("that failed before its head", () => {
    const { records, exchange } = logged(() => {
      throw new Error("no");
    });
    expect(exchange.calls).toEqual(["refuse 500 Internal Server Error"]);
    expect(records).toMatchObject([{ status: 500, bytes: 0, complete: true, headers: [] }]);
  });

  it("that failed after its head", () => {
    const { records } = logged((_, start) => {
      start("200 OK", []);
      return (function* () {
        yield "abc";
        throw new Error("no");
      })();
    });
    expect(records).toMatchObject([{ status: 200, bytes: 3, complete: false }]);
  });

  it("whose client left: before the head 499, after it what was sent", async () => {
    const before = logged(() => new Promise<string[]>(() => {}));
    before.invocation.departed();
    expect(before.records).toMatchObject([{ status: 499, bytes: 0, complete: false }]);
    const after = logged((_, start) => {
      start("200 OK", []);
      return (async function* () {
        yield "abc";
        await new Promise(() => {});
      })();
    });
    await settle();
    after.invocation.departed();
    after.invocation.departed();
    expect(after.records).toMatchObject([{ status: 200, bytes: 3, complete: false }]);
  });
});

it("a log that throws changes nothing for the client", () => {
  const { exchange, errors } = logged((_, start) => {
    start("200 OK", []);
    return ["a"];
  }, () => {
    throw new Error("disk full");
  });
  expect(exchange.calls).toEqual(["head 200 OK length 1", "body a", "end"]);
  expect(errors.join("")).toMatch(/^tsgi: accessLog: Error: disk full/);
});

it("without it the wire's exchange is used as it is", () => {
  const { invocation, exchange } = call(() => new Promise<string[]>(() => {}));
  expect(invocation.exchange).toBe(exchange);
});
