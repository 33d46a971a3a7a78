import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { httpDate } from "../../core/contract/final_fields.ts";
import { errorText, ListenError, OptionError } from "../../core/errors.ts";
import { isHopByHop, listMembers, percentDecode, readLatin1, TOKEN, trimOws, writeLatin1 } from "../../core/grammar.ts";

Deno.test("grammar: a token is one or more tchars (RFC 9110 5.6.2)", () => {
  for (const token of ["GET", "x-y_z", "!#$%&'*+-.^_`|~09"]) assert(TOKEN.test(token), token);
  for (const text of ["", "a b", "a:", "a\n", "\u00e9", "a\0", "(a)"]) assert(!TOKEN.test(text), JSON.stringify(text));
});

Deno.test("grammar: hop-by-hop names are known in any letter case", () => {
  for (const name of ["Connection", "KEEP-ALIVE", "te", "Transfer-Encoding", "upgrade"]) assert(isHopByHop(name), name);
  for (const name of ["Trailer", "Date", "Connections", ""]) assert(!isHopByHop(name), name);
});

Deno.test("grammar: white space is SP and HTAB only", () => {
  assertEquals(trimOws(" \t a b\u00a0\t"), "a b\u00a0");
  assertEquals(trimOws(" \t "), "");
  assertEquals(listMembers("a,, b\t"), ["a", "", "b"]);
});

Deno.test("grammar: percent-escapes are decoded once, malformed ones stay", () => {
  assertEquals(percentDecode("/%C3%A9/%2541/%zz"), "/\u00c3\u00a9/%41/%zz");
});

Deno.test("Date is an IMF-fixdate, of the second that it was asked for", () => {
  assertEquals(httpDate(784111777000), "Sun, 06 Nov 1994 08:49:37 GMT");
  assertEquals(httpDate(784111777999), "Sun, 06 Nov 1994 08:49:37 GMT");
  assertEquals(httpDate(784111778000), "Sun, 06 Nov 1994 08:49:38 GMT");
});

Deno.test("grammar: latin-1 goes there and back, every octet", () => {
  const all = Uint8Array.from({ length: 10000 }, (_, i) => i & 0xff);
  const copy = new Uint8Array(all.length);
  assertEquals(writeLatin1(copy, 0, readLatin1(all, 0, all.length)), all.length);
  assertEquals(copy, all);
});

Deno.test("errors: a message says what was wrong, where, and what was expected", () => {
  const error = assertThrows(() => {
    throw new ListenError("127.0.0.1:80", "permission denied", "EACCES");
  }, ListenError);
  assertStringIncludes(error.message, "127.0.0.1:80");
  assertStringIncludes(new OptionError("backlog", "a positive integer", -1).message, "got number -1");
  assertStringIncludes(errorText(new Error("outer", { cause: new Error("inner") })), "Caused by: Error: inner");
});
