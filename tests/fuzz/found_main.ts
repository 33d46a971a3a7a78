/**
 * Runs what the fuzzer has found on the runtime that runs this file, and prints what becomes of it.
 */

import { namesOf } from "../../core/server/distinguished_name.ts";
import { isAddress } from "../../core/server/peer_policy.ts";
import { parsePrefix } from "../../core/server/proxy_protocol.ts";
import { tlsSettings } from "../../core/server/tls_options.ts";
import { cgiRequest } from "../../core/wires/cgi/environ.ts";
import { Variables } from "../../core/wires/cgi/variables.ts";

function nameOfError(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).name;
  }
  return "none";
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

const variables = new Variables();
variables.add("REQUEST_METHOD", "GET");
variables.add("REQUEST_URI", "/a?\nb");
variables.add("HTTP_\nx", "1");
const rules = { scriptName: "", limitRequestBody: 1, script: false };
const { environ } = cgiRequest({ SERVER_NAME: "h", SERVER_PORT: "80" }, variables, rules);
const named = `0\x1a0\x18\x02\x01\x010\x000\x000\x000\x0d1\x0b0\x09\x06\x02\x2a\x03\x0c\x03abc`;
const emptySet = `0\x0f0\x0d\x02\x01\x010\x000\x000\x000\x021\x00`;

console.log(JSON.stringify({
  addresses: ["64:ff9b::192.0.2.1", "::ffff:1", "::1%", "1:2:3:4:5:6:7:1.2.3.4"].map(isAddress),
  prefix: nameOfError(() => parsePrefix(bytes("\ra"))),
  tls: nameOfError(() => tlsSettings(null as never, "tls")),
  path: environ.PATH_INFO,
  dropped: !("HTTP_\nx" in environ),
  subject: namesOf(bytes(named)).subject,
  emptySet: nameOfError(() => namesOf(bytes(emptySet))),
}));
