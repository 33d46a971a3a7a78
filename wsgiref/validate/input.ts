/**
 * Checks how an application uses `wsgi.input` and `wsgi.errors`, and how the server implements them (PEP 3333, "Input
 * and Error Streams").
 *
 * Checking objects replace both streams in the environ and pass every call on. A mistake of the application rejects the
 * promise of the call, or throws if the call returns none. So does a wrong answer of the server. Every promise has a
 * rejection handler from the start, so none causes an unhandled rejection.
 *
 * @module
 */

import { describe } from "../../core/errors.ts";
import { DIGITS } from "../../core/grammar.ts";
import type { ErrorStream } from "../../core/contract/error_stream.ts";
import type { InputStream } from "../../core/contract/input_stream.ts";
import { forApplication, forServer, must, type Theme, WsgiViolation } from "./rules.ts";

const LF = 0x0a;

const ARGUMENTS = forApplication(
  "I03",
  "`read(size?)`, `readline(size?)` and `readlines(hint?)` take at most one argument: a whole number of bytes; negative, " +
    "null and undefined mean no limit.",
);
const SIZE = forApplication(
  "M07",
  "`read(size)` is given exactly one argument, as wsgiref's validator wants.",
  "strict",
);
const CLOSE = forApplication(
  "I13",
  "`close()` is not part of the contract: neither the input nor `wsgi.errors` is closed.",
);
const OVERLAP = forApplication("T01-strict", "A read is awaited before the next one begins.", "strict");
const TEXT = forApplication(
  "X02",
  "`wsgi.errors` is given text: `write(text)` one string, `writelines(texts)` a list of them. Any Unicode text will do.",
);

const REJECTED = forServer(
  "T01",
  "A read that is begun while another one waits is rejected, and disturbs nothing. (This contract; reads are promises.)",
);
const BYTES = forServer(
  "I01-types",
  "`read` and `readline` give a promise of a Uint8Array, `readlines` of an array of them; iterating gives Uint8Arrays.",
);
const LENGTH = forServer("I02", "The input never gives bytes past `CONTENT_LENGTH`; it ends there.");
const AMOUNT = forServer("I04", "`read(n)` gives at most n bytes, and fewer only at the end.");
const END = forServer("I03-end", "At the end every read gives nothing, again and again.");
const LINE = forServer(
  "I05",
  "`readline(size)` gives at most size bytes, and one line at most: it keeps its LF, and nothing is behind that.",
);
const LINES = forServer(
  "I06",
  "`readlines(hint)` gives lines, each as `readline` does; it may stop early, not mid-line.",
);
const WHOLE = forServer(
  "I08",
  "A body that is shorter than `CONTENT_LENGTH` rejects the read; it never looks like an end.",
);

/** The rules of the streams. */
export const streamsTheme: Theme = {
  title: "wsgi.input and wsgi.errors",
  introduction: "Reads are promises. One at a time; arrays that they give belong to the application.",
  checked: [ARGUMENTS, SIZE, CLOSE, OVERLAP, TEXT, REJECTED, BYTES, LENGTH, AMOUNT, END, LINE, LINES, WHOLE],
  unchecked: [
    {
      id: "I07",
      bound: "server",
      text: "However reads are mixed, each byte is given exactly once.",
      reason:
        "the validator does not have the body to compare with; the behaviour suite checks it. More or fewer bytes " +
        "than `CONTENT_LENGTH` are I02 and I08",
    },
    {
      id: "I09",
      bound: "server",
      text: "A malformed chunk rejects the read; if the head has not been sent the client gets a 400.",
      reason: "the wire is below the validator; the wire suite checks it",
    },
    {
      id: "I10",
      bound: "server",
      text: "What the application did not read is drained, or the connection closes: it is never taken for a request.",
      reason: "the wire is below the validator; the behaviour suite checks it",
    },
    {
      id: "I11",
      bound: "server",
      text: "`Expect: 100-continue` is answered at the first read, never after the final status.",
      reason: "the wire is below the validator; the behaviour suite checks it",
    },
    {
      id: "I12",
      bound: "server",
      text: "A body beyond `limitRequestBody` is a 413.",
      reason: "the validator does not know the limit; the behaviour suite checks it",
    },
    {
      id: "I14",
      bound: "server",
      text: "Where there is no body, reads give nothing at once.",
      reason: "`at once` cannot be told from late without a clock; the behaviour suite checks it",
    },
  ],
};

type Source = Pick<InputStream, "read" | "readline" | "readlines"> & AsyncIterable<Uint8Array>;

/** The input in the environ of a checked application. */
export class CheckedInput implements AsyncIterable<Uint8Array> {
  readonly #source: Source;
  readonly #strict: boolean;
  readonly #declared: number; // CONTENT_LENGTH, or Infinity
  #taken = 0;
  #waiting = 0; // reads that have not settled
  #ended = false;

  /** Wraps `source`. */
  constructor(source: Source, contentLength: unknown, strict: boolean) {
    this.#source = source;
    this.#strict = strict;
    this.#declared = typeof contentLength === "string" && DIGITS.test(contentLength) ? Number(contentLength) : Infinity;
  }

  /** As the input's own. */
  read(...args: unknown[]): Promise<Uint8Array> {
    return this.#operation("read", args, (bytes, size) => {
      this.#checkBytes("read", bytes);
      const count = bytes.length;
      must(count <= size, AMOUNT, () => `read(${size}) gave ${count} bytes`);
      this.#account(count, count < size && size > 0);
    });
  }

  /** As the input's own. */
  readline(...args: unknown[]): Promise<Uint8Array> {
    return this.#operation("readline", args, (bytes, size) => {
      this.#checkBytes("readline", bytes);
      this.#checkLine(bytes, LINE);
      must(bytes.length <= size, LINE, () => `readline(${size}) gave ${bytes.length} bytes`);
      this.#account(bytes.length, size > 0 && bytes.length < size && bytes.length === 0);
    });
  }

  /** As the input's own. */
  readlines(...args: unknown[]): Promise<Uint8Array[]> {
    return this.#operation("readlines", args, (lines) => {
      must(Array.isArray(lines), BYTES, () => `readlines gave ${describe(lines)}`);
      const list = lines as unknown as Uint8Array[];
      for (const [index, line] of list.entries()) {
        this.#checkBytes("readlines", line);
        this.#checkLine(line, LINES);
        const whole = line.at(-1) === LF || index === list.length - 1;
        must(whole && line.length > 0, LINES, () => `line ${index + 1} of ${list.length} is empty or has no end`);
      }
      this.#account(list.reduce((sum, line) => sum + line.length, 0), list.length === 0);
    }) as unknown as Promise<Uint8Array[]>;
  }

  /** Refused: it is not part of the contract. */
  close(): never {
    throw new WsgiViolation(CLOSE, "wsgi.input.close() was called");
  }

  /** As the input's own. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    const inner = this.#source[Symbol.asyncIterator]();
    const next = (): Promise<IteratorResult<Uint8Array, undefined>> =>
      this.#guard("next", () => inner.next(), (step: IteratorResult<Uint8Array>) => {
        if (step.done !== true) this.#checkBytes("the iterator", step.value);
        this.#account(step.done === true ? 0 : step.value.length, step.done === true);
      }) as Promise<IteratorResult<Uint8Array, undefined>>;
    return typeof inner.return === "function" ? { next, return: () => leave(inner) } : { next };
  }

  /** Checks the argument of a read, does the read, and checks its result. */
  #operation(
    name: "read" | "readline" | "readlines",
    args: readonly unknown[],
    check: (given: Uint8Array, size: number) => void,
  ): Promise<Uint8Array> {
    const size = args[0];
    let limit = Infinity;
    try {
      must(args.length < 2, ARGUMENTS, () => `${name} got ${args.length} arguments`);
      const unlimited = size === undefined || size === null;
      must(unlimited || Number.isInteger(size), ARGUMENTS, () => `${name} got ${describe(size)}`);
      if (this.#strict && name === "read") must(args.length === 1, SIZE, () => "read got no argument");
      if (!unlimited && (size as number) >= 0) limit = size as number;
    } catch (error) {
      return handled(Promise.reject(error));
    }
    const call = this.#source[name] as (...args: unknown[]) => Promise<Uint8Array>;
    return this.#guard(name, () => call.apply(this.#source, [...args]), (given: Uint8Array) => check(given, limit));
  }

  /** Does a read, and checks its result and that reads do not overlap. */
  #guard<T>(name: string, read: () => Promise<T>, check: (given: T) => void): Promise<T> {
    const overlaps = this.#waiting > 0;
    if (overlaps && this.#strict) {
      return handled(Promise.reject(new WsgiViolation(OVERLAP, `${name} began while a read was waiting`)));
    }
    return handled(this.#run(name, read, check, overlaps));
  }

  async #run<T>(name: string, read: () => Promise<T>, check: (given: T) => void, overlaps: boolean): Promise<T> {
    this.#waiting++;
    let given: T;
    try {
      const promise = read();
      const isPromise = typeof (promise as { then?: unknown } | null | undefined)?.then === "function";
      must(isPromise, BYTES, () => `${name} gave ${describe(promise)}, no promise`);
      given = await promise;
    } finally {
      this.#waiting--;
    }
    must(!overlaps, REJECTED, () => `${name} began while a read was waiting, and was served`);
    check(given);
    return given;
  }

  #checkBytes(name: string, given: unknown): void {
    must(given instanceof Uint8Array, BYTES, () => `${name} gave ${describe(given)}`);
  }

  #checkLine(line: Uint8Array, rule: typeof LINE): void {
    const end = line.indexOf(LF);
    must(end < 0 || end === line.length - 1, rule, () => "a line holds a LF before its end");
  }

  /** Counts the bytes that were read. `end` means that this read reported the end of the input. */
  #account(count: number, end: boolean): void {
    must(count === 0 || !this.#ended, END, () => `${count} bytes came behind the end`);
    this.#taken += count;
    must(this.#taken <= this.#declared, LENGTH, () => `${this.#taken} bytes of a CONTENT_LENGTH of ${this.#declared}`);
    if (!end) return;
    this.#ended = true;
    const whole = this.#taken === this.#declared || this.#declared === Infinity;
    must(whole, WHOLE, () => `an end after ${this.#taken} bytes of a CONTENT_LENGTH of ${this.#declared}`);
  }
}

async function leave(inner: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array, undefined>> {
  await inner.return?.();
  return { done: true, value: undefined };
}

function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** The `wsgi.errors` in the environ of a checked application. */
export class CheckedErrors {
  readonly #errors: Pick<ErrorStream, "write" | "writelines" | "flush">;

  /** Wraps `errors`. */
  constructor(errors: Pick<ErrorStream, "write" | "writelines" | "flush">) {
    this.#errors = errors;
  }

  /** As the stream's own. */
  write(...args: unknown[]): void {
    const [text] = args;
    must(args.length === 1 && typeof text === "string", TEXT, () => `write got ${args.map(describe).join(", ")}`);
    this.#errors.write(text as string);
  }

  /** As the stream's own. */
  writelines(...args: unknown[]): void {
    const [texts] = args;
    const isList = args.length === 1 && typeof texts === "object" && texts !== null && Symbol.iterator in texts;
    must(isList, TEXT, () => `writelines got ${args.map(describe).join(", ")}`);
    const list = [...texts as Iterable<string>];
    for (const text of list) must(typeof text === "string", TEXT, () => `writelines got ${describe(text)}`);
    this.#errors.writelines(list);
  }

  /** As the stream's own. */
  flush(): void {
    this.#errors.flush();
  }

  /** Refused: it is not part of the contract. */
  close(): never {
    throw new WsgiViolation(CLOSE, "wsgi.errors.close() was called");
  }
}
