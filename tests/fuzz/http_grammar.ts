/**
 * Makes HTTP/1.1 requests, most of them valid, some almost.
 *
 * @module
 */

import type { Random } from "./random.ts";

const TCHARS = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-!#$%&'*+.^`|~";
const ANY = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
const VALUE = 'abcXYZ019 \t,;:="\\/()<>@[]{}\x80\xe9\xff';

/** Words of the protocol, for mutations. */
export const HTTP_WORDS: readonly string[] = [
  ..."GET|POST|HEAD|OPTIONS|CONNECT|PUT| |/|*|http://h|https://h:1/|HTTP/1.1|HTTP/1.0|HTTP/2.0|HTTP/1.2|\r\n|\r\n\r\n"
    .split("|"),
  ..."\r|\n|\t|\0|%00|%2f|%|?|#|:|::1|[::1]|[v1.a]|[::ffff:1.2.3.4]|Host: a\r\n|Host:\r\n|Connection: close\r\n".split(
    "|",
  ),
  ..."Connection: keep-alive\r\n|Connection: upgrade\r\n|Upgrade: x\r\n|Content-Length: 5\r\n|Content-Length: 0\r\n"
    .split(
      "|",
    ),
  ..."Transfer-Encoding: chunked\r\n|Transfer-Encoding: gzip, chunked\r\n|Expect: 100-continue\r\n|Cookie: a=1\r\n"
    .split(
      "|",
    ),
  ...'Content-Type: a/b\r\n|Proxy: x\r\n|X_Y: z\r\n|0\r\n\r\n|5\r\nhello\r\n|;a=b|;a="q\\""|ffffffffffffffff'.split(
    "|",
  ),
];

/** One to five requests behind one another, often alike, as a client sends them. */
export function requests(random: Random): string {
  const one = request(random);
  const others = random.many(0, random.oneIn(3) ? 4 : 1, () => random.oneIn(2) ? like(one, random) : request(random));
  const ending = random.oneIn(20) ? random.text(9, ANY) : "";
  return `${random.oneIn(20) ? "\r\n".repeat(random.between(1, 9)) : ""}${[one, ...others].join("")}${ending}`;
}

/** A request with the value of one line changed, or with another line. */
function like(text: string, random: Random): string {
  const [head = "", ...body] = text.split("\r\n\r\n");
  const lines = head.split("\r\n");
  const at = random.below(lines.length);
  const line = lines[at] as string;
  const colon = line.indexOf(":");
  if (random.oneIn(12)) lines[0] = (lines[0] as string).replace("1.1", "1.0");
  else if (random.oneIn(6)) lines.push(`x-more: ${value(random)}`);
  else if (/^content-length:/i.test(line)) {
    const other = random.pick(["", "hello", "body of another length"]);
    lines[at] = `${line.slice(0, colon)}: ${other.length}`;
    return `${lines.join("\r\n")}\r\n\r\n${other}`;
  } else if (at > 0 && colon > 0) lines[at] = `${line.slice(0, colon)}: ${value(random)}`;
  return [lines.join("\r\n"), ...body].join("\r\n\r\n");
}

/** A request. */
export function request(random: Random): string {
  const method = random.oneIn(4)
    ? random.pick(["HEAD", "OPTIONS", "CONNECT", "PUT", "get", "M-SEARCH"])
    : random.pick(["GET", "POST"]);
  const version = random.oneIn(5) ? random.pick(["1.0", "1.2", "1.9", "2.0", "0.9", "1.01"]) : "1.1";
  const body = random.oneIn(2) ? "" : random.text(40, ANY);
  const framing = body === "" && !random.oneIn(8) ? "none" : random.pick(["length", "chunked"]);
  const fields = random.many(0, 6, () => `${name(random)}:${space(random)}${value(random)}${space(random)}`);
  if (!random.oneIn(25)) fields.push(`Host:${space(random)}${host(random)}`);
  if (random.oneIn(4)) fields.push(random.pick(ODD));
  if (framing === "length") {
    fields.push(`Content-Length: ${random.oneIn(20) ? random.text(4, "019 +-,") : body.length}`);
  }
  if (framing === "chunked") fields.push(`Transfer-Encoding: ${random.oneIn(12) ? random.pick(CODINGS) : "chunked"}`);
  shuffle(fields, random);
  const lines = [`${method} ${target(random)} HTTP/${version}`, ...fields];
  if (random.oneIn(6)) lengthen(lines, random);
  const head = `${lines.join("\r\n")}\r\n\r\n`;
  return head + (framing === "chunked" ? chunks(body, random) : body);
}

/** Makes a line about as long as the limits of the target: 200 for the request line, 150 for a field. */
function lengthen(lines: string[], random: Random): void {
  const at = random.below(lines.length);
  const line = lines[at] as string;
  const place = at === 0 ? line.lastIndexOf(" ") : line.length;
  const missing = Math.max(0, (at === 0 ? 200 : 150) + random.between(-1, 1) - line.length);
  lines[at] = line.slice(0, place) + "a".repeat(missing) + line.slice(place);
}

const CODINGS = [
  "gzip, chunked",
  "chunked, gzip",
  "chunked, chunked",
  "identity",
  "Chunked ",
  ",chunked",
  "",
  "chunked;q=1",
];
const ODD = [
  "Connection: close",
  "Connection: keep-alive, x",
  "connection: Upgrade",
  "Upgrade: websocket",
  "Expect: 100-continue",
  "Expect: 200-ok",
  "Content-Type: text/plain",
  "Cookie: a=1",
  "cookie: b=2",
  "Proxy: http://x/",
  "X_Under: 1",
  "content_length: 7",
  "__proto__: x",
  "constructor: x",
  "Content-Length: 0",
  " folded: 1",
  "no colon",
  "Bad Name: x",
  ": empty",
];

/** A body in chunks, with extensions and trailers. */
export function chunks(body: string, random: Random): string {
  let text = "";
  for (let at = 0; at < body.length;) {
    const size = random.between(1, Math.max(1, body.length));
    const data = body.slice(at, at + size);
    at += size;
    const digits = data.length.toString(16);
    text += `${random.oneIn(6) ? "0".repeat(random.below(30)) : ""}${random.oneIn(5) ? digits.toUpperCase() : digits}`;
    text += `${extensions(random)}\r\n${data}\r\n`;
  }
  const trailers = random.oneIn(4) ? random.many(1, 4, () => `${name(random)}: ${value(random)}\r\n`).join("") : "";
  return `${text}${random.oneIn(5) ? "000" : "0"}${extensions(random)}\r\n${trailers}\r\n`;
}

function extensions(random: Random): string {
  if (!random.oneIn(4)) return "";
  const blank = (): string => random.text(2, " \t");
  const quoted = (): string => `"${random.text(6, VALUE).replace(/["\\]/g, "\\$&")}"`;
  const one = (): string => {
    const what = random.below(3);
    const given = what === 0 ? "" : `${blank()}=${blank()}${what === 1 ? token(random) : quoted()}`;
    return `${blank()};${blank()}${token(random)}${given}`;
  };
  return random.many(1, 3, one).join("");
}

function target(random: Random): string {
  const path = `/${random.text(12, "abc/.-~%2fF0;=&\xe9")}`;
  const query = random.oneIn(3) ? `?${random.text(8, "ab=&?/%#")}` : "";
  switch (random.below(9)) {
    case 0:
      return `${random.pick(["http", "HTTPS", "ftp"])}://${host(random)}${random.oneIn(3) ? "" : path}${query}`;
    case 1:
      return "*";
    case 2:
      return `${host(random)}:${random.below(70000)}`;
    default:
      return path + query;
  }
}

function host(random: Random): string {
  const name = random.pick([
    "a",
    "example.org",
    "",
    "127.0.0.1",
    "[::1]",
    "[1:2:3:4:5:6:7:8]",
    "[::1.2.3.4]",
    "[v1.x]",
  ]);
  const odd = random.oneIn(10) ? random.text(8, "ab.%41[]:/@ v1_~!$&'()*+,;=") : name;
  return random.oneIn(3) ? `${odd}:${random.pick(["80", "", "x", "65536"])}` : odd;
}

function name(random: Random): string {
  return random.pick([`x-${token(random)}`, token(random), "accept", "user-agent", "referer", "x-forwarded-for"]);
}

function token(random: Random): string {
  return `${random.pick([..."abzX"])}${random.text(6, TCHARS)}`;
}

function value(random: Random): string {
  return random.oneIn(30) ? random.text(6, ANY) : random.text(14, VALUE);
}

function space(random: Random): string {
  return random.oneIn(4) ? random.text(3, " \t") : " ";
}

function shuffle(list: string[], random: Random): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [list[i], list[j]] = [list[j] as string, list[i] as string];
  }
}
