/**
 * A strict parser of HTTP/1.1 responses for tests. Every deviation is a failure.
 *
 * Bytes are held as a latin-1 string, one code unit a byte, so that the grammar can be written as regular
 * expressions. A parse has three outcomes: a response and what follows it, `null` for "incomplete, more may come",
 * or a {@linkcode MalformedResponse}. The end of the stream turns "incomplete" into "malformed", except for a body
 * that the close itself delimits. The length of a body is decided as RFC 9112 section 6.3 says, where the method of
 * the request matters (HEAD); but a response that a careful recipient would merely tolerate (both framing fields,
 * a repeated Content-Length, framing on 1xx or 204) is malformed here: our server must not send it.
 */

const STATUS_LINE = /^HTTP\/1\.([01]) ([0-9]{3})(?: [\t \x21-\x7e\x80-\xff]*)?$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
const CHUNK_SIZE = /^([0-9A-Fa-f]+)(?:;[^\r\n]*)?$/;
const DECIMAL = /^[0-9]+$/;
const OWS = /^[ \t]+|[ \t]+$/g;

/** A head longer than this without its empty line is taken to be endless. */
const LIMIT_HEAD = 200_000;

/** The server sent something that is not an HTTP/1.1 response. */
export class MalformedResponse extends Error {
  override readonly name = "MalformedResponse";
}

/** One response, interim or final. Strings are latin-1, field names lower-case. */
export interface Response {
  readonly status: number;
  /** The x of HTTP/1.x. */
  readonly minor: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** What a stream of bytes holds. */
export interface Responses {
  readonly finals: readonly Response[];
  readonly interims: readonly Response[];
  /** Why parsing stopped, or null. */
  readonly error: string | null;
  /** The bytes after the last whole response. */
  readonly rest: string;
}

type Parsed<T> = readonly [value: T, rest: string] | null;

/** The values of every field called `name`, in order. */
export function fieldValues(response: Response, name: string): string[] {
  return response.headers.filter(([key]) => key === name).map(([, value]) => value);
}

/**
 * Parses the first response of `bytes`. `ended`: nothing will follow. `method`: of the request it answers.
 *
 * @returns the response and the bytes after it, or null when it is incomplete
 * @throws {MalformedResponse}
 */
export function parseOne(bytes: string, ended: boolean, method: string): Parsed<Response> {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) {
    if (ended && bytes !== "") throw new MalformedResponse(`truncated head ${quote(bytes)}`);
    if (bytes.length > LIMIT_HEAD) throw new MalformedResponse("endless head");
    return null;
  }
  const [statusLine = "", ...lines] = bytes.slice(0, end).split("\r\n");
  const match = STATUS_LINE.exec(statusLine);
  if (match === null) throw new MalformedResponse(`bad status line ${quote(statusLine)}`);
  const status = Number(match[2]);
  const headers = lines.map(parseField);
  const rest = bytes.slice(end + 4);

  const named = (name: string): string[] => headers.filter(([key]) => key === name).map(([, value]) => value);
  const coding = named("transfer-encoding").join(",").toLowerCase();
  const lengths = named("content-length");
  if (coding !== "" && lengths.length > 0) {
    throw new MalformedResponse("response has both Transfer-Encoding and Content-Length");
  }
  if (lengths.some((value) => !DECIMAL.test(value))) {
    throw new MalformedResponse(`bad response Content-Length ${quote(lengths.join())}`);
  }
  if (lengths.length > 1) throw new MalformedResponse("repeated response Content-Length");

  const parsed = (body: Parsed<string>): Parsed<Response> =>
    body && [{ status, minor: Number(match[1]), headers, body: body[0] }, body[1]];

  if (status < 200 || status === 204) {
    if (coding !== "" || lengths.length > 0) throw new MalformedResponse(`${status} with framing headers`);
    return parsed(["", rest]);
  }
  if (status === 304 || method === "HEAD") return parsed(["", rest]);
  if (coding !== "") {
    if (coding !== "chunked") throw new MalformedResponse(`response transfer-encoding ${quote(coding)}`);
    return parsed(parseChunked(rest, ended));
  }
  const [length] = lengths;
  if (length !== undefined) {
    const size = Number(length);
    if (rest.length >= size) return parsed([rest.slice(0, size), rest.slice(size)]);
    if (ended) throw new MalformedResponse(`truncated body (${rest.length} of ${size})`);
    return null;
  }
  return ended ? parsed([rest, ""]) : null;
}

/** Parses every response of `bytes`; the n-th final one answers `methods[n]`, or GET beyond them. */
export function parseAll(bytes: string, ended: boolean, methods: readonly string[]): Responses {
  const finals: Response[] = [];
  const interims: Response[] = [];
  let rest = bytes;
  try {
    while (rest !== "") {
      const parsed = parseOne(rest, ended, methods[finals.length] ?? "GET");
      if (parsed === null) break;
      const [response, after] = parsed;
      (response.status < 200 ? interims : finals).push(response);
      rest = after;
    }
  } catch (error) {
    if (!(error instanceof MalformedResponse)) throw error;
    return { finals, interims, error: error.message, rest };
  }
  return { finals, interims, error: null, rest };
}

function parseField(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1);
  if (!TOKEN.test(name) || CONTROL.test(value)) throw new MalformedResponse(`bad header line ${quote(line)}`);
  return [name.toLowerCase(), value.replace(OWS, "")];
}

function parseChunked(bytes: string, ended: boolean): Parsed<string> {
  const incomplete = (what: string): null => {
    if (ended) throw new MalformedResponse(`truncated ${what}`);
    return null;
  };
  let body = "";
  let at = 0;
  for (;;) {
    const end = bytes.indexOf("\r\n", at);
    if (end < 0) return incomplete("chunked response");
    const line = bytes.slice(at, end);
    const match = CHUNK_SIZE.exec(line);
    if (match === null) throw new MalformedResponse(`bad response chunk size ${quote(line)}`);
    const size = Number.parseInt(match[1] ?? "", 16);
    at = end + 2;
    if (size === 0) break;
    if (bytes.length < at + size + 2) return incomplete("chunk");
    if (bytes.slice(at + size, at + size + 2) !== "\r\n") throw new MalformedResponse("chunk not terminated");
    body += bytes.slice(at, at + size);
    at += size + 2;
  }
  for (;;) { // the trailer section
    const end = bytes.indexOf("\r\n", at);
    if (end < 0) return incomplete("trailer");
    const line = bytes.slice(at, end);
    at = end + 2;
    if (line === "") return [body, bytes.slice(at)];
    parseField(line);
  }
}

/** The beginning of `text`, printable, for a message. */
export function quote(text: string, limit = 80): string {
  return JSON.stringify(text.slice(0, limit)).replace(/[\x7f-\xff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);
}
