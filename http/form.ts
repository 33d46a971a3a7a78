/**
 * Forms: `application/x-www-form-urlencoded` and `multipart/form-data`.
 *
 * `parseForm` holds a whole form in memory, within limits. `formParts` gives the parts one by one, files as streams.
 *
 * @module
 */

import { describe } from "../core/errors.ts";
import { readLatin1 } from "../core/grammar.ts";
import { type BodyEnviron, forgettable, readBody, takeBody } from "./body.ts";
import { HttpError } from "./error.ts";
import { mediaType } from "./media_type.ts";
import { boundaryOf, type FormLimits, type FormPart, MultipartReader } from "./multipart.ts";
import { checkOptions, type OptionNames } from "./options.ts";
import { searchParams, utf8Length } from "./query.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const STREAMED: Required<FormLimits> = {
  fields: 1000,
  fieldSize: MIB,
  files: 100,
  fileSize: Infinity,
  headerSize: 8 * KIB,
  total: Infinity,
};

const HELD: Required<FormLimits> = { ...STREAMED, fileSize: 16 * MIB, total: 32 * MIB };

const LIMITS: OptionNames<FormLimits> = {
  fields: true,
  fieldSize: true,
  files: true,
  fileSize: true,
  headerSize: true,
  total: true,
};

function limited(name: string, defaults: Required<FormLimits>, given: FormLimits): Required<FormLimits> {
  checkOptions(name, given, LIMITS);
  const limits = { ...defaults };
  for (const [limit, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (typeof value !== "number" || !(value >= 0)) {
      throw new TypeError(`${name}: expected a number from 0 up as ${limit}, got ${describe(value)}`);
    }
    limits[limit as keyof FormLimits] = value;
  }
  return limits;
}

/**
 * Reads a form. Files are in memory as `File`: for larger ones there is {@linkcode formParts}.
 *
 * @returns fields as strings, files as `File` with the name and the media type that the client gave. Both are claims: make
 *   a name of your own for a file that you keep.
 * @throws {HttpError} (as a rejection) 415 for a body that is no form or has a Content-Encoding, 413 beyond a limit, 400 for
 *   a malformed body.
 * @throws {TypeError} (as a rejection) if the body has been read already, for it can be read once.
 *
 * @example
 * ```ts
 * import type { Environ, StartResponse } from "tsgi";
 * import { parseForm, text } from "tsgi/http";
 * import { client } from "tsgi/testing";
 * async function app(environ: Environ, startResponse: StartResponse) {
 *   const form = await parseForm(environ, { files: 1, fileSize: 100_000 });
 *   const photo = form.get("photo");
 *   return text(startResponse, photo instanceof File ? `${form.get("title")}: ${photo.name}, ${photo.size}` : "none");
 * }
 * const body = new FormData();
 * body.append("title", "Cat");
 * body.append("photo", new File(["meow"], "cat.png", { type: "image/png" }));
 * console.assert(await (await client(app).post("/", { body })).text() === "Cat: cat.png, 4");
 * ```
 */
export function parseForm(environ: BodyEnviron, limits: FormLimits = {}): Promise<FormData> {
  return forgettable(readForm(environ, limits));
}

async function readForm(environ: BodyEnviron, limits: FormLimits): Promise<FormData> {
  const type = mediaType(environ.CONTENT_TYPE ?? "")?.type;
  const most = limited("parseForm", HELD, limits);
  const form = new FormData();
  if (type === "application/x-www-form-urlencoded") {
    const bytes = await readBody("parseForm", environ, most.total);
    let fields = 1; // with empty ones: they cost time too
    for (let at = bytes.indexOf(AMPERSAND); at >= 0 && fields <= most.fields; at = bytes.indexOf(AMPERSAND, at + 1)) {
      fields++;
    }
    if (fields > most.fields && bytes.length > 0) {
      throw new HttpError(413, `Expected a form of at most ${most.fields} fields`);
    }
    for (const [name, value] of searchParams(readLatin1(bytes, 0, bytes.length))) {
      if (utf8Length(value) > most.fieldSize) throw new HttpError(413, "A field of the form is larger than its limit");
      form.append(name, value);
    }
  } else if (type === "multipart/form-data") {
    for await (const part of partsOf("parseForm", environ, most)) {
      if (part.filename === undefined) form.append(part.name, await part.text());
      else form.append(part.name, new File([await part.bytes()], part.filename, { type: part.type }));
    }
  } else {
    throw new HttpError(415, "Expected a form: application/x-www-form-urlencoded or multipart/form-data");
  }
  return form;
}

const AMPERSAND = 0x26;

/**
 * Reads a form of `multipart/form-data` part by part, as it arrives. Memory holds a block at a time.
 *
 * @throws {HttpError} (as a rejection) 415 for another media type or a Content-Encoding, 413 beyond a limit, 400 for a
 *   malformed body.
 * @throws {TypeError} (as a rejection) if the body has been read already, for it can be read once.
 *
 * @example
 * ```ts
 * import type { Environ, StartResponse } from "tsgi";
 * import { formParts, text } from "tsgi/http";
 * import { client } from "tsgi/testing";
 * async function app(environ: Environ, startResponse: StartResponse) {
 *   let report = "";
 *   for await (const part of formParts(environ)) {
 *     let size = 0;
 *     for await (const bytes of part) size += bytes.length; // or pipe part.stream() somewhere
 *     report += `${part.filename ?? part.name}: ${size}\n`;
 *   }
 *   return text(startResponse, report);
 * }
 * const body = new FormData();
 * body.append("file", new File(["meow"], "cat.txt"));
 * console.assert(await (await client(app).post("/", { body })).text() === "cat.txt: 4\n");
 * ```
 */
export async function* formParts(environ: BodyEnviron, limits: FormLimits = {}): AsyncGenerator<FormPart, void> {
  yield* partsOf("formParts", environ, limited("formParts", STREAMED, limits));
}

async function* partsOf(
  name: string,
  environ: BodyEnviron,
  most: Required<FormLimits>,
): AsyncGenerator<FormPart, void> {
  const boundary = boundaryOf(environ.CONTENT_TYPE);
  if (Number(environ.CONTENT_LENGTH ?? 0) > most.total) {
    throw new HttpError(413, `Expected a form of at most ${most.total} bytes`);
  }
  takeBody(name, environ);
  const reader = new MultipartReader(environ["wsgi.input"][Symbol.asyncIterator](), boundary, most);
  for (let part = await reader.next(); part !== undefined; part = await reader.next()) yield part;
}
