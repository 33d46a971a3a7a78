/**
 * What the fuzzer has found, once each: the inputs run through their targets again, and what they showed is stated.
 */

import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { namesOf } from "../../core/server/distinguished_name.ts";
import { isAddress } from "../../core/server/peer_policy.ts";
import { parsePrefix } from "../../core/server/proxy_protocol.ts";
import type { Gate } from "../../core/server/stage.ts";
import { handshake } from "../../core/server/tls.ts";
import { tlsSettings } from "../../core/server/tls_options.ts";
import type { ClientCertificate, HandshakeWatcher, TlsSettings, Transport } from "../../core/seams.ts";
import { Variables } from "../../core/wires/cgi/variables.ts";
import { cgiRequest } from "../../core/wires/cgi/environ.ts";
import { runCommand } from "../server_process.ts";
import { hashOf, Random } from "./random.ts";
import { bytesOf } from "./target.ts";
import { targets } from "./targets/mod.ts";

describe("18.4 what the fuzzer has found passes", () => {
  it.each([
    ["http1", "CONNECT []:1 HTTP/1.1\r\n"],
    ["proxy", "PROXY TCP6 :: ::1.0.2.1 0 8\r\n"],
    ["proxy", "\ra"],
    ["proxy", "Px"],
    ["addresses", "::ffff:1 ::ffff:10"],
    ["addresses", "64:ff9b::/96 64:ff9b::192.0.2.1"],
    ["addresses", "::1% ::1%"],
    ["tls-options", "\r"],
    ["scgi", "69:CONTENT_LENGTH\x000\0REQUEST_METHOD\0GET\0REQUEST_URI\0/a?\nb\0SCGI\x001\0HTTP_A\0\0,"],
  ])("%s %j", async (name, text) => {
    const input = bytesOf(text);
    const target = await targets[name]!.load();
    for (let seed = 0; seed < 20; seed++) await target.check(input, new Random(hashOf(input) + seed));
  });
});

it.each(["node", "deno", "bun"] as const)("18.4 what the fuzzer has found is mended on %s", (runtime) => {
  const { binary, args } = runCommand(runtime, "tests/fuzz/found_main.ts");
  expect(JSON.parse(execFileSync(binary, args, { encoding: "utf8" }))).toEqual({
    addresses: [true, true, false, false],
    prefix: "StageError",
    tls: "OptionError",
    path: "/a",
    dropped: true,
    subject: "1.2.3=abc",
    emptySet: "RangeError",
  });
});

describe("18.4 addresses", () => {
  it.each(["::192.0.2.1", "64:ff9b::192.0.2.1", "1:2:3:4:5:6:1.2.3.4", "::ffff:1", "::ffff:10", "fe80::1%eth0"])(
    "%s is one: RFC 4291 2.2 lets the last words be an IPv4 address",
    (text) => expect(isAddress(text)).toBe(true),
  );
  it.each(["::1.2.3", "::1.2.3.256", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4::", "::1%", "1.2.3.4%eth0"])(
    "%s is none",
    (text) => expect(isAddress(text)).toBe(false),
  );
});

it("18.4 a byte that cannot belong to a PROXY prefix is refused at once, also behind a first piece that can", () => {
  expect(parsePrefix(bytesOf("\r"))).toBe(2);
  expect(parsePrefix(bytesOf("PRO"))).toBe(4);
  expect(() => parsePrefix(bytesOf("\ra"))).toThrow("does not begin with a prefix");
});

it("18.4 an option tls that is null is an OptionError, for a listener too", () => {
  expect(() => tlsSettings(null as never, "listen[0].tls")).toThrow("Option listen[0].tls: expected an object");
});

describe("18.4 SCGI without a path of its own", () => {
  it("a query with a line end is no part of PATH_INFO", () => {
    const variables = new Variables();
    for (const [name, value] of [["REQUEST_METHOD", "GET"], ["REQUEST_URI", "/a?\nb"]]) variables.add(name!, value!);
    const rules = { scriptName: "", limitRequestBody: 1, script: false };
    expect(cgiRequest({ SERVER_NAME: "h", SERVER_PORT: "80" }, variables, rules).environ.PATH_INFO).toBe("/a");
  });

  it("a header name with a small letter is dropped, also behind a line end", () => {
    const variables = new Variables();
    for (const [name, value] of [["REQUEST_METHOD", "GET"], ["HTTP_\nx", "1"]]) variables.add(name!, value!);
    const rules = { scriptName: "", limitRequestBody: 1, script: false };
    expect(cgiRequest({ SERVER_NAME: "h", SERVER_PORT: "80" }, variables, rules).environ).not.toHaveProperty(
      "HTTP_\nx",
    );
  });
});

/** DER: an element with a short content. */
function element(tag: number, ...content: string[]): string {
  const text = content.join("");
  return String.fromCharCode(tag, text.length) + text;
}

/** A certificate, as far as names need one, with this subject. */
function certificate(subject: string): Uint8Array {
  const fields = [element(0x02, "\x01"), element(0x30), element(0x30), element(0x30), element(0x30, subject)];
  return bytesOf(element(0x30, element(0x30, ...fields)));
}

function attribute(oid: string, value = element(0x0c, "x")): string {
  return element(0x31, element(0x30, element(0x06, oid), value));
}

describe("18.4 names of certificates", () => {
  it.each([
    ["a set without attributes", element(0x31)],
    ["an attribute with three elements", element(0x31, element(0x30, element(0x06, "\x55\x04\x03"), "\x05\0\x05\0"))],
    ["an attribute whose type is no object identifier", element(0x31, element(0x30, "\x0c\x01a\x0c\x01x"))],
    ["an object identifier with a number that is not minimal", attribute("\x55\x04\x80\x03")],
    ["an object identifier that ends within a number", attribute("\x55\x04\x83")],
    ["an object identifier of no bytes", attribute("")],
    ["a length that is not stated", `1\x80${element(0x30, element(0x06, "\x55\x04\x03"), "\x0c\x01x")}\0\0`],
    ["a tag of several bytes", attribute("\x55\x04\x03", "\x9f\x81\x01\x01x")],
  ])("%s: malformed", (_what, subject) => {
    expect(() => namesOf(certificate(subject))).toThrow("The certificate is malformed");
  });

  it("an object identifier may have numbers of any size", () => {
    const oid = `\x2a${"\xff".repeat(10)}\x7f`;
    expect(namesOf(certificate(attribute(oid))).subject).toBe(`1.2.${2n ** 77n - 1n}=x`);
  });

  it("a certificate that cannot be read is refused, and does not stop the server", () => {
    const refused: string[] = [];
    let watcher: HandshakeWatcher | undefined;
    const transport = { secure: (_unread: Uint8Array, one: HandshakeWatcher) => void (watcher = one) };
    const gate: Gate = { pass: () => refused.push("passed"), refuse: (reason) => refused.push(reason) };
    const stage = handshake({ certReqs: "optional" } as TlsSettings)(transport as unknown as Transport, gate);
    stage.receive(Uint8Array.of(22));
    const client = { der: certificate(element(0x31)), pem: "", serial: "1", validFrom: "", validTo: "" };
    watcher?.secured({
      version: "TLSv1.3",
      cipher: "c",
      protocol: undefined,
      client: client as unknown as ClientCertificate,
    });
    expect(refused).toEqual(["its certificate is not accepted: The certificate is malformed"]);
  });
});
