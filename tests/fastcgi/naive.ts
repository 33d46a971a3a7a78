/**
 * A deliberately simple FastCGI parser, which has all bytes at once and need not be fast: it reads record by record
 * from one buffer, each request finished as soon as its body is. What the connection makes of the same bytes must
 * agree.
 *
 * Only the wire is implemented again here. The meaning of variables comes from core/cgi.
 */

import { cgiRequest } from "../../core/wires/cgi/environ.ts";
import { Variables, VARIABLES_LIMIT } from "../../core/wires/cgi/variables.ts";
import type { Environ } from "../../core/contract/types.ts";
import { Refusal } from "../../core/refusal.ts";

/** How a body ended: its bytes as latin-1, or the name of the error. */
export type BodyOutcome = string;

/** The verdict on some bytes. */
export interface Verdict {
  /** The calls of the application, in order. */
  readonly accepted: { readonly environ: string; body: BodyOutcome }[];
  /** The refused requests: their statuses, or the protocol's own names for the refusals. */
  readonly refused: string[];
  /** The end of the connection. */
  ending: "open" | "end" | "reset";
}

/** The comparable part of an environ. */
export function comparable(environ: Environ): string {
  return JSON.stringify(Object.entries(environ).filter(([name]) => !name.includes(".")));
}

interface Running {
  readonly params: number[];
  entry: Verdict["accepted"][number] | undefined;
  length: number | null;
  body: string;
}

/** The offsets of the records, up to the first invalid one. */
export function recordOffsets(bytes: Uint8Array): number[] {
  const offsets: number[] = [];
  for (let at = 0; at < bytes.length;) {
    offsets.push(at);
    if (at + 8 > bytes.length || bytes[at] !== 1) break;
    at += 8 + (bytes[at + 4] as number) * 256 + (bytes[at + 5] as number) + (bytes[at + 6] as number);
  }
  return offsets;
}

/** The verdict on bytes after which the connection ends. */
export function naive(bytes: Uint8Array, template: Record<string, unknown>): Verdict {
  const verdict: Verdict = { accepted: [], refused: [], ending: "open" };
  const running = new Map<number, Running>();
  let keep = true;
  const over = (id: number): void => {
    running.delete(id);
    if (running.size === 0 && !keep) verdict.ending = "end";
  };
  const close = (id: number, one: Running, outcome: BodyOutcome): void => {
    if (one.entry !== undefined) one.entry.body = outcome;
    over(id);
  };
  const refuse = (id: number, status: string): void => {
    verdict.refused.push(status);
    over(id);
  };
  const start = (id: number, one: Running): void => {
    const variables = new Variables();
    try {
      for (const [name, value] of pairsOf(one.params)) variables.add(name, value);
      const request = cgiRequest({ ...template }, variables, {
        scriptName: "",
        limitRequestBody: Infinity,
        script: false,
      });
      one.entry = { environ: comparable(request.environ), body: "" };
      verdict.accepted.push(one.entry);
      one.length = request.contentLength;
      if (one.length === 0) close(id, one, "");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refuse(id, error.status);
    }
  };

  for (let at = 0; at + 8 <= bytes.length && verdict.ending === "open";) {
    const [version, type, high, low, longs, units, padding] = bytes.subarray(at, at + 7) as unknown as number[];
    const id = (high as number) * 256 + (low as number);
    const length = (longs as number) * 256 + (units as number);
    const content = bytes.subarray(at + 8, at + 8 + length);
    const whole = content.length === length;
    at += 8 + length + (padding as number);
    if (version !== 1) {
      verdict.ending = "reset";
      break;
    }
    const one = running.get(id);
    if (type === 1 && whole && id !== 0) {
      if (length !== 8 || one !== undefined) verdict.ending = "reset";
      else if (((content[2] as number) & 1) === 0) keep = false;
      if (verdict.ending === "reset") break;
      if (content[0] !== 0 || content[1] !== 1) refuse(id, "UNKNOWN_ROLE");
      else if (running.size === 64) refuse(id, "OVERLOADED");
      else running.set(id, { params: [], entry: undefined, length: null, body: "" });
    } else if (type === 9 && whole && id === 0) {
      try {
        for (const _pair of pairsOf([...content]));
      } catch {
        verdict.ending = "reset";
      }
    }
    if (one === undefined) continue;
    if (type === 2 && whole) {
      close(id, one, "InputClosedError");
    } else if (type === 4 && one.entry === undefined) {
      if (one.params.length + length > VARIABLES_LIMIT) refuse(id, "431 Request Header Fields Too Large");
      else if (length === 0) start(id, one);
      else one.params.push(...content);
    } else if (type === 5) {
      if (one.entry === undefined) {
        refuse(id, "400 Bad Request");
      } else if (length === 0) {
        close(id, one, one.length === null ? one.body : "TruncatedBodyError");
      } else {
        one.body += Buffer.from(content).toString("latin1");
        if (one.length !== null && one.body.length >= one.length) close(id, one, one.body.slice(0, one.length));
      }
    }
  }
  for (const one of running.values()) if (one.entry !== undefined) one.entry.body = "InputClosedError";
  return verdict;
}

/** The pairs of a block. */
function* pairsOf(block: readonly number[]): Generator<[name: string, value: string]> {
  let at = 0;
  const octet = (): number => {
    if (at >= block.length) throw new Refusal("400 Bad Request", "truncated");
    return block[at++] as number;
  };
  const length = (): number => {
    const first = octet();
    if (first < 128) return first;
    return (first - 128) * 2 ** 24 + octet() * 2 ** 16 + octet() * 2 ** 8 + octet();
  };
  const text = (size: number): string => {
    if (at + size > block.length) throw new Refusal("400 Bad Request", "truncated");
    const part = Buffer.from(block.slice(at, at + size)).toString("latin1");
    at += size;
    return part;
  };
  while (at < block.length) {
    const nameSize = length();
    const valueSize = length();
    const name = text(nameSize);
    yield [name, text(valueSize)];
  }
}
