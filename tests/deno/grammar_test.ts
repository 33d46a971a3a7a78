import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ListenError, OptionError } from "../../core/errors.ts";
import { imfFixdate, percentDecode, trimOws } from "../../core/grammar.ts";

Deno.test("grammar: white space is SP and HTAB only", () => {
  assertEquals(trimOws(" \t a b\u00a0\t"), "a b\u00a0");
  assertEquals(trimOws(" \t "), "");
});

Deno.test("grammar: percent-escapes are decoded once, malformed ones stay", () => {
  assertEquals(percentDecode("/%C3%A9/%2541/%zz"), "/\u00c3\u00a9/%41/%zz");
});

Deno.test("grammar: dates are IMF-fixdate", () => {
  assertEquals(imfFixdate(784111777000), "Sun, 06 Nov 1994 08:49:37 GMT");
});

Deno.test("errors: a message says what was wrong, where, and what was expected", () => {
  const error = assertThrows(() => {
    throw new ListenError("127.0.0.1", 80, "permission denied", "EACCES");
  }, ListenError);
  assertStringIncludes(error.message, "127.0.0.1:80");
  assertStringIncludes(new OptionError("backlog", "a positive integer", -1).message, "got number -1");
});
