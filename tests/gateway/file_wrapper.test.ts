/**
 * wsgi.file_wrapper (rules W01 to W05): an iterable of blocks from where a file stands to its end.
 *
 * Files are stand-ins with the two methods that count; real ones are read in the behaviour tests.
 */

import { describe, expect, test } from "vitest";
import { type FileLike, FileWrapper } from "../../core/contract/file_wrapper.ts";
import { RequestBody } from "../../core/contract/request_body.ts";
import type { Environ } from "../../core/contract/types.ts";
import { call, settle } from "./fake_exchange.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A file of `text` that stands at `at`. */
class FakeFile {
  readonly asked: number[] = [];
  closes = 0;
  readonly #text: string;
  readonly #ending: Uint8Array | null | undefined;
  #at: number;

  constructor(text: string, at = 0, ending: Uint8Array | null | undefined = new Uint8Array(0)) {
    this.#text = text;
    this.#at = at;
    this.#ending = ending;
  }

  read(size: number): Uint8Array | null | undefined {
    this.asked.push(size);
    const part = this.#text.slice(this.#at, this.#at += size);
    return part === "" ? this.#ending : bytes(part);
  }

  close(): void {
    this.closes++;
  }
}

async function blocks(wrapper: FileWrapper): Promise<string[]> {
  const got: string[] = [];
  for await (const block of wrapper) got.push(new TextDecoder().decode(block));
  return got;
}

/** Serves a file through `wsgi.file_wrapper`. */
function serve(file: FileLike, headers: [string, string][] = [], environ: Partial<Environ> = {}, blockSize?: number): {
  readonly calls: string[];
  readonly log: readonly string[];
} {
  const { exchange, log } = call((environ, startResponse) => {
    startResponse("200 OK", headers);
    return environ["wsgi.file_wrapper"](file, blockSize);
  }, environ);
  return { calls: exchange.calls, log };
}

describe("W01 blocks", () => {
  const table: [size: number | undefined, text: string, expected: string[]][] = [
    [2, "abcde", ["ab", "cd", "e"]],
    [5, "abcde", ["abcde"]],
    [6, "abcde", ["abcde"]],
    [1, "abc", ["a", "b", "c"]],
    [3, "", []],
    [undefined, "x".repeat(65537), ["x".repeat(65536), "x"]],
  ];
  for (const [size, text, expected] of table) {
    test(`W01 ${text.length} bytes in blocks of ${size ?? "the default size"}`, async () => {
      const file = new FakeFile(text);
      expect(await blocks(new FileWrapper(file, size))).toEqual(expected);
      expect(new Set(file.asked)).toEqual(new Set([size ?? 65536]));
    });
  }

  for (const ending of [null, undefined, new Uint8Array(0)]) {
    test(`W01 ${ending === null ? "null" : typeof ending} from read() is the end`, async () => {
      expect(await blocks(new FileWrapper(new FakeFile("ab", 0, ending), 9))).toEqual(["ab"]);
    });
  }

  test("W01 nothing is read before the server pulls", () => {
    const file = new FakeFile("abc");
    new FileWrapper(file)[Symbol.asyncIterator]();
    expect(file.asked).toEqual([]);
  });

  test("W03 reading begins where the file stands", async () => {
    expect(await blocks(new FileWrapper(new FakeFile("abcdef", 3), 2))).toEqual(["de", "f"]);
  });

  test("W01 read() may give promises, of short blocks too", async () => {
    const parts = ["a", "bc", ""];
    const file: FileLike = { read: () => Promise.resolve(bytes(parts.shift() ?? "")) };
    expect(await blocks(new FileWrapper(file, 9))).toEqual(["a", "bc"]);
  });

  test("W03 a stream gives blocks of its own size", async () => {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes("abc"));
        controller.enqueue(bytes("d"));
        controller.close();
      },
    });
    expect(await blocks(new FileWrapper(stream, 2))).toEqual(["abc", "d"]);
  });
});

describe("W01 what cannot be wrapped", () => {
  for (const file of [null, undefined, "path", 7, {}, { read: 1 }, ["a"], () => {}]) {
    test(`W01 ${typeof file} ${JSON.stringify(file)} is refused`, () => {
      expect(() => new FileWrapper(file as never)).toThrow(TypeError);
    });
  }
  for (const size of [0, -1, 1.5, NaN, Infinity, "2", null]) {
    test(`W01 a block size of ${typeof size} ${size} is refused`, () => {
      expect(() => new FileWrapper(new FakeFile("a"), size as never)).toThrow("expected a block size above 0");
    });
  }
});

describe("W02 close()", () => {
  test("W02 iterating to the end does not close the file; close() does, once", async () => {
    const file = new FakeFile("ab");
    const wrapper = new FileWrapper(file);
    await blocks(wrapper);
    expect(file.closes).toBe(0);
    wrapper.close();
    wrapper.close();
    expect(file.closes).toBe(1);
  });

  test("W02 a file without close() is fine", () => {
    expect(new FileWrapper({ read: () => null }).close()).toBe(undefined);
  });

  test("W02 a close() that rejects is logged", async () => {
    const file = { read: () => null, close: () => Promise.reject(new Error("stuck")) };
    const { calls, log } = serve(file);
    await settle();
    expect([calls, log.length]).toEqual([["head 200 OK length 0", "end"], 1]);
  });
});

describe("W03, W04 served", () => {
  const table: { headers: [string, string][]; environ?: Partial<Environ>; calls: string[]; logs: number }[] = [
    { headers: [], calls: ["head 200 OK", "body abc", "body de", "end"], logs: 0 },
    { headers: [["Content-Length", "5"]], calls: ["head 200 OK length 5", "body abc", "body de", "end"], logs: 0 },
    { headers: [["Content-Length", "4"]], calls: ["head 200 OK length 4", "body abc", "body d", "end"], logs: 1 },
    { headers: [["Content-Length", "9"]], calls: ["head 200 OK length 9", "body abc", "body de", "abort"], logs: 1 },
    { headers: [], environ: { REQUEST_METHOD: "HEAD" }, calls: ["head 200 OK bodyless", "end"], logs: 0 },
  ];
  for (const { headers, environ, calls, logs } of table) {
    test(`W03 Content-Length ${headers[0]?.[1] ?? "missing"}, ${environ?.REQUEST_METHOD ?? "GET"}: closed once`, async () => {
      const file = new FakeFile("abcde");
      const got = serve(file, headers, environ, 3);
      await settle();
      expect([got.calls, got.log.length, file.closes]).toEqual([calls, logs, 1]);
    });
  }

  test("W05 wrapped in a generator it is an ordinary iterable", async () => {
    const file = new FakeFile("ab");
    const { exchange } = call((environ, startResponse) => {
      startResponse("200 OK", []);
      const inner = environ["wsgi.file_wrapper"](file, 1);
      return {
        async *[Symbol.asyncIterator]() {
          for await (const block of inner) yield new TextDecoder().decode(block).toUpperCase();
        },
        close: () => inner.close(),
      };
    });
    await settle();
    expect([exchange.calls, file.closes]).toEqual([["head 200 OK", "body A", "body B", "end"], 1]);
  });

  test("W03 wsgi.input can be wrapped: an echo", async () => {
    const body = new RequestBody({ wanted() {} });
    body.push(bytes("ab"));
    body.push(bytes("c"));
    body.finish();
    const { exchange } = call(
      (environ, startResponse) => {
        startResponse("200 OK", []);
        return environ["wsgi.file_wrapper"](environ["wsgi.input"]);
      },
      {},
      { body },
    );
    await settle();
    expect(exchange.calls).toEqual(["head 200 OK", "body abc", "end"]);
  });
});
