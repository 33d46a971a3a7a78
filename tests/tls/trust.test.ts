/** Whether a certificate in a resumed session leads to an authority, by the chain that the client has sent. */

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isTrusted } from "../../adapters/tls_trust.ts";
import { Certificates, type Pair } from "./certificates.ts";

const SIGNS = ["basicConstraints=critical,CA:TRUE"];
const DAY = 24 * 60 * 60 * 1000;

let made: Certificates;
let other: Certificates; // its authority has the same name
beforeAll(() => {
  made = new Certificates();
  other = new Certificates();
});
afterAll(() => {
  made.remove();
  other.remove();
});

function read(path: string): X509Certificate {
  return new X509Certificate(readFileSync(path));
}

/** The certificate of a client that has sent a chain, as runtimes show it. */
function sent(...chain: readonly Pair[]): X509Certificate {
  const [first, ...rest] = chain as readonly [Pair, ...Pair[]];
  const certificate = read(first.cert);
  return rest.length === 0
    ? certificate
    : Object.defineProperty(certificate, "issuerCertificate", { value: sent(...rest) });
}

describe("18.1 a certificate in a resumed session", () => {
  it("is good if an authority has signed it, directly or by certificates that may sign others", () => {
    const authorities = [read(made.ca)];
    const client = made.signed("client");
    const between = made.signed("between", { extensions: SIGNS });
    const behind = made.signed("behind", { by: between, algorithm: "rsa" });
    const uses = (name: string): Pair => made.signed(name, { extensions: [`extendedKeyUsage=${name}`] });
    for (const good of [[client], [behind, between], [uses("clientAuth")], [uses("clientAuth,serverAuth")]]) {
      expect(isTrusted(sent(...good), authorities)).toBe(true);
    }
    expect(isTrusted(sent(behind), [...authorities, read(between.cert)])).toBe(true);
    const alone = made.stranger("alone");
    expect(isTrusted(sent(alone), [read(alone.cert)])).toBe(true);

    const posing = made.signed("posing", { by: client }); // the client may not sign others
    for (
      const bad of [
        [alone],
        [behind],
        [behind, client],
        [posing, client],
        [uses("serverAuth")],
        [other.signed("foreign")],
      ]
    ) expect(isTrusted(sent(...bad), authorities)).toBe(false);
    expect(isTrusted(sent(client), [])).toBe(false);
  });

  it("is good in its time only, and in that of those who have signed it", () => {
    const client = made.signed("late");
    const ca = read(made.ca); // for three days, the client for two
    const trusted = (days: number): boolean => isTrusted(sent(client), [ca], Date.now() + days * DAY);
    expect([-1, 0, 1.9, 2.1, 4].map(trusted)).toEqual([false, true, true, false, false]);
  });
});
