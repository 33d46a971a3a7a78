/**
 * The access log of requests that a wire refuses: one record each, with what is known of the request.
 */

import { describe, expect, it } from "vitest";
import { parseFormat } from "../../cli/access_format.ts";
import { fastcgiConnection } from "../../core/wires/fastcgi/connection.ts";
import type { AccessRecord } from "../../core/gateway/access_log.ts";
import type { Application } from "../../core/contract/types.ts";
import { HeadModels } from "../../core/wires/http1/head_models.ts";
import { scgiConnection } from "../../core/wires/scgi/connection.ts";
import { uwsgiConnection } from "../../core/wires/uwsgi/connection.ts";
import type { Wire } from "../../core/wires/load.ts";
import { begin, params, stdin } from "../fastcgi/harness.ts";
import { scgiRequest } from "../scgi/request.ts";
import { uwsgiRequest } from "../uwsgi/request.ts";
import { hello, noting, type Overrides, remembering, Talk, withLog } from "./harness.ts";

const line = parseFormat('%(h)s "%(r)s" %(s)s %(b)s %({Host}i)s')!;

/** A connection, the lines of its access log, and its records. */
function open(wire: Wire, app: Application = hello, overrides: Overrides = {}): [Talk, string[], AccessRecord[]] {
  const records: AccessRecord[] = [];
  const lines: string[] = [];
  const accessLog = (record: AccessRecord): void => {
    records.push(record);
    lines.push(line(record));
  };
  const logging: Wire = (transport, config) => wire(transport, withLog(config, accessLog));
  return [new Talk(app, overrides, logging), lines, records];
}

const host = "Host: h\r\n";
const C = "192.0.2.1"; // the client of the recording transport

/** What a client sends, and the line of the log. */
const HTTP: readonly (readonly [title: string, sent: string, line: string])[] = [
  ["400 no request line", "nonsense\r\n", `${C} "-" 400 - -`],
  ["400 a bare LF", "GET / HTTP/1.1\n", `${C} "-" 400 - -`],
  ["400 a bad field", `GET /a?b HTTP/1.1\r\n${host}Bad Name: x\r\n`, `${C} "GET /a?b HTTP/1.1" 400 - h`],
  ["400 no Host", "GET /a HTTP/1.1\r\n\r\n", `${C} "GET /a HTTP/1.1" 400 - -`],
  ["413", `POST /a HTTP/1.1\r\n${host}Content-Length: 99\r\n\r\n`, `${C} "POST /a HTTP/1.1" 413 - h`],
  ["414", `GET /${"a".repeat(300)} HTTP/1.1\r\n`, `${C} "-" 414 - -`],
  ["417", `GET /a HTTP/1.1\r\n${host}Expect: wonders\r\n\r\n`, `${C} "GET /a HTTP/1.1" 417 - h`],
  ["431", `GET /a HTTP/1.1\r\n${host}X: ${"a".repeat(300)}\r\n\r\n`, `${C} "GET /a HTTP/1.1" 431 - h`],
  ["501 CONNECT", "CONNECT h:1 HTTP/1.1\r\n", `${C} "CONNECT h:1 HTTP/1.1" 501 - -`],
  [
    "501 a coding",
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n`,
    `${C} "POST / HTTP/1.1" 501 - h`,
  ],
  ["505", "GET /a HTTP/2.0\r\n", `${C} "GET /a HTTP/2.0" 505 - -`],
];
const LIMITS: Overrides = { limitRequestLine: 200, limitRequestFieldSize: 200, limitRequestBody: 10 };

describe("14.23 http", () => {
  it.each(HTTP)("14.23 %s", (_title, sent, expected) => {
    for (const wire of [remembering(), remembering(new HeadModels())]) {
      const [talk, lines, records] = open(wire, hello, LIMITS);
      talk.receive(sent);
      expect([lines, talk.statuses]).toEqual([[expected], [records[0]?.status]]);
      expect(records[0]).toMatchObject({ refused: true, complete: true, bytes: 0, duration: 0, headers: [] });
    }
  });

  it("14.23 the second request of a connection, behind one that was served", () => {
    const [talk, lines, records] = open(remembering(), hello, LIMITS);
    talk.receive(`GET /a HTTP/1.1\r\n${host}\r\nGET /b HTTP/1.1\r\n\r\n`);
    expect(lines).toEqual([`${C} "GET /a HTTP/1.1" 200 5 h`, `${C} "GET /b HTTP/1.1" 400 - -`]);
    expect(records.map(({ refused }) => refused)).toEqual([undefined, true]);
  });

  it("14.23 a head that does not end: 408; a connection that says nothing is no request", () => {
    for (const [sent, expected] of [["GET /a HTTP/1.1\r\n", [`${C} "GET /a HTTP/1.1" 408 - -`]], ["", []]] as const) {
      const [talk, lines] = open(remembering(), hello, { headerTimeout: 1 });
      if (sent !== "") talk.receive(sent);
      talk.connection.tick(0);
      talk.connection.tick(1000);
      expect(lines).toEqual(expected);
    }
  });

  it("14.23 a body that is refused while the application has the request is logged once, as its response", async () => {
    const chunked = `POST /a HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`;
    for (const [body, status] of [["zz\r\n", 400], [`20\r\n${"a".repeat(32)}\r\n`, 413]] as const) {
      const [talk, lines, records] = open(remembering(), noting([]), LIMITS);
      await talk.receive(chunked + body).settled();
      await talk.settled();
      expect([lines, talk.statuses]).toEqual([[`${C} "POST /a HTTP/1.1" ${status} - h`], [status]]);
      expect(records[0]?.refused).toBe(undefined);
    }
  });

  it("14.23 without an access log nothing is made of it", () => {
    expect(new Talk(hello).receive("nonsense\r\n").statuses).toEqual([400]);
  });

  it("14.23 a log that throws changes nothing for the client", () => {
    const accessLog = (): void => {
      throw new Error("disk full");
    };
    const talk = new Talk(
      hello,
      {},
      (transport, config) => remembering()(transport, withLog(config, accessLog)),
    );
    talk.receive("nonsense\r\n");
    expect([talk.statuses, talk.transport.calls]).toEqual([[400], ["end"]]);
    expect(talk.log).toContain("tsgi: accessLog: Error: disk full");
  });
});

describe("14.23 turned away", () => {
  const wires = { http: remembering(), fastcgi: fastcgiConnection, scgi: scgiConnection, uwsgi: uwsgiConnection };
  it.each(Object.entries(wires))("14.23 %s: 403 and 503", (name, wire) => {
    for (const status of ["403 Forbidden", "503 Service Unavailable"]) {
      const [talk, lines] = open(wire);
      talk.connection.turnAway(status);
      expect(lines).toEqual([`${name === "http" ? C : "-"} "-" ${status.slice(0, 3)} - -`]);
    }
  });
});

describe.each([["scgi", scgiConnection, scgiRequest], ["uwsgi", uwsgiConnection, uwsgiRequest]] as const)(
  "14.23 %s",
  (name, wire, request) => {
    const known = {
      REQUEST_METHOD: "POST",
      REQUEST_URI: "/a",
      SERVER_PROTOCOL: "HTTP/1.1",
      REMOTE_ADDR: "198.51.100.7",
    };

    it("14.23 with the variables, once they have come", () => {
      const [long, longLines] = open(wire, hello, LIMITS);
      long.receive(request({ ...known, HTTP_HOST: "h" }, "99"));
      expect(longLines).toEqual([`198.51.100.7 "POST /a HTTP/1.1" 413 - h`]);
      const [odd, oddLines] = open(wire);
      odd.receive(request({ ...known, PATH_INFO: "a" }));
      expect(oddLines).toEqual([`198.51.100.7 "POST /a HTTP/1.1" 400 - -`]);
    });

    it("14.23 and without them", () => {
      const [talk, lines] = open(wire, hello, { headerTimeout: 1 });
      talk.receive(request(known).slice(0, 5));
      talk.connection.tick(0);
      talk.connection.tick(1000);
      expect(lines).toEqual(['- "-" 408 - -']);
      const [bad, badLines] = open(wire);
      bad.receive(name === "scgi" ? "nonsense" : "\x05\x01\0\0");
      expect(badLines).toEqual([`- "-" ${name === "scgi" ? 400 : 501} - -`]);
    });
  },
);

describe("14.23 fastcgi", () => {
  const known = { REQUEST_METHOD: "POST", REQUEST_URI: "/a", HTTP_HOST: "h" };

  it("14.23 with the variables, once they have come, and without them", () => {
    const [talk, lines] = open(fastcgiConnection, hello, { ...LIMITS, headerTimeout: 1 });
    talk.receive(begin(1) + params(1, { ...known, CONTENT_LENGTH: "99" }));
    talk.receive(begin(2) + stdin(2, "early"));
    talk.receive(begin(3));
    talk.connection.tick(0);
    talk.connection.tick(1000);
    expect(lines).toEqual([`198.51.100.7 "POST /a HTTP/1.1" 413 - h`, '- "-" 400 - -', '- "-" 408 - -']);
  });

  it("14.23 a request that is declined without an answer of HTTP", () => {
    const [talk, lines] = open(fastcgiConnection);
    talk.receive(begin(1, true, 2));
    expect(lines).toEqual(['- "-" 501 - -']);
  });
});
