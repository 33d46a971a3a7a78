/**
 * Who may resume a session: whether the certificate in it is good for the listener that resumes it.
 *
 * Node and Bun keep sessions apart by listener and by authorities, and remember whether the certificate in one was good.
 * On Deno all TLS servers of a process share their sessions, and the certificate in a resumed session always counts as
 * good: also where another listener with other authorities has made the session, and where an authority has been
 * withdrawn since. So there the certificate is verified anew: signatures, times, and who may sign and for what (RFC 5280
 * 6.1). Constraints of an authority on names and on the length of a chain were checked in the handshake.
 *
 * @module
 */

import type { X509Certificate } from "node:crypto";

const MOST = 10; // certificates in a chain
const FOR_CLIENTS: readonly string[] = ["1.3.6.1.5.5.7.3.2", "2.5.29.37.0"]; // clientAuth and anyExtendedKeyUsage

/**
 * Whether the certificate of a client leads to one of the authorities, by the chain that the client has sent.
 *
 * @param authorities The certificates of the option `ca`.
 */
export function isTrusted(
  client: X509Certificate,
  authorities: readonly X509Certificate[],
  now: number = Date.now(),
): boolean {
  const uses: readonly string[] | undefined = client.keyUsage; // extended key usages, if it is limited to some
  if (uses !== undefined && uses.length > 0 && !uses.some((use) => FOR_CLIENTS.includes(use))) return false;
  let one: X509Certificate | undefined = client;
  for (let depth = 0; one !== undefined && depth < MOST; depth++) {
    const certificate: X509Certificate = one;
    if (!isCurrent(certificate, now) || (depth > 0 && !certificate.ca)) return false;
    if (authorities.some((authority) => certificate.raw.equals(authority.raw))) return true;
    if (authorities.some((authority) => isCurrent(authority, now) && isIssuedBy(certificate, authority))) return true;
    const issuer: X509Certificate | undefined = certificate.issuerCertificate;
    one = issuer !== undefined && isIssuedBy(certificate, issuer) ? issuer : undefined;
  }
  return false;
}

function isCurrent({ validFrom, validTo }: X509Certificate, now: number): boolean {
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo);
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch { // a key or a signature that the runtime does not know
    return false;
  }
}
