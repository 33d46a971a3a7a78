/**
 * The workloads, as data: the requests of clients, and the expected responses.
 *
 * The check and the load use the same description, so wrk sends exactly the bytes whose answers were checked
 * (`luaScript`). In a request, `{n}` is a number that is new each time, and `{host}` is the server's address. Load
 * generators usually repeat identical bytes, and real clients do not. So `trace` and `rotate` count most.
 *
 * @module
 */

/** What the server does. A server is started for one job, so that it need not look at the URL. */
export type Job = "hello" | "echo" | "k64" | "stream";

/** A workload. */
export interface Workload {
  readonly name: string;
  readonly job: Job;
  readonly what: string;
  /** Number of concurrent connections. */
  readonly connections: number;
  /** The requests, sent in turn. */
  readonly requests: readonly string[];
  /** Number of responses to each of `requests`. */
  readonly answers: number;
}

/** The body of the hello job. */
export const HELLO = "Hello, world!\n";
/** The body of the k64 job, and one block of the stream job: `"x"` so many times. */
export const K64: number = 64 * 1024;
export const BLOCK: number = 16 * 1024;
export const BLOCKS = 64;
const POSTED = "0123456789abcdef".repeat(64);

/** The expected response. */
export interface Expected {
  readonly type: string;
  readonly length: number | null;
  readonly body: string;
}

/** Returns the expected response of a job. A streamed body has no stated length. */
export function expected(job: Job): Expected {
  switch (job) {
    case "hello":
      return { type: "text/plain", length: HELLO.length, body: HELLO };
    case "echo":
      return { type: "application/octet-stream", length: POSTED.length, body: POSTED };
    case "k64":
      return { type: "application/octet-stream", length: K64, body: "x".repeat(K64) };
    case "stream":
      return { type: "application/octet-stream", length: null, body: "x".repeat(BLOCK * BLOCKS) };
  }
}

function request(line: string, fields: readonly string[], body: string = ""): string {
  return [`${line} HTTP/1.1`, "Host: {host}", ...fields, "", body].join("\r\n");
}

const CHROME = [
  "Connection: keep-alive",
  'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"',
  "sec-ch-ua-mobile: ?0",
  "Upgrade-Insecure-Requests: 1",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
  "Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark",
];
const FIREFOX = [
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language: fr,fr-FR;q=0.8,en;q=0.5",
  "Accept-Encoding: gzip, deflate, br",
  "Connection: keep-alive",
  "Cookie: session=c4ca4238a0b923820dcc509a6f75849b",
  "Priority: u=0, i",
];
const PROGRAM = [
  "Accept: application/json",
  "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.cKz1Zb1xX6Jm5S4o2yC9x0n7mF5w",
  "User-Agent: python-requests/2.32.3",
  "X-Tenant: blue",
];
const TRACED = [...CHROME, "X-Request-Id: 7d444840-9dc0-11d1-b245-{n}"];

const tiny = request("GET /", []);
const close = request("GET /", ["Connection: close"]);

/** All workloads except `idle`, which sends nothing. */
export const workloads: readonly Workload[] = [
  one("trace", "hello", "GET, 11 header fields; the URL and X-Request-Id are new each time", [
    request("GET /items/{n}?page=2", TRACED),
  ]),
  one("rotate", "hello", "GET, the headers of three clients in turn", [
    request("GET /", CHROME),
    request("GET /", FIREFOX),
    request("GET /", PROGRAM),
  ]),
  one("tiny", "hello", "GET, only Host", [tiny]),
  one("browser", "hello", "GET, 10 header fields, always the same", [request("GET /", CHROME)]),
  { ...one("pipe16", "hello", "GET, only Host, 16 at once", [tiny.repeat(16)]), answers: 16 },
  one("post1k", "echo", "POST of 1 KiB, read and sent back", [
    request("POST /", ["Content-Type: application/octet-stream", `Content-Length: ${POSTED.length}`], POSTED),
  ]),
  one("k64", "k64", "GET, a body of 64 KiB", [tiny]),
  {
    ...one("stream", "stream", "GET, 64 blocks of 16 KiB from an async generator, chunked", [tiny]),
    connections: 16,
  },
  one("close", "hello", "GET, a connection for each request", [close]),
];

function one(name: string, job: Job, what: string, requests: readonly string[]): Workload {
  return { name, job, what, connections: 64, requests, answers: 1 };
}

/** The name of the workload that sends nothing. */
export const IDLE = "idle";

/** Fills in a request; returns its bytes as latin-1 text. */
export function filled(text: string, host: string, n: number): string {
  return text.replaceAll("{host}", host).replaceAll("{n}", String(n));
}

/** Makes the script with which wrk sends a workload. */
export function luaScript(workload: Workload, host: string): string {
  const expressions = workload.requests.map((text) =>
    text.replaceAll("{host}", host).split("{n}").map((part) => JSON.stringify(part)).join(" .. n .. ")
  );
  const fresh = workload.requests.some((text) => text.includes("{n}"));
  if (fresh) {
    if (expressions.length !== 1) {
      throw new Error(`${workload.name}: only a workload of one request can be new each time`);
    }
    return `local n = 100000000000\nfunction request()\n  n = n + 1\n  return ${expressions[0]}\nend\n`;
  }
  const count = expressions.length;
  return `local requests = { ${expressions.join(",\n")} }\nlocal n = 0\nfunction request()
  n = n % ${count} + 1\n  return requests[n]\nend\n`;
}
