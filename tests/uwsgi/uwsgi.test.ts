/**
 * uwsgi: the rules U01 to U09, what nginx and Apache send, and whatever else may come.
 */

import { describe, expect, it } from "vitest";
import { uwsgiConnection } from "../../core/wires/uwsgi/connection.ts";
import { BODIES, describeCaptures } from "../cgi/captures.ts";
import { noting, type Seen, Talk } from "../http1/harness.ts";
import { naiveUwsgi } from "./naive.ts";
import { uwsgiPacket, uwsgiRequest } from "./request.ts";

const PATH = "/hello w\xc3\xb6rld";

describe("captures", () => {
  describeCaptures("uwsgi", uwsgiConnection, naiveUwsgi, {
    "apache-uwsgi-get": [["GET", "/uwsgi", `${PATH}/a`, "q=1&r=a%20b", undefined], BODIES.none],
    "apache-uwsgi-get-ff": [["GET", "/uwsgi", "/\xff", "", undefined], BODIES.none],
    "apache-uwsgi-head": [["HEAD", "/uwsgi", "/head", "", undefined], BODIES.none],
    "apache-uwsgi-post": [["POST", "/uwsgi", "/form", "x=y", "18"], BODIES.form],
    "apache-uwsgi-post64k": [["POST", "/uwsgi", "/upload", "", "66770"], BODIES.large],
    "apache-uwsgi-slow-cl": [["POST", "/uwsgi", "/x", "", "15"], BODIES.parts],
    "nginx-uwsgi-chunked": [["POST", "", "/uwsgi/chunked", "", "18"], BODIES.form],
    "nginx-uwsgi-get": [["GET", "", `/uwsgi${PATH}/\xff/a/b`, "q=1&r=a%20b", undefined], BODIES.none],
    "nginx-uwsgi-head": [["HEAD", "", "/uwsgi/head", "", undefined], BODIES.none],
    "nginx-uwsgi-post": [["POST", "", "/uwsgi/form", "x=y", "18"], BODIES.form],
    "nginx-uwsgi-post64k": [["POST", "", "/uwsgi/upload", "", "66770"], BODIES.large],
    "nginx-uwsgi-unbuffered-abort": [["POST", "", "/uwsgi-unbuf/x", "", "15"], BODIES.cut],
    // CONTENT_LENGTH is what nginx had read, and nothing tells that there is more: docs/deploy/uwsgi.md.
    "nginx-uwsgi-unbuffered-chunked": [["POST", "", "/uwsgi-unbuf/x", "", "10"], BODIES.begun],
    "nginx-uwsgi-unbuffered-slow": [["POST", "", "/uwsgi-unbuf/x", "", "15"], BODIES.parts],
  });
});

const REFUSED: readonly (readonly [rule: string, input: string, status: string])[] = [
  ["U02 a packet without variables", uwsgiPacket(""), "400"],
  ["U02 a name that reaches beyond the packet", uwsgiPacket("\x05\0NAME"), "400"],
  ["U02 a value that reaches beyond the packet", uwsgiPacket("\x04\0NAME\x02\0x"), "400"],
  ["U02 no value", uwsgiPacket("\x04\0NAME"), "400"],
  ["U02 an octet left over", uwsgiPacket("\x04\0NAME\x01\0x?"), "400"],
  ["U02 no name", uwsgiRequest({ "": "x" }), "400"],
  ["U02 no method", uwsgiRequest({ REQUEST_METHOD: "" }), "400"],
  ["U03 Perl is asked for", uwsgiPacket("\x04\0NAME\x01\0x", [5, 0]), "501"],
  ["U03 a reload is asked for", uwsgiPacket("", [98, 0]), "501"],
  ["U03 HTTP", "GET / HTTP/1.1\r\n\r\n", "501"],
  ["U04 a length that is none", uwsgiRequest({}, "-1"), "400"],
  ["U04 a length in words", uwsgiRequest({}, "1 0"), "400"],
  [
    "U08 more than 1000 variables",
    uwsgiRequest(Object.fromEntries(Array.from({ length: 998 }, (_, i) => [`V${i}`, ""]))),
    "431",
  ],
  ["a body beyond limitRequestBody", uwsgiRequest({}, "101"), "413"],
];

describe("a refused request is answered, logged in one line, and reaches no application", () => {
  it.each(REFUSED)("%s", (_rule, input, status) => {
    const seen: Seen[] = [];
    const talk = new Talk(noting(seen), { limitRequestBody: 100 }, uwsgiConnection).receive(input);
    expect(talk.transport.sent).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(talk.transport.calls).toEqual(["end"]);
    expect(talk.log).toMatch(new RegExp(`^tsgi: refused a request from 192.0.2.1: ${status} .*\n$`));
    expect(seen).toEqual([]);
  });
});

it("U03 modifier2 is ignored; U07 what would make uWSGI load something is a variable as any other", async () => {
  const seen: Seen[] = [];
  const variables = { UWSGI_FILE: "/etc/passwd", UWSGI_SCRIPT: "x", HTTP_A: "1" };
  const packet = uwsgiRequest(variables).replace(/^([^]{3})./, "$1\x07");
  const talk = await new Talk(noting(seen), {}, uwsgiConnection).receive(packet).settled();
  expect(talk.statuses).toEqual([200]);
  expect(seen[0]?.fields).toEqual({ HTTP_A: "1" });
});
