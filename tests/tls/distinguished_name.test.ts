/** The names of certificates, compared with what OpenSSL makes of them, and with what no certificate is. */

import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { namesOf } from "../../core/server/distinguished_name.ts";
import { Certificates } from "./certificates.ts";

let made: Certificates;
beforeAll(() => void (made = new Certificates()));
afterAll(() => made.remove());

function der(path: string): Uint8Array {
  return new X509Certificate(readFileSync(path)).raw;
}

describe("18.1 the names of a certificate", () => {
  it.each([
    ["/CN=someone"],
    ["/C=DE/ST=Bavaria/L=Munich/O=Acme/OU=Sales/CN=a.test/emailAddress=a@b.test"],
    ["/DC=test/DC=acme/UID=7/CN=someone"],
    ['/O=Acme, Inc; <b> + "c"/CN=a=b'],
    ["/CN= two spaces at the end  "],
    ["/CN=#hash"],
    ["/CN= "],
    ["/CN=a\nO=evil,CN=admin"],
    ["/CN=tr\u00e9s \u20ac \u{1f600}"],
    ["/CN=one+OU=two/O=three"],
    ["/CN=back\\\\slash"],
    ["/1.2.3.4.5.6=unknown/CN=x"],
    ["/serialNumber=12/GN=Given/SN=Family/title=Dr/CN=x"],
  ])("%j", (subject) => {
    const { cert } = made.signed("name", { subject });
    const text = execFileSync("openssl", ["x509", "-in", cert, "-noout", "-subject", "-nameopt", "RFC2253"], {
      encoding: "utf8",
    });
    const { subject: ours, issuer } = namesOf(der(cert));
    expect(ours.replace(/#[0-9A-F]+$/, "").replace("1.2.3.4.5.6=unknown", "1.2.3.4.5.6=#"))
      .toBe(text.replace(/^subject=/, "").replace(/\n$/, "").replace(/1\.2\.3\.4\.5\.6=#[0-9A-F]+/, "1.2.3.4.5.6=#"));
    expect(issuer).toBe("CN=An authority of tests");
    expect(ours).toMatch(/^[ -~]*$/);
  });

  it("no cut of a certificate is read beyond its end", () => {
    const whole = der(made.signed("cut").cert);
    for (let length = 0; length < whole.length; length++) {
      expect(() => namesOf(whole.subarray(0, length))).toThrow(RangeError);
    }
  });
});
