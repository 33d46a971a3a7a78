/**
 * SCGI: the rules S01 to S08, what nginx and Apache send, and whatever else may come.
 */

import { describe, expect, it } from "vitest";
import { scgiConnection } from "../../core/wires/scgi/connection.ts";
import { BODIES, describeCaptures } from "../cgi/captures.ts";
import { noting, type Seen, Talk } from "../http1/harness.ts";
import { scgiRequest as request } from "./request.ts";
import { naiveScgi } from "./naive.ts";

const PATH = "/hello w\xc3\xb6rld/\xff/a";

describe("captures", () => {
  describeCaptures("scgi", scgiConnection, naiveScgi, {
    "apache-scgi-get": [["GET", "", `/scgi${PATH}%2Fb`, "q=1&r=a%20b", undefined], BODIES.none],
    "apache-scgi-head": [["HEAD", "", "/scgi/head", "", undefined], BODIES.none],
    "apache-scgi-post": [["POST", "", "/scgi/form", "x=y", "18"], BODIES.form],
    "apache-scgi-post64k": [["POST", "", "/scgi/upload", "", "66770"], BODIES.large],
    "apache-scgi-slow-cl": [["POST", "", "/scgi/x", "", "15"], BODIES.parts],
    "nginx-scgi-chunked": [["POST", "", "/scgi/chunked", "", "18"], BODIES.form],
    "nginx-scgi-get": [["GET", "", `/scgi${PATH}/b`, "q=1&r=a%20b", undefined], BODIES.none],
    "nginx-scgi-head": [["HEAD", "", "/scgi/head", "", undefined], BODIES.none],
    "nginx-scgi-post": [["POST", "", "/scgi/form", "x=y", "18"], BODIES.form],
    "nginx-scgi-post64k": [["POST", "", "/scgi/upload", "", "66770"], BODIES.large],
    // CONTENT_LENGTH is what nginx had read; the client's own beside it, 15, is right, and the capture ends early.
    "nginx-scgi-unbuffered-abort": [["POST", "", "/scgi-unbuf/x", "", "15"], BODIES.cut],
    // Here nothing tells that there is more than CONTENT_LENGTH says: docs/deploy/scgi.md keeps buffering on.
    "nginx-scgi-unbuffered-chunked": [["POST", "", "/scgi-unbuf/x", "", "10"], BODIES.begun],
    "nginx-scgi-unbuffered-slow": [["POST", "", "/scgi-unbuf/x", "", "15"], BODIES.cut],
  });
});

const long = "x".repeat(131_072);
const REFUSED: readonly (readonly [rule: string, input: string, status: string])[] = [
  ["S01 a length with a leading zero", "012:CONTENT_LENGTH", "400"],
  ["S01 a length with a sign", "+12:", "400"],
  ["S01 a length with a space", "12 :", "400"],
  ["S01 no length", ":", "400"],
  ["S01 HTTP", "GET / HTTP/1.1\r\n", "400"],
  ["S01 another end than a comma", request().replace(/,$/, ";"), "400"],
  ["S02 no NUL at the end", "16:CONTENT_LENGTH\x000,", "400"],
  ["S02 an odd number of strings", "22:CONTENT_LENGTH\x000\0SCGI\0,", "400"],
  ["S02 no name", request({ "": "x" }), "400"],
  ["S02 a length given twice", "41:CONTENT_LENGTH\x001\0CONTENT_LENGTH\x002\0SCGI\x001\0,", "400"],
  ["S03 another variable first", "24:SCGI\x001\0CONTENT_LENGTH\x000\0,", "400"],
  ["S03 an empty length", request({}, ""), "400"],
  ["S03 a length that is none", request({}, "1a"), "400"],
  ["S03 SCGI that is not 1", request({ SCGI: "2" }), "400"],
  ["S03 no SCGI", "17:CONTENT_LENGTH\x000\0,", "400"],
  ["S06 a length beyond the limit, before anything is kept", "131073:", "431"],
  ["S06 variables beyond the limit", request({ LONG: long }), "431"],
  ["S07 no method", request({ REQUEST_METHOD: "" }), "400"],
  ["S07 a method that is no token", request({ REQUEST_METHOD: "G T" }), "400"],
  ["a body beyond limitRequestBody", request({}, "101"), "413"],
];

describe("S07 a refused request is answered, logged in one line, and reaches no application", () => {
  it.each(REFUSED)("%s", (_rule, input, status) => {
    const seen: Seen[] = [];
    const talk = new Talk(noting(seen), { limitRequestBody: 100 }, scgiConnection).receive(input);
    expect(talk.transport.sent).toMatch(new RegExp(`^Status: ${status} `));
    expect(talk.transport.calls).toEqual(["end"]);
    expect(talk.log).toMatch(new RegExp(`^tsgi: refused a request from 192.0.2.1: ${status} .*\n$`));
    expect(seen).toEqual([]);
  });
});
