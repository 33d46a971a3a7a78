/**
 * Serves small applications through `compress` and `conditionalGet`, with a validator inside and outside of them.
 *
 * @module
 */

import process from "node:process";
import { compress, conditionalGet } from "../../../middleware/mod.ts";
import { type ApplicationFunction, type Body, type HeaderList, serve, type StartResponse } from "../../../mod.ts";
import { validator } from "../../../wsgiref/validate.ts";

const TEXT: HeaderList = [["Content-Type", "text/plain"]];
const LONG = "a long line of text that compresses well\n".repeat(100);

const gates = new Map<string, () => void>();
let closed = 0;

/** Waits until `/open` is requested. */
function gate(name: string): Promise<void> {
  return new Promise((resolve) => gates.set(name, resolve));
}

function begin(startResponse: StartResponse, more: HeaderList = [], type: HeaderList = TEXT) {
  return startResponse("200 OK", [...type, ...more]);
}

async function* slow(name: string): AsyncGenerator<string> {
  yield "first ".repeat(10);
  await gate(name);
  yield "";
  yield "second ".repeat(10);
}

type Small = (startResponse: StartResponse, name: string) => Body | Promise<Body>;

const table: Readonly<Record<string, Small>> = {
  long: (start) => (begin(start), [LONG]),
  pieces: (start) => (begin(start), [LONG.slice(0, 2000), "", LONG.slice(2000)]),
  bare: (start) => (begin(start), LONG),
  length: (start) => (begin(start, [["Content-Length", String(LONG.length)], ["Accept-Ranges", "bytes"]]), [LONG]),
  short: (start) => (begin(start), ["short"]),
  shortLength: (start) => (begin(start, [["Content-Length", "5"]]), ["short"]),
  empty: (start) => (begin(start), []),
  nothing: (start) => (begin(start), (function* () {})()),
  slow: (start, name) => (begin(start), slow(name)),
  late: (start) =>
    (function* () {
      begin(start);
      yield LONG;
      yield LONG;
    })(),
  lateImage: (start) =>
    (function* () {
      begin(start, [], [["Content-Type", "image/png"]]);
      yield LONG;
    })(),
  promised: (start) => Promise.resolve().then(() => (begin(start), [LONG])),
  stream: (start) => (begin(start), new Blob([LONG]).stream()),
  closes: (start) => (begin(start), Object.assign([LONG], { close: () => void closed++ })),
  write: async (start) => {
    const write = begin(start);
    await write(LONG);
    return [LONG];
  },
  replaced: (start) => {
    begin(start);
    start("500 Oops", TEXT, new Error("replaced"));
    return [LONG];
  },
  tagged: (start) => (begin(start, [["ETag", '"v1"'], ["Vary", "Cookie"], ["Set-Cookie", "a=b"]]), [LONG]),
  dated: (start) => (begin(start, [["Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT"]]), slow("dated")),
  missing: (start) => (start("404 Not Found", [...TEXT, ["ETag", '"v1"']]), [LONG]),
  encoded: (start) => (begin(start, [["Content-Encoding", "gzip"]]), [LONG]),
  noTransform: (start) => (begin(start, [["Cache-Control", "private, No-Transform"]]), [LONG]),
  events: (start) => (begin(start, [], [["Content-Type", "text/event-stream"]]), [LONG]),
  image: (start) => (begin(start, [], [["Content-Type", "image/png"]]), [LONG]),
  untyped: (start) => (start("200 OK", []), [LONG]),
  range: (start) => (start("206 Partial Content", [...TEXT, ["Content-Range", "bytes 0-4099/9999"]]), [LONG]),
  throws: (start) => {
    begin(start);
    throw new Error("thrown on purpose");
  },
  breaks: (start) => (begin(start),
    (function* () {
      yield LONG;
      throw new Error("broken on purpose");
    })()),
};

const app: ApplicationFunction = (environ, startResponse) => {
  const [, name = "", key = ""] = environ.PATH_INFO.split("/");
  if (name === "open") gates.get(key)?.();
  if (name === "closed" || name === "open") return (begin(startResponse), [String(closed)]);
  const body = (table[name === "file" ? "length" : name] as Small)(startResponse, key);
  return name === "file" && environ.REQUEST_METHOD === "HEAD" ? [] : body; // as one that opens no file for HEAD
};

const port = Number(process.argv[2] ?? 0);
const wrapped = validator(conditionalGet()(validator(compress()(validator(app)))));
const server = await serve(wrapped, { hostname: "127.0.0.1", port, onListen: () => {} });
console.log(`port ${server.address.port}`);
