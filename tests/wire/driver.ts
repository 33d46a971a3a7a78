/**
 * The wire cases: what one raw byte stream must make a server do. A port of the shared probe.py, same verdicts.
 *
 * A case is one line of JSON: the bytes to send (`raw`, latin-1), and what is to be expected. Each goes over a fresh
 * connection to a server that runs the echo application, which answers every request 200 with a JSON object
 * {method, path_info, query_string, headers, body}. There are four kinds of expectation:
 *
 * - `ok`: every request of `requests` is answered, in order, and nothing more;
 * - `reject`: the valid ones of `requests` are answered, then one status of `status` refuses the next;
 * - `either`: as `ok` or as `reject`, both conform;
 * - `wait`: the request is incomplete, so no answer and no close comes.
 *
 * Every wait is for a condition with a deadline. The only sleep is `delay`, between the `chunks` of a case.
 *
 * So that large cases stay small in the file, a string may be written `{"repeat": [unit, count]}` or
 * `{"join": [string, ...]}`, anywhere; and `pad` inserts a repeated unit into `raw` before it is sent.
 */

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, type Target } from "./client.ts";
import { fieldValues, parseAll, quote, type Response, type Responses } from "./response.ts";

export type { Target } from "./client.ts";

/** A request as the application must see it. Only the members that are given are compared. */
export interface WantedRequest {
  readonly method?: string;
  readonly path_info?: string;
  readonly query_string?: string;
  readonly body?: string;
  /** By lower-case name; null: must be absent. */
  readonly headers?: Readonly<Record<string, string | null>>;
}

/** What a case expects. */
export interface Expectation {
  readonly kind: "ok" | "reject" | "either" | "wait";
  /** Acceptable statuses of the deciding response; 0: closed without one; -1: none yet, still open. */
  readonly status: readonly number[];
  /** true: must close afterwards; false: must stay usable; null: any. */
  readonly close: boolean | null;
  readonly requests?: readonly WantedRequest[];
  /** Fewest of `requests` that must be answered. */
  readonly min?: number;
  /** Compare header values with runs of white space and list OWS folded. */
  readonly norm?: boolean;
  /** The 1xx statuses that must come, and no other. */
  readonly interim?: readonly number[];
  /** No response may use Transfer-Encoding. */
  readonly no_te?: boolean;
  /** The last final response must list this token in this field; "": the field must be there. */
  readonly resp_headers?: Readonly<Record<string, string>>;
  /** `resp_headers` do not matter if the server closed. */
  readonly unless_closed?: boolean;
}

/** One case, as a line of a corpus file. */
export interface WireCase {
  readonly id: string;
  readonly raw: string;
  /** The same bytes in pieces; sent in place of `raw`. */
  readonly chunks?: readonly string[];
  /** Seconds between two chunks. */
  readonly delay?: number;
  /** Half-close after sending. */
  readonly eof?: boolean;
  readonly pad?: { readonly at: number; readonly unit: string; readonly count: number };
  readonly expect: Expectation;
  readonly why: string;
}

/** The verdict on one case; `reason` null: passed. */
export interface Verdict {
  readonly case: WireCase;
  readonly reason: string | null;
}

/** Reads corpus files, one case a line. An id that comes twice is an error. */
export async function loadCases(files: readonly (string | URL)[]): Promise<WireCase[]> {
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8")));
  const cases = texts
    .flatMap((text) => text.split("\n"))
    .filter((line) => line.trim() !== "")
    .map((line) => expand(JSON.parse(line)) as WireCase);
  const seen = new Set<string>();
  for (const { id } of cases) {
    if (seen.has(id)) throw new Error(`Two wire cases are called ${id}`);
    seen.add(id);
  }
  return cases;
}

/** Runs one case. Null: passed; else why not. */
export async function runCase(wire: WireCase, target: Target): Promise<string | null> {
  let client: Client;
  try {
    client = await Client.open(target);
  } catch (error) {
    return `cannot connect: ${(error as Error).message}`;
  }
  try {
    await send(wire, client);
    return wire.expect.kind === "wait" ? await judgeWait(client, target) : await judge(wire, client, target);
  } finally {
    client.close();
  }
}

/** Runs all cases, at most `jobs` at a time; `report` hears of each verdict as it comes. Verdicts are in order. */
export async function runAll(
  cases: readonly WireCase[],
  target: Target,
  jobs = 8,
  report?: (verdict: Verdict) => void,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const queue = cases.entries(); // shared: each worker takes the next
  const worker = async (): Promise<void> => {
    for (const [index, wire] of queue) {
      const verdict = { case: wire, reason: await runCase(wire, target) };
      verdicts[index] = verdict;
      report?.(verdict);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return verdicts;
}

function expand(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expand);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [only] = entries;
  if (entries.length === 1 && only !== undefined && Array.isArray(only[1])) {
    const [key, parts] = only;
    if (key === "repeat") return String(parts[0]).repeat(Number(parts[1]));
    if (key === "join") return parts.map(expand).join("");
  }
  return Object.fromEntries(entries.map(([key, member]) => [key, expand(member)]));
}

async function send(wire: WireCase, client: Client): Promise<void> {
  const { pad } = wire;
  const raw = pad ? wire.raw.slice(0, pad.at) + pad.unit.repeat(pad.count) + wire.raw.slice(pad.at) : wire.raw;
  const chunks = wire.chunks?.length ? wire.chunks : [raw];
  const delay = wire.delay || (chunks.length <= 12 ? 0.03 : 0.002);
  for (const [index, chunk] of chunks.entries()) {
    if (index > 0) await sleep(delay * 1000);
    if (chunk !== "" && !(await client.send(chunk))) break;
  }
  if (wire.eof) client.finish();
}

async function judgeWait(client: Client, target: Target): Promise<string | null> {
  await client.until(() => client.received !== "" || client.ended, Math.min(target.timeout, 0.7));
  if (client.received !== "") return `answered an incomplete request: ${quote(client.received)}`;
  return client.ended ? "closed while the request was incomplete" : null;
}

async function judge(wire: WireCase, client: Client, target: Target): Promise<string | null> {
  const { expect } = wire;
  const requests = expect.requests ?? [];
  const methods = requests.map((request) => request.method ?? "GET");
  if (expect.kind === "reject" || methods.length === 0) { // the method of the request that is refused
    const first = wire.raw.replace(/^[\r\n]+/, "").split(" ", 1)[0];
    methods.push(first === "HEAD" && methods.length === 0 ? "HEAD" : "GET");
  }
  const state = (): Responses => parseAll(client.received, client.ended, methods);
  const wanted = expect.kind === "reject" ? requests.length + 1 : Math.max(requests.length, 1);

  await client.until(() => {
    const { finals, error } = state();
    if (client.ended || error !== null || finals.length >= wanted) return true;
    return expect.kind !== "ok" && (finals.at(-1)?.status ?? 0) >= 400;
  }, target.timeout);
  // Linger for the close, or for a response too many.
  if (expect.close === true) await client.until(() => client.ended, target.timeout);
  else if (expect.close === null) await client.until(() => client.ended || state().finals.length > wanted, 0.15);

  const { finals, interims, error, rest } = state();
  if (error !== null) return `malformed response: ${error}`;
  if (rest !== "" && client.ended) return `trailing bytes ${quote(rest)}`;

  const reason = decide(expect, requests, wanted, finals, client.ended);
  if (reason !== null) return reason;
  if (expect.interim !== undefined) {
    const codes = interims.map(({ status }) => status);
    if (codes.join() !== expect.interim.join()) return `interim [${codes.join()}], want [${expect.interim.join()}]`;
  }
  const lacking = checkResponseHeaders(expect, finals.at(-1), client.ended);
  if (lacking !== null) return lacking;
  if (expect.close === true && !client.ended) return "connection not closed";
  return expect.close === false ? await checkAlive(client, methods.slice(0, finals.length), target) : null;
}

function decide(
  expect: Expectation,
  requests: readonly WantedRequest[],
  wanted: number,
  finals: readonly Response[],
  ended: boolean,
): string | null {
  if (expect.kind === "ok") return checkOk(expect, requests, wanted, finals, ended);
  const asReject = checkReject(expect, requests, finals, ended);
  if (expect.kind === "reject" || asReject === null) return asReject;
  const asOk = checkOk(expect, requests, wanted, finals, ended);
  return asOk && `as ok: ${asOk}; as reject: ${asReject}`;
}

function checkOk(
  expect: Expectation,
  requests: readonly WantedRequest[],
  wanted: number,
  finals: readonly Response[],
  ended: boolean,
): string | null {
  if (finals.length === 0) return ended ? "no response (closed)" : "no response (timeout)";
  const allowed = expect.kind === "ok" ? expect.status : [200];
  for (const [index, response] of finals.slice(0, wanted).entries()) {
    if (!allowed.includes(response.status)) return `response ${index + 1}: status ${response.status}`;
    const request = requests[index];
    if (request !== undefined && response.status === 200) {
      const difference = compare(request, response, expect.norm);
      if (difference !== null) return `response ${index + 1}: ${difference}`;
    }
    if (expect.no_te && fieldValues(response, "transfer-encoding").length > 0) return "chunked response to HTTP/1.0";
  }
  const least = expect.min ?? wanted;
  if (finals.length < least) return `${finals.length} responses, want ${least}`;
  const surplus = finals[wanted];
  return surplus === undefined
    ? null
    : `surplus response ${wanted + 1} (smuggled?): ${surplus.status} ${quote(surplus.body)}`;
}

function checkReject(
  expect: Expectation,
  requests: readonly WantedRequest[],
  finals: readonly Response[],
  ended: boolean,
): string | null {
  let valid = 0; // responses to the valid requests before the refused one
  if (expect.kind === "reject") {
    if (finals.length < requests.length) {
      return `${finals.length} responses, want ${requests.length} before the rejection`;
    }
    for (const request of requests) {
      const response = finals[valid++] as Response;
      if (response.status !== 200) return `valid request ${valid} answered ${response.status}`;
      const difference = compare(request, response, expect.norm);
      if (difference !== null) return `response ${valid}: ${difference}`;
    }
  } else { // of several requests, a server may refuse a later one
    const served = (request: WantedRequest | undefined, response: Response | undefined): boolean =>
      request !== undefined && response?.status === 200 && compare(request, response, expect.norm) === null;
    while (served(requests[valid], finals[valid])) valid++;
  }
  const [refusal, surplus] = finals.slice(valid);
  if (refusal === undefined) {
    if (expect.status.includes(ended ? 0 : -1)) return null;
    return ended ? "closed without a response" : "no (further) response, still open";
  }
  if (!expect.status.includes(refusal.status)) {
    const accepted = refusal.status === 200 ? ` (accepted: ${quote(refusal.body, 120)})` : "";
    return `status ${refusal.status}, want ${expect.status.join(" or ")}${accepted}`;
  }
  return surplus === undefined ? null : `surplus response after rejection: ${surplus.status} ${quote(surplus.body)}`;
}

/** How what the application saw, as the echo says, differs from `want`. */
function compare(want: WantedRequest, response: Response, fold = false): string | null {
  if (want.method === "HEAD") return null;
  let got: WantedRequest;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(response.body, "latin1"));
    got = Object(JSON.parse(text));
  } catch {
    return `response body is not the echo JSON: ${quote(response.body)}`;
  }
  for (const key of ["method", "path_info", "query_string", "body"] as const) {
    if (want[key] !== undefined && got[key] !== want[key]) {
      return `${key}: want ${quote(want[key])} got ${quote(String(got[key]))}`;
    }
  }
  for (const [name, value] of Object.entries(want.headers ?? {})) {
    const seen = got.headers?.[name] ?? null;
    if (value === null) {
      if (seen !== null) return `header ${name} must be absent, got ${quote(seen)}`;
    } else if (seen === null) {
      return `header ${name} missing, want ${quote(value)}`;
    } else if (seen !== value && !(fold && folded(seen) === folded(value))) {
      return `header ${name}: want ${quote(value)} got ${quote(seen)}`;
    }
  }
  return null;
}

function folded(value: string): string {
  return value.replace(/[ \t]+/g, " ").replace(/ ?, ?/g, ",").replace(/^ | $/g, "");
}

function checkResponseHeaders(expect: Expectation, last: Response | undefined, ended: boolean): string | null {
  if (expect.unless_closed && ended) return null;
  for (const [name, token] of Object.entries(expect.resp_headers ?? {})) {
    const values = last === undefined ? [] : fieldValues(last, name);
    if (values.length === 0) return `response lacks ${name}`;
    const listed = values.flatMap((value) => value.split(",")).map((part) => part.trim().toLowerCase());
    if (token !== "" && !listed.includes(token)) return `response ${name}: ${quote(values.join())} lacks ${token}`;
  }
  return null;
}

/** The connection must still answer a request, after the responses to `methods`. */
async function checkAlive(client: Client, methods: readonly string[], target: Target): Promise<string | null> {
  const followUp = (): Response | undefined =>
    parseAll(client.received, client.ended, [...methods, "GET"]).finals[methods.length];
  if (client.ended || !(await client.send("GET /__alive HTTP/1.1\r\nHost: probe\r\n\r\n"))) {
    return "connection closed, should persist";
  }
  await client.until(() => client.ended || followUp() !== undefined, target.timeout);
  const response = followUp();
  if (response === undefined) return "connection did not answer a follow-up request";
  return response.status === 200 ? null : `follow-up answered ${response.status}`;
}
