import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { InputStream, OverlappingReadError } from "../../core/contract/input_stream.ts";
import { InputClosedError, RequestBody, TruncatedBodyError } from "../../core/contract/request_body.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (part: Uint8Array): string => new TextDecoder().decode(part);

/** An input stream that gets its body in parts, each on demand. */
function over(parts: readonly string[], end: (body: RequestBody) => void = (body) => body.finish()): InputStream {
  const left = [...parts];
  const step = (): void => {
    const part = left.shift();
    if (part === undefined) end(body);
    else body.push(bytes(part));
  };
  const body = new RequestBody({ wanted: () => void setTimeout(step, 0) });
  return new InputStream(body, 8);
}

Deno.test("I02 to I07 reads over any split give each byte once", async () => {
  const whole = "ab\r\nc\n\n0123456789\nlast";
  for (let size = 1; size <= whole.length; size++) {
    const parts = whole.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
    const stream = over(parts);
    const got = [await stream.read(1), await stream.readline(), await stream.readline(9), await stream.read(0)];
    assertEquals(got.map(text), ["a", "b\r\n", "c\n", ""]);
    assertEquals(text(await stream.readline()) + text(await stream.readline()), "\n01234567");
    assertEquals((await stream.readlines(1)).map(text), ["89\n"]);
    let rest = "";
    for await (const part of stream) rest += text(part);
    assertEquals([rest, (await stream.read()).length, await stream.readlines()], ["last", 0, []]);
  }
});

Deno.test("I04 an overlapping read rejects and disturbs nothing", async () => {
  const stream = over(["ab", "c"]);
  const first = stream.read(3);
  await assertRejects(() => stream.readline(), OverlappingReadError);
  assertEquals(text(await first), "abc");
});

Deno.test("I03 a bad size rejects with a TypeError", async () => {
  for (const size of [1.5, NaN, "3", true]) {
    await assertRejects(() => over(["a"]).read(size as number), TypeError, "expected a whole number of bytes");
  }
});

Deno.test("I08 a body that is cut off rejects the read that reaches the cut; bytes before it can be read", async () => {
  const failure = new TruncatedBodyError("cut");
  const stream = over(["ab"], (body) => body.fail(failure));
  assertStrictEquals(await assertRejects(() => stream.read()), failure);
  assertEquals(text(await stream.read(2)), "ab");
  assertStrictEquals(await assertRejects(() => stream.read(1)), failure);
});

Deno.test("I08 a read that waits is woken when the body is dropped", async () => {
  const body = new RequestBody({ wanted() {} });
  const waiting = new InputStream(body, 8).read();
  body.discard("the response has ended");
  assertInstanceOf(await assertRejects(() => waiting), InputClosedError);
});
