/** Headers as wsgiref's: rule M06, and CPython's cases for `wsgiref.headers`. @module */

import { type Header, Headers } from "../../wsgiref/headers.ts";
import { type Check, equal, latin1, ok, thrownBy } from "./check.ts";

const controls = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).concat("\x7f");

async function refused(what: string, action: () => unknown): Promise<void> {
  const error = await thrownBy(action).catch(() => undefined);
  ok(error instanceof TypeError, `Not refused with a TypeError: ${what}`);
}

export const headersChecks: readonly Check[] = [
  {
    name: "M06 Headers is a mapping of names in any letter case",
    run: () => {
      const empty = new Headers();
      equal([empty.length, empty.toString()], [0, "\r\n"]);
      equal(new Headers([]).length, 0);
      const one = new Headers([["x", "y"]]);
      equal([one.length, one.get("x"), one.get("X"), one.has("X"), one.has("y")], [1, "y", "y", true, false]);
      one.set("Foo", "bar");
      equal([one.get("foo"), one.get("FOO"), one.has("fOO"), one.length], ["bar", "bar", true, 2]);
      one.set("foo", "baz"); // replaces, in any letter case
      equal([one.items(), one.getAll("Foo")], [[["x", "y"], ["foo", "baz"]], ["baz"]]);
      equal([one.get("zoo"), one.getAll("zoo"), one.has("zoo")], [null, [], false]);
    },
  },
  {
    name: "M06 delete removes all, and is silent about what is not there",
    run: () => {
      const headers = new Headers([["A", "1"], ["b", "2"], ["a", "3"]]);
      headers.delete("nothing");
      headers.delete("a");
      equal(headers.items(), [["b", "2"]]);
      headers.delete("B");
      equal(headers.length, 0);
    },
  },
  {
    name: "M06 setDefault gives what is there, and adds what is not",
    run: () => {
      const headers = new Headers([["Foo", "bar"]]);
      equal(headers.setDefault("foo", "other"), "bar");
      equal(headers.setDefault("zoo", "zot"), "zot");
      equal(headers.items(), [["Foo", "bar"], ["zoo", "zot"]]);
      equal(new Headers([["empty", ""]]).setDefault("empty", "x"), "");
    },
  },
  {
    name: "M06 order and letter case are kept; repeated names stay apart",
    run: () => {
      const headers = new Headers([["X", "Y"], ["x", "z"]]);
      headers.add("foo", "bar", { baz: "spam" });
      headers.add("Foo", "bar", { cheese: null });
      equal(headers.getAll("FOO"), ['bar; baz="spam"', "bar; cheese"]);
      equal(headers.get("foo"), 'bar; baz="spam"');
      equal(headers.keys(), ["X", "x", "foo", "Foo"]);
      equal(headers.values(), ["Y", "z", 'bar; baz="spam"', "bar; cheese"]);
      equal([...headers], headers.items());
      const text = 'X: Y\r\nx: z\r\nfoo: bar; baz="spam"\r\nFoo: bar; cheese\r\n\r\n';
      equal([headers.toString(), latin1(headers.toBytes())], [text, text]);
    },
  },
  ...([
    ["a value alone", "attachment", {}, "attachment"],
    ["a parameter", "attachment", { filename: "bud.gif" }, 'attachment; filename="bud.gif"'],
    ["no value", null, { a: "1", b: null }, 'a="1"; b'],
    ["an empty parameter is its name", "x", { a: "" }, "x; a"],
    ["quotes and backslashes are escaped", "x", { a: 'say "\\"' }, 'x; a="say \\"\\\\\\""'],
    ["underscores become dashes", "x", { max_age: "5" }, 'x; max-age="5"'],
    ["an empty value", "", {}, ""],
  ] as const).map(([what, value, parameters, expected]): Check => ({
    name: `M06 add with parameters: ${what}`,
    run: () => {
      const headers = new Headers();
      headers.add("X", value, parameters);
      equal(headers.get("x"), expected);
    },
  })),
  {
    name: "M06 the list is the caller's; items() is a copy",
    run: () => {
      const list: Header[] = [["A", "1"]];
      const headers = new Headers(list);
      headers.set("B", "2");
      equal(list, [["A", "1"], ["B", "2"]]);
      headers.items().push(["C", "3"]);
      (headers.items()[0] as Header)[1] = "changed";
      equal(list, [["A", "1"], ["B", "2"]]);
    },
  },
  {
    name: "M06 the constructor demands a list of pairs of strings",
    run: async () => {
      const lists = [
        null,
        7,
        "X: y",
        {},
        new Map([["a", "b"]]),
        new Set([["a", "b"]]),
        ["a: b"],
        [["a"]],
        [["a", "b", "c"]],
        [["a", 5]],
        [[5, "a"]],
        [null],
      ];
      for (const list of lists) await refused(String(list), () => new Headers(list as unknown as Header[]));
    },
  },
  {
    name: "M06 controls are refused in names, values and parameters; HTAB is allowed in values",
    run: async () => {
      for (const control of controls) {
        const name = `ke${control}y`;
        const value = `val${control}ue`;
        await refused(JSON.stringify(name), () => new Headers([[name, "value"]]));
        await refused(JSON.stringify(name), () => new Headers().set(name, "value"));
        await refused(JSON.stringify(name), () => new Headers().add(name, "value"));
        await refused(JSON.stringify(name), () => new Headers().add("key", "value", { [name]: "x" }));
        await refused(JSON.stringify(name), () => new Headers().setDefault(name, "value"));
        if (control === "\t") continue;
        await refused(JSON.stringify(value), () => new Headers([["key", value]]));
        await refused(JSON.stringify(value), () => new Headers().set("key", value));
        await refused(JSON.stringify(value), () => new Headers().add("key", value));
        await refused(JSON.stringify(value), () => new Headers().add("key", "value", { a: value }));
        await refused(JSON.stringify(value), () => new Headers().setDefault("key", value));
      }
      equal(new Headers([["key", "a\tb"]]).get("key"), "a\tb");
    },
  },
  {
    name: "M06 what is refused changes nothing",
    run: async () => {
      const headers = new Headers([["A", "1"]]);
      await refused("a bad value", () => headers.set("A", "b\n"));
      await refused("a value beyond latin-1", () => headers.set("A", "\u0442"));
      await refused("no name", () => headers.add("", "x"));
      await refused("a number", () => headers.add("A", 5 as unknown as string));
      equal(headers.items(), [["A", "1"]]);
    },
  },
];
