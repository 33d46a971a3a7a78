/**
 * What nginx and Apache really send (tests/captures), cut in every way: the requests are always the same.
 * `TSGI_EXHAUSTIVE=1` also cuts at each byte of the long uploads.
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { projectPath } from "../server_process.ts";
import { drive, exhaustive, template } from "./driver.ts";
import { naive, recordOffsets, type Verdict } from "./naive.ts";

/** A request as it must reach the application. */
interface Expected {
  readonly method: string;
  readonly path: string;
  readonly script?: string;
  readonly query?: string;
  /** CONTENT_LENGTH; absent when there is none. */
  readonly length?: string;
  readonly body?: { readonly text: string } | { readonly sha256: string } | { readonly error: string };
  /** Further variables; null for one that must be absent. */
  readonly more?: Readonly<Record<string, string | null>>;
}

interface Capture {
  readonly name: string;
  readonly requests: readonly Expected[];
  readonly ending: Verdict["ending"];
}

const FORM = { text: "name=J%C3%B6rg&x=1" } as const;
const LARGE = { sha256: "745c419233da009081dee85b00d05d5191d7cc9b5edeff8a6885d7c0f3c6fbbd" } as const;
const CLIENT = {
  HTTP_HOST: "example.test",
  HTTP_USER_AGENT: "tsgi-fixture/1",
  HTTP_ACCEPT: "*/*",
  HTTP_COOKIE: "a=1; b=2",
} as const;
const VIA_NGINX = { ...CLIENT, HTTP_X_CUSTOM_HEADER: "v1,v2", SERVER_SOFTWARE: "nginx/1.22.1" } as const;
const VIA_APACHE = { ...CLIENT, HTTP_X_CUSTOM_HEADER: "v1, v2", SERVER_SOFTWARE: "Apache/2.4.71 (Debian)" } as const;
const FORM_TYPE = "application/x-www-form-urlencoded";

function keepAlive(number: number, query: string): Expected {
  const path = `/fcgi-keep/${number}`;
  return {
    method: "POST",
    path,
    query,
    length: "5",
    body: { text: "hello" },
    more: { REQUEST_URI: query === "" ? path : `${path}?${query}`, CONTENT_TYPE: FORM_TYPE, HTTP_CONTENT_LENGTH: null },
  };
}

const captures: readonly Capture[] = [
  {
    name: "apache-fcgi-chunked",
    requests: [{
      method: "POST",
      path: "/fcgi/chunked",
      length: "18",
      body: FORM,
      more: { ...VIA_APACHE, CONTENT_TYPE: "text/plain", SCRIPT_FILENAME: "/chunked", REMOTE_PORT: "52844" },
    }],
    ending: "end",
  },
  {
    name: "apache-fcgi-get",
    requests: [{
      method: "GET",
      path: "/fcgi/hello w\u00c3\u00b6rld/\u00ff/a%2Fb",
      query: "q=1&r=a%20b",
      body: { text: "" },
      more: {
        ...VIA_APACHE,
        REQUEST_URI: "/fcgi/hello%20w%C3%B6rld/%FF/a%2Fb?q=1&r=a%20b",
        SCRIPT_FILENAME: "/hello%20w%C3%B6rld/%FF/a%2Fb",
        REMOTE_ADDR: "127.0.0.1",
        CONTENT_TYPE: null,
      },
    }],
    ending: "end",
  },
  {
    name: "apache-fcgi-head",
    requests: [{ method: "HEAD", path: "/fcgi/head", body: { text: "" }, more: { HTTP_USER_AGENT: "curl/7.88.1" } }],
    ending: "end",
  },
  {
    name: "apache-fcgi-post",
    requests: [{
      method: "POST",
      path: "/fcgi/form",
      query: "x=y",
      length: "18",
      body: FORM,
      more: { ...VIA_APACHE, CONTENT_TYPE: FORM_TYPE },
    }],
    ending: "end",
  },
  {
    name: "apache-fcgi-post64k",
    requests: [{
      method: "POST",
      path: "/fcgi/upload",
      length: "66770",
      body: LARGE,
      more: { ...VIA_APACHE, CONTENT_TYPE: "application/octet-stream" },
    }],
    ending: "end",
  },
  {
    name: "apache-fcgi-reuse-2req",
    requests: [
      { method: "GET", path: "/fcgi-reuse/1", body: { text: "" }, more: { REMOTE_PORT: "54476" } },
      { method: "GET", path: "/fcgi-reuse/2", query: "b=2", body: { text: "" } },
    ],
    ending: "open",
  },
  {
    name: "apache-fcgi-slow-cl",
    requests: [{ method: "POST", path: "/fcgi/x", length: "15", body: { text: "part1part2part3" } }],
    ending: "end",
  },
  {
    name: "nginx-fcgi-chunked",
    requests: [{
      method: "POST",
      path: "/fcgi/chunked",
      script: "/fcgi/chunked",
      length: "18",
      body: FORM,
      more: { ...VIA_NGINX, CONTENT_TYPE: "text/plain", HTTP_TRANSFER_ENCODING: null, HTTP_CONTENT_TYPE: null },
    }],
    ending: "end",
  },
  {
    name: "nginx-fcgi-get",
    requests: [{
      method: "GET",
      path: "/fcgi/hello w\u00c3\u00b6rld/\u00ff/a/b",
      script: "/fcgi/hello w\u00c3\u00b6rld/\u00ff/a/b",
      query: "q=1&r=a%20b",
      body: { text: "" },
      more: { ...VIA_NGINX, REQUEST_URI: "/fcgi/hello%20w%C3%B6rld/%FF/a%2Fb?q=1&r=a%20b", CONTENT_TYPE: null },
    }],
    ending: "end",
  },
  {
    name: "nginx-fcgi-head",
    requests: [{ method: "HEAD", path: "/fcgi/head", script: "/fcgi/head", body: { text: "" } }],
    ending: "end",
  },
  {
    name: "nginx-fcgi-keepconn-3req",
    requests: [keepAlive(1, ""), keepAlive(2, "b=2"), keepAlive(3, "")],
    ending: "open",
  },
  {
    name: "nginx-fcgi-post",
    requests: [{
      method: "POST",
      path: "/fcgi/form",
      script: "/fcgi/form",
      query: "x=y",
      length: "18",
      body: FORM,
      more: { ...VIA_NGINX, CONTENT_TYPE: FORM_TYPE },
    }],
    ending: "end",
  },
  {
    name: "nginx-fcgi-post64k",
    requests: [{
      method: "POST",
      path: "/fcgi/upload",
      script: "/fcgi/upload",
      length: "66770",
      body: LARGE,
      more: { ...VIA_NGINX, CONTENT_TYPE: "application/octet-stream" },
    }],
    ending: "end",
  },
  {
    name: "nginx-fcgi-split-get",
    requests: [{
      method: "GET",
      path: "/path/info",
      script: "/fcgi-split/app",
      query: "x=1",
      body: { text: "" },
      more: { REQUEST_URI: "/fcgi-split/app/path/info?x=1" },
    }],
    ending: "end",
  },
  {
    name: "nginx-fcgi-unbuffered-abort",
    requests: [{
      method: "POST",
      path: "/fcgi-unbuf/x",
      length: "15",
      body: { error: "InputClosedError" },
      more: { HTTP_CONTENT_LENGTH: null },
    }],
    ending: "open", // nginx closes it
  },
  {
    name: "nginx-fcgi-unbuffered-chunked",
    requests: [{
      method: "POST",
      path: "/fcgi-unbuf/x",
      body: { text: "part1part2" },
      more: { HTTP_TRANSFER_ENCODING: null },
    }],
    ending: "end",
  },
  {
    name: "nginx-fcgi-unbuffered-slow",
    requests: [{ method: "POST", path: "/fcgi-unbuf/x", length: "15", body: { text: "part1part2part3" } }],
    ending: "end",
  },
];

function bytesOfCapture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(projectPath(`tests/captures/${name}.bin`)));
}

function check(verdict: Verdict, { requests, ending }: Capture): void {
  expect(verdict.ending).toBe(ending);
  expect(verdict.refused).toEqual([]);
  expect(verdict.accepted).toHaveLength(requests.length);
  for (const [index, { method, path, script = "", query = "", length, body, more = {} }] of requests.entries()) {
    const seen = verdict.accepted[index] as Verdict["accepted"][number];
    const environ = Object.fromEntries(JSON.parse(seen.environ) as [string, string][]);
    const wanted: Record<string, string | null> = {
      REQUEST_METHOD: method,
      SCRIPT_NAME: script,
      PATH_INFO: path,
      QUERY_STRING: query,
      SERVER_PROTOCOL: "HTTP/1.1",
      CONTENT_LENGTH: length ?? null,
      GATEWAY_INTERFACE: "CGI/1.1",
      ...more,
    };
    for (const [name, value] of Object.entries(wanted)) expect([name, environ[name] ?? null]).toEqual([name, value]);
    if (body === undefined) continue;
    if ("text" in body) expect(seen.body).toBe(body.text);
    else if ("error" in body) expect(seen.body).toBe(body.error);
    else expect(createHash("sha256").update(seen.body, "latin1").digest("hex")).toBe(body.sha256);
  }
}

describe.each(captures.map((capture) => [capture.name, capture] as const))("%s", (name, capture) => {
  const bytes = bytesOfCapture(name);
  const offsets = recordOffsets(bytes);
  const begins = offsets.filter((at) => bytes[at + 1] === 1);

  it("F01 as the web server sent it", async () => {
    check(await drive(bytes, begins), capture);
  });

  it("F01 as a naive decoder reads it", () => {
    check(naive(bytes, template), capture);
  });

  it("F01 byte by byte", async () => {
    check(await drive(bytes, [...bytes.keys()]), capture);
  });

  it("F01 in two pieces, cut anywhere", async () => {
    const whole = await drive(bytes, begins);
    for (let at = 1; at < bytes.length; at++) {
      // Inside the long records of a long upload one byte is like the other.
      if (!exhaustive && at > 2048 && at % 499 > 0 && offsets.every((offset) => Math.abs(at - offset) > 12)) continue;
      const verdict = await drive(bytes, [...begins, at].sort((a, b) => a - b));
      if (JSON.stringify(verdict) !== JSON.stringify(whole)) expect([at, verdict]).toEqual([at, whole]);
    }
  }, 600_000);
});
