/**
 * TLS as a stage before the wire: it waits for the first bytes of a connection, has the host do the handshake, and tells
 * the wire what the two ends have agreed on.
 *
 * The stage looks at the first byte before TLS does. So a client that speaks plain HTTP gets a response that says what is
 * wrong, on every runtime, and a connection that says nothing has cost no TLS session.
 *
 * What the environ of a secure connection has goes by the names of Apache's mod_ssl: SSL_PROTOCOL and SSL_CIPHER, and
 * SSL_CLIENT_* where the client has a certificate that was verified. One that is not good never gets as far as this.
 *
 * @module
 */

import type { ClientCertificate, Secured, TlsSettings } from "../seams.ts";
import { namesOf } from "./distinguished_name.ts";
import type { ConnectionFacts, Gate, Stage, StageInput } from "./stage.ts";

const HANDSHAKE = 22; // the content type of a TLS record (RFC 8446 5.1)
const [UPPER_A, UPPER_Z] = [65, 90]; // a plain request begins with a method
const NO_BYTES = new Uint8Array(0);
const PLAIN_HTTP = new TextEncoder().encode(
  "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 60\r\nConnection: close\r\n\r\n" +
    "This port speaks HTTPS. The request came as HTTP, in clear.\n",
);

/** Variables that connections without a client certificate share, by their values: a handful in all. */
const shared = new Map<string, Readonly<Record<string, string>>>();

/** The stage of a listener with `tls`. */
export function handshake({ certReqs }: TlsSettings): Stage {
  return (transport, gate) => {
    const secured = (facts: Secured): void => {
      const problem = problemOf(facts.client, certReqs);
      if (problem !== undefined) return gate.refuse(problem);
      let variables: Readonly<Record<string, string>>;
      try {
        variables = variablesOf(facts);
      } catch (error) { // OpenSSL accepts encodings that are not DER
        return gate.refuse(`its certificate is not accepted: ${(error as Error).message}`);
      }
      gate.pass({ secure: true, variables }, NO_BYTES);
    };
    const failed = (reason: string): void => gate.refuse(`its TLS handshake failed: ${reason}`);
    return {
      receive: (bytes) => {
        const first = bytes[0] as number;
        if (first === HANDSHAKE) transport.secure?.(bytes, { secured, failed });
        else if (first >= UPPER_A && first <= UPPER_Z) gate.refuse("it speaks HTTP without TLS", PLAIN_HTTP);
        else gate.refuse("it does not begin with a TLS handshake");
      },
    };
  };
}

/** A stage that begins with what another one has left. Its facts are those of both. */
export function inTurn(first: Stage, second: Stage): Stage {
  return (transport, gate) => {
    let next: StageInput | undefined;
    const between: Gate = {
      refuse: (reason, answer) => gate.refuse(reason, answer),
      pass: (facts, unread) => {
        if (facts.peer !== undefined) transport.peer = facts.peer; // so that the log names the client
        const pass = (more: ConnectionFacts, rest: Uint8Array): void => gate.pass({ ...facts, ...more }, rest);
        next = second(transport, { pass, refuse: between.refuse });
        if (unread.length > 0) next.receive(unread);
      },
    };
    const input = first(transport, between);
    return { receive: (bytes) => (next ?? input).receive(bytes) };
  };
}

/** Why a client is turned away: it has not proved who it is. */
function problemOf(client: ClientCertificate | undefined, certReqs: TlsSettings["certReqs"]): string | undefined {
  if (client?.problem !== undefined) return `its certificate is not accepted: ${client.problem}`;
  return client === undefined && certReqs === "required" ? "it has no certificate, which certReqs requires" : undefined;
}

function variablesOf({ version, cipher, client }: Secured): Readonly<Record<string, string>> {
  const both = { SSL_PROTOCOL: version, SSL_CIPHER: cipher };
  if (client !== undefined) return { ...both, ...clientVariables(client) };
  const key = `${version} ${cipher}`;
  const known = shared.get(key);
  if (known === undefined) shared.set(key, both);
  return known ?? both;
}

function clientVariables(client: ClientCertificate): Record<string, string> {
  const { subject, issuer } = namesOf(client.der);
  return {
    SSL_CLIENT_VERIFY: "SUCCESS",
    SSL_CLIENT_S_DN: subject,
    SSL_CLIENT_I_DN: issuer,
    SSL_CLIENT_M_SERIAL: client.serial,
    SSL_CLIENT_V_START: client.validFrom,
    SSL_CLIENT_V_END: client.validTo,
    SSL_CLIENT_CERT: client.pem,
  };
}
