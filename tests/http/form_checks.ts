/** Forms: tables of bodies, every split of a body, limits, and bodies that were mutated. @module */

import fc from "fast-check";
import { formParts, HttpError, parseForm, parseJson } from "../../http/mod.ts";
import type { FormLimits } from "../../http/mod.ts";
import { client, createEnviron } from "../../testing/mod.ts";
import type { Environ } from "../../mod.ts";
import { validator } from "../../wsgiref/validate.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";
import { mutant, mutations, random } from "./mutations.ts";
import { refusal } from "./reading_checks.ts";

const MULTIPART = "multipart/form-data; boundary=XX";
const encoder = new TextEncoder();

/** Octets of latin-1 text. */
function octets(text: string): Uint8Array {
  return Uint8Array.from(text, (unit) => unit.charCodeAt(0));
}

/** An environ whose body comes in the given blocks. */
export function posted(type: string, ...blocks: Uint8Array[]): Environ {
  async function* body() {
    yield* blocks;
  }
  const headers = { "Content-Type": type };
  return createEnviron({ method: "POST", headers, body: blocks.length === 1 ? blocks[0] as Uint8Array : body() });
}

/** A form as pairs; a file as name, type and content. */
async function listed(form: FormData): Promise<unknown[]> {
  return await Promise.all(
    [...form].map(async ([name, value]) =>
      typeof value === "string"
        ? [name, value]
        : [name, value.name, value.type.replace(/;charset=utf-8$/, ""), await value.text()] // Bun adds a charset
    ),
  );
}

const FIELD = 'Content-Disposition: form-data; name="a"\r\n\r\n';
const part = (header: string, content = "1"): string => `--XX\r\n${header}\r\n\r\n${content}\r\n--XX--\r\n`;
const named = (parameters: string): string => part(`Content-Disposition: form-data; ${parameters}`);

/** A body, and its form or the status of its refusal. */
const bodies: readonly (readonly [name: string, body: string, expected: number | readonly unknown[]])[] = [
  ["a field", `--XX\r\n${FIELD}1\r\n--XX--\r\n`, [["a", "1"]]],
  ["no CRLF at the end", `--XX\r\n${FIELD}1\r\n--XX--`, [["a", "1"]]],
  ["two fields", `--XX\r\n${FIELD}1\r\n--XX\r\n${FIELD}2\r\n--XX--`, [["a", "1"], ["a", "2"]]],
  ["an empty field", `--XX\r\n${FIELD}\r\n--XX--`, [["a", ""]]],
  ["a delimiter in place of the content", `--XX\r\n${FIELD}--XX\r\n${FIELD}2\r\n--XX\r\n${FIELD}--XX--`, [
    ["a", ""],
    ["a", "2"],
    ["a", ""],
  ]],
  ["almost a delimiter at the start of the content", `--XX\r\n${FIELD}--X\r\n--XX\r\n${FIELD}--\r\n--XX--`, [
    ["a", "--X"],
    ["a", "--"],
  ]],
  ["text behind a delimiter in place of the content", `--XX\r\n${FIELD}--XXY\r\n--XX--`, 400],
  ["no parts", "--XX--\r\n", []],
  ["a preamble and an epilogue", `hi\r\n--XX\r\n${FIELD}1\r\n--XX--\r\nbye\r\n--XX\r\n`, [["a", "1"]]],
  ["white space behind a delimiter", `--XX \t\r\n${FIELD}1\r\n--XX--`, [["a", "1"]]],
  ["almost a delimiter in the content", `--XX\r\n${FIELD}\r\n--X\r\n-\r\r\n--\r\n--XX--`, [[
    "a",
    "\r\n--X\r\n-\r\r\n--",
  ]]],
  ["a file", named('name="f"; filename="b.txt"'), [["f", "b.txt", "text/plain", "1"]]],
  [
    "a file with a type",
    part('Content-Disposition: form-data; name="f"; filename="b"\r\nContent-Type: image/png'),
    [["f", "b", "image/png", "1"]],
  ],
  ["no file chosen", named('name="f"; filename=""'), [["f", "", "text/plain", "1"]]],
  ["an empty Content-Type", part('Content-Disposition: form-data; name="f"; filename="b"\r\nContent-Type: '), [
    ["f", "b", "text/plain", "1"],
  ]],
  ["names as tokens", named("name=f"), [["f", "1"]]],
  ["letter case", part("CONTENT-DISPOSITION:FORM-DATA;NAME=f"), [["f", "1"]]],
  ["a name in UTF-8", named('name="\xc3\xa9"'), [["\u00e9", "1"]]],
  ["escapes of browsers", named('name="%22%0D%0a%41"'), [['"\r\n%41', "1"]]],
  ["a semicolon in quotation marks", named('name="a;b"; filename="c;d"'), [["a;b", "c;d", "text/plain", "1"]]],
  ["a path as file name", named('name="f"; filename="../../etc/passwd"'), [["f", "passwd", "text/plain", "1"]]],
  ["a path of Windows", named('name="f"; filename="C:\\x\\y.txt"'), [["f", "y.txt", "text/plain", "1"]]],
  ["filename*", named(`name="f"; filename*=UTF-8''caf%C3%A9`), [["f", "caf\u00e9", "text/plain", "1"]]],
  ["filename* before filename", named(`name="f"; filename*=utf-8'de'%2f..%5Cx; filename="y"`), [[
    "f",
    "x",
    "text/plain",
    "1",
  ]]],
  ["filename* that is malformed", named(`name="f"; filename="y"; filename*=x%`), [["f", "y", "text/plain", "1"]]],
  ["filename* with a NUL", named(`name="f"; filename*=UTF-8''a%00.png`), [["f", "1"]]],
  ["filename* in another charset", named(`name="f"; filename*=iso-8859-1''%E9`), [["f", "1"]]],
  ["filename* that is no UTF-8", named(`name="f"; filename*=UTF-8''%E9`), [["f", "\ufffd", "text/plain", "1"]]],
  ["a quoted pair", named('name="a\\"b\\\\c"; filename="d\\".txt"'), [['a"b\\c', 'd".txt', "text/plain", "1"]]],
  ["a quoted pair before a semicolon", named('name="a\\";b"'), [['a";b', "1"]]],
  ["a backslash at the end of a name", named('name="a\\"; filename="b"'), [["a\\", "b", "text/plain", "1"]]],
  ["a path of Windows beside a quoted pair", named('name="a\\"b"; filename="C:\\x"'), [[
    'a"b',
    "x",
    "text/plain",
    "1",
  ]]],
  ["escapes of browsers beside a quoted pair", named('name="a\\"%22"'), [['a"%22', "1"]]],
  ["a semicolon at the end", named('name="a"; '), [["a", "1"]]],
  ["__proto__", named('name="__proto__"'), [["__proto__", "1"]]],
  ["nothing", "", 400],
  ["no last delimiter", `--XX\r\n${FIELD}1\r\n`, 400],
  ["the end in a header", "--XX\r\nContent-Disp", 400],
  ["the end in a delimiter", `--XX\r\n${FIELD}1\r\n--XX-`, 400],
  ["a bare LF", `--XX\n${FIELD}1\r\n--XX--`, 400],
  ["a bare LF in a header", `--XX\r\nA: b\n${FIELD}1\r\n--XX--`, 400],
  ["a bare CR in a header", `--XX\r\nA: b\r${FIELD}1\r\n--XX--`, 400],
  ["text behind a delimiter", `--XXY\r\n${FIELD}1\r\n--XX--`, 400],
  ["no header", "--XX\r\n\r\n1\r\n--XX--", 400],
  ["no name", named('filename="f"'), 400],
  ["a header that is none", part("nonsense"), 400],
  ["a header twice", part(`${FIELD.trimEnd()}\r\n${FIELD.trimEnd()}`), 400],
  ["a folded header", part('Content-Disposition: form-data;\r\n name="a"'), 400],
  ["a NUL in a header", named('name="a\0b"'), 400],
  ["attachment", part('Content-Disposition: attachment; name="a"'), 400],
  ["form-database", part('Content-Disposition: form-database; name="a"'), 400],
  ["a name twice", named('name="a"; name="b"'), 400],
  ["a quotation mark that is not closed", named('name="a'), 400],
  ["text behind a name", named('name="a"b'), 400],
  ["a quotation mark that a quoted pair does not close", named('name="a\\"'), [["a\\", "1"]]],
  ["a quotation mark in a name", named('name="a"b"'), 400],
];

/** Content-Type of a body `--XX...`, and the status of its refusal. */
const types: readonly (readonly [string, number])[] = [
  ["text/plain", 415],
  ["multipart/mixed; boundary=XX", 415],
  ["multipart/form-data", 400],
  ["multipart/form-data; boundary=", 415],
  ["multipart/form-data; boundary=X,Y", 415],
  ['multipart/form-data; boundary=""', 400],
  [`multipart/form-data; boundary=${"X".repeat(71)}`, 400],
  ['multipart/form-data; boundary="X "', 400],
  ['multipart/form-data; boundary="X\u00e9"', 400],
];

const FILE = 'Content-Disposition: form-data; name="f"; filename="f"\r\n\r\n';
const TWO_FIELDS = `--XX\r\n${FIELD}12345\r\n--XX\r\n${FIELD}12345\r\n--XX--`;
const NO_FILE = FILE.replace('filename="f"', 'filename=""');
const FILE_OF_THREE = `--XX\r\n${NO_FILE}\r\n--XX\r\n${FILE}12345\r\n--XX\r\n${NO_FILE}\r\n--XX--`;
const TWO_FILES = `--XX\r\n${FILE}12345\r\n--XX\r\n${FILE}12345\r\n--XX--`;
const URLENCODED = "application/x-www-form-urlencoded";

const limits: readonly (readonly [type: string, body: string, limits: FormLimits, fits: boolean])[] = [
  [MULTIPART, TWO_FIELDS, { fields: 2, fieldSize: 5, files: 0, total: TWO_FIELDS.length }, true],
  [MULTIPART, TWO_FIELDS, { fields: 1 }, false],
  [MULTIPART, TWO_FIELDS, { fieldSize: 4 }, false],
  [MULTIPART, TWO_FIELDS, { total: TWO_FIELDS.length - 1 }, false],
  [MULTIPART, TWO_FIELDS, { headerSize: FIELD.length - 3 }, false],
  [MULTIPART, TWO_FILES, { fields: 0, fieldSize: 0, files: 2, fileSize: 5 }, true],
  [MULTIPART, TWO_FILES, { files: 1 }, false],
  [MULTIPART, FILE_OF_THREE, { files: 1, fields: 2 }, true],
  [MULTIPART, FILE_OF_THREE, { fields: 1 }, false],
  [MULTIPART, FILE_OF_THREE, { files: 0 }, false],
  [MULTIPART, TWO_FILES, { fileSize: 4 }, false],
  [URLENCODED, "a=12345&b=12345", { fields: 2, fieldSize: 5, total: 15 }, true],
  [URLENCODED, "a=12345&b=12345", { fields: 1 }, false],
  [URLENCODED, "a=12345&b=12345", { fieldSize: 4 }, false],
  [URLENCODED, "a=12345&b=12345", { total: 14 }, false],
  [URLENCODED, "&&a=1", { fields: 3 }, true],
  [URLENCODED, "&&a=1", { fields: 2 }, false],
  [URLENCODED, "a=%C3%A9%c3%a9", { fieldSize: 4 }, true],
  [URLENCODED, "a=%C3%A9%c3%a9", { fieldSize: 3 }, false],
  [URLENCODED, "", { fields: 0 }, true],
];

/** A function that reads a body, by its name; the media type and the body. */
const readings: readonly (readonly [string, (environ: Environ) => Promise<unknown>, type: string, body: string])[] = [
  ["parseJson", (environ) => parseJson(environ), "application/json", "1"],
  ["parseForm", (environ) => parseForm(environ), URLENCODED, "a=1"],
  ["parseForm", (environ) => parseForm(environ), MULTIPART, TWO_FIELDS],
  ["formParts", (environ) => formParts(environ).next(), MULTIPART, TWO_FIELDS],
];

/** Parts of any form, as a browser may send them. */
const anyForm = fc.array(
  fc.record({
    name: fc.string({ minLength: 1, maxLength: 8 }),
    content: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.array(fc.constantFrom("\r", "\n", "-", "--", "X", "\r\n--", "\r\n--XX")).map((all) =>
        encoder.encode(all.join("").replaceAll("\r\n--XX", "\r\n--X"))
      ),
    ),
  }),
  { maxLength: 4 },
);

export const formChecks: readonly Check[] = [
  ...bodies.map(([name, body, expected]): Check => ({
    name: `19.7 multipart: ${name}`,
    run: async () => {
      const read = () => parseForm(posted(MULTIPART, octets(body)));
      equal(typeof expected === "number" ? await refusal(read) : await listed(await read()), expected);
    },
  })),
  ...types.map(([type, code]): Check => ({
    name: `19.7 multipart: ${type.slice(0, 60)} is a ${code}`,
    run: async () => equal(await refusal(() => parseForm(posted(type, octets("--XX--\r\n")))), code),
  })),
  {
    name: "19.7 multipart: a boundary of all characters, with and without quotation marks",
    run: async () => {
      const boundary = "----=_Part_1'(2)+3,4./5:6?7";
      const body = octets(`--${boundary}\r\n${FIELD}1\r\n--${boundary}--`);
      equal(await listed(await parseForm(posted(`multipart/form-data; boundary="${boundary}"`, body))), [["a", "1"]]);
      const plain = boundary.replace(",", "");
      const same = octets(`--${plain}\r\n${FIELD}1\r\n--${plain}--`);
      equal(await listed(await parseForm(posted(`multipart/form-data; boundary=${plain}; a=b`, same))), [["a", "1"]]);
    },
  },
  {
    name: "19.7 multipart: split anywhere, and octet by octet, it is the same form",
    run: async () => {
      const body = octets(
        `hi\r\n--XX \r\n${FIELD}\r\n--X\r\r\n--XX\r\n${FIELD}--XX\r\n${FILE}\r\n\r\n-\r\n--XX--\r\nbye`,
      );
      const expected = [["a", "\r\n--X\r"], ["a", ""], ["f", "f", "text/plain", "\r\n\r\n-"]];
      for (let at = 0; at <= body.length; at++) {
        equal(
          await listed(await parseForm(posted(MULTIPART, body.slice(0, at), body.slice(at)))),
          expected,
          `at ${at}`,
        );
      }
      equal(
        await listed(await parseForm(posted(MULTIPART, ...Array.from(body, (octet) => Uint8Array.of(octet))))),
        expected,
      );
    },
  },
  {
    name: "19.7 multipart: any form comes back",
    run: () =>
      fc.assert(
        fc.asyncProperty(anyForm, fc.integer({ min: 1, max: 50 }), async (parts, size) => {
          const form = new FormData();
          const clean = (text: string): string => text.replace(/\p{Cs}/gu, "\ufffd").replace(/\r\n|\r|\n/g, "\r\n");
          for (const { name, content } of parts) form.append(clean(name), new File([content.slice()], "f"));
          const request = new Request("http://localhost/", { method: "POST", body: form });
          const type = request.headers.get("Content-Type") as string; // Bun drops it with the body
          const bytes = new Uint8Array(await request.arrayBuffer());
          const blocks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
            bytes.slice(i * size, (i + 1) * size));
          let i = 0;
          for await (const part of formParts(posted(type, ...blocks))) {
            const { name, content } = parts[i++] as (typeof parts)[number];
            equal([part.name, [...await part.bytes()]], [clean(name), [...content]]);
          }
          equal(i, parts.length);
        }),
        { numRuns: 60 },
      ),
  },
  ...limits.map(([type, body, most, fits], i): Check => ({
    name: `19.8 limits ${i}: ${JSON.stringify(most)} ${fits ? "fits" : "is a 413"}`,
    run: async () => {
      for (const blocks of [[octets(body)], [octets(body.slice(0, 3)), octets(body.slice(3))]]) {
        const read = () => parseForm(posted(type, ...blocks), most);
        if (fits) await read();
        else equal(await refusal(read), 413);
      }
    },
  })),
  {
    name: "19.8 a limit of an unknown name is refused",
    run: async () => {
      const read = () => parseForm(posted(MULTIPART, octets("--XX--")), { fileSizes: 1 } as FormLimits);
      ok(await thrownBy(read) instanceof TypeError, "no TypeError");
    },
  },
  {
    name: "19.8 what nobody reads counts, and a header without an end is not gathered",
    run: async () => {
      const skip = async (body: string): Promise<void> => {
        for await (const _part of formParts(posted(MULTIPART, octets(body)), { fileSize: 4 }));
      };
      equal(await refusal(() => skip(TWO_FILES)), 413);
      equal(await refusal(() => skip(`--XX\r\nA: ${"b".repeat(10_000)}`)), 413);
      equal(await refusal(() => skip(`--XX${" ".repeat(10_000)}`)), 413);
    },
  },
  {
    name: "19.9 formParts: a part can be left, read as a stream, and not read when the next has come",
    run: async () => {
      const parts = formParts(
        posted(MULTIPART, octets(`--XX\r\n${FILE}one\r\n--XX\r\n${FILE}two\r\n--XX\r\n${FIELD}3\r\n--XX--`)),
      );
      const first = (await parts.next()).value;
      const second = (await parts.next()).value;
      ok(first && second, "two parts");
      ok(await thrownBy(() => first.bytes()) instanceof TypeError, "the first is over");
      equal(await new Response(second.stream()).text(), "two");
      const third = (await parts.next()).value;
      equal([third?.name, third?.filename, third?.type, await third?.text()], ["a", undefined, "text/plain", "3"]);
      equal((await parts.next()).done, true);
    },
  },
  {
    name: "19.9 formParts: a file arrives as it is sent, and no more than a block of it is asked for",
    run: async () => {
      let sent = 0;
      async function* body() {
        yield octets(`--XX\r\n${FILE}`);
        for (; sent < 1000; sent++) yield new Uint8Array(65536);
        yield octets("\r\n--XX--");
      }
      const environ = createEnviron({ method: "POST", headers: { "Content-Type": MULTIPART }, body: body() });
      const parts = formParts(environ);
      const part = (await parts.next()).value;
      ok(part, "a part");
      let size = 0;
      for await (const block of part) {
        size += block.length;
        ok(sent * 65536 - size <= 8 * 65536, `${sent} blocks sent, ${size} bytes read`);
      }
      equal(size, 1000 * 65536);
    },
  },
  {
    name: "19.9 forms are read as the validator wants",
    run: async () => {
      const app = validator(async (environ, startResponse) => {
        const form = await parseForm(environ);
        startResponse("200 OK", [["Content-Type", "text/plain"]]);
        return [String(form.get("a"))];
      });
      const body = new FormData();
      body.append("a", "1");
      equal(await (await client(app, { raise: true }).post("/", { body })).text(), "1");
      equal(await (await client(app, { raise: true }).post("/", { form: { a: "2" } })).text(), "2");
    },
  },
  {
    name: "19.10 urlencoded forms",
    run: async () => {
      const read = async (text: string) => await listed(await parseForm(posted(URLENCODED, octets(text))));
      equal(await read("a=1&b=%C3%A9+x&a=2&\u00c3\u00a9=?"), [["a", "1"], ["b", "\u00e9 x"], ["a", "2"], [
        "\u00e9",
        "?",
      ]]);
      equal(await read(""), []);
      equal(await read("?a=1"), [["?a", "1"]]);
    },
  },
  ...readings.map(([reader, read, type, body]): Check => ({
    name: `19.8 ${reader} of ${type.split(";")[0]}: a body with a Content-Encoding is a 415`,
    run: async () => {
      const encoded = (coding: string): Environ =>
        Object.assign(posted(type, octets(body)), { HTTP_CONTENT_ENCODING: coding });
      const error = await thrownBy(() => read(encoded("gzip")));
      ok(error instanceof HttpError, `no HttpError: ${error}`);
      equal([error.code, error.headers], [415, [["Accept-Encoding", "identity"]]]);
      await read(encoded("Identity"));
    },
  })),
  ...readings.map(([reader, read, type, body]): Check => ({
    name: `19.44 ${reader} of ${type.split(";")[0]}: reading the body again is an error of the program`,
    run: async () => {
      const environ = posted(type, octets(body));
      await read(environ);
      const again = async (name: string, action: () => unknown): Promise<void> => {
        const error = await thrownBy(action);
        ok(error instanceof TypeError, `no TypeError: ${error}`);
        const advice = "read it once, and pass on what that returns";
        equal(error.message, `${name}: ${reader} has read the body of this request already; ${advice}`);
      };
      await again("parseJson", () => parseJson(Object.assign(environ, { CONTENT_TYPE: "application/json" })));
      await again("parseForm", () => parseForm(Object.assign(environ, { CONTENT_TYPE: URLENCODED })));
      await again("parseForm", () => parseForm(Object.assign(environ, { CONTENT_TYPE: MULTIPART })));
    },
  })),
  {
    name: "19.44 a body that was refused before it was read can be read",
    run: async () => {
      const environ = posted(URLENCODED, octets("a=1"));
      equal(await refusal(() => parseJson(environ)), 415);
      equal(await refusal(() => parseForm(environ, { total: 1 })), 413);
      equal(await listed(await parseForm(environ)), [["a", "1"]]);
    },
  },
  {
    name: "19.11 mutated multipart bodies are a form or an HttpError, and nothing else",
    run: async () => {
      const next = random(19);
      let forms = 0;
      for (let i = 0; i < mutations; i++) {
        const { type, blocks } = mutant(next);
        try {
          const form = await parseForm(posted(type, ...blocks), { files: 20, fields: 20 });
          forms += [...form].length > 0 ? 1 : 0;
        } catch (error) {
          ok(error instanceof HttpError && [400, 413, 415].includes(error.code), `mutant ${i}: ${error}`);
        }
      }
      ok(forms > mutations / 50, `only ${forms} of ${mutations} were forms`);
    },
  },
];
