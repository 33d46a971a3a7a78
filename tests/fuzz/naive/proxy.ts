/**
 * A deliberately simple reader of the PROXY protocol, which has all bytes at once and shares no code with core.
 *
 * @module
 */

import { isIPv4, isIPv6 } from "node:net";
import { crc32c } from "../../host/proxy_prefix.ts";

/** The two ends that a prefix states, as `address port address port`; or that it states none. */
export type NaiveEnds = readonly [string, string, string, string] | "unknown" | "unix";

/** The ends and the length of the prefix; `"refused"`; or `"more"` if bytes are missing. */
export type NaivePrefix = { readonly ends: NaiveEnds; readonly length: number } | "refused" | "more";

const V1 = "PROXY ";
const V1_MOST = 107;
const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";

/** Reads the prefix of some bytes. */
export function naiveProxy(bytes: Uint8Array): NaivePrefix {
  const text = Buffer.from(bytes).toString("latin1");
  if (V1.startsWith(text) || SIGNATURE.startsWith(text)) return "more";
  if (text.startsWith(V1)) return lineOf(text);
  return text.startsWith(SIGNATURE) ? binary(bytes) : "refused";
}

function lineOf(text: string): NaivePrefix {
  const start = text.slice(0, V1_MOST);
  const [, line, next] = /^([^\r]*)\r(.)/s.exec(start) ?? [];
  if (line === undefined) return text.length < V1_MOST ? "more" : "refused";
  if (next !== "\n" || line.includes("\n")) return "refused";
  const length = line.length + 2;
  const [, family, ...rest] = line.split(" ");
  if (family === "UNKNOWN") return { ends: "unknown", length };
  const isAddress = { TCP4: isIPv4, TCP6: (one: string) => isIPv6(one) && !one.includes("%") }[family ?? ""];
  const [source = "", destination = "", from = "", to = ""] = rest;
  const isPort = (port: string): boolean => /^[0-9]{1,5}$/.test(port) && String(Number(port)) === port && +port < 65536;
  if (isAddress === undefined || rest.length !== 4) return "refused";
  if (!isAddress(source) || !isAddress(destination) || !isPort(from) || !isPort(to)) return "refused";
  return { ends: [source, from, destination, to], length };
}

function binary(bytes: Uint8Array): NaivePrefix {
  if (bytes.length < 16) return "more";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [command, family] = [view.getUint8(12), view.getUint8(13)];
  const length = 16 + view.getUint16(14);
  const whole = bytes.length >= length;
  if (command === 0x20) return whole ? { ends: "unknown", length } : "more";
  const [net, transport] = [family >> 4, family & 15];
  if (command !== 0x21 || net > 3 || transport > 2) return "refused";
  const at = 16 + ([0, 12, 36, 216][net] as number);
  if (at > length) return "refused";
  if (!whole) return "more";
  for (let tlv = at; tlv < length;) {
    if (tlv + 3 > length) return "refused";
    const size = view.getUint16(tlv + 1);
    if (tlv + 3 + size > length) return "refused";
    if (view.getUint8(tlv) === 0x20 && size < 5) return "refused";
    if (view.getUint8(tlv) === 3) {
      if (size !== 4) return "refused";
      const copy = bytes.slice(0, length).fill(0, tlv + 3, tlv + 7);
      if (crc32c(copy) !== view.getUint32(tlv + 3)) return "refused";
    }
    tlv += 3 + size;
  }
  if (transport !== 1 || net === 0) return { ends: "unknown", length };
  if (net === 3) return { ends: "unix", length };
  const size = net === 1 ? 4 : 16;
  const address = (start: number): string => {
    const part = [...bytes.subarray(start, start + size)];
    if (size === 4) return part.join(".");
    const words = part.flatMap((high, i) => i % 2 === 0 ? [(high * 256 + (part[i + 1] as number)).toString(16)] : []);
    return words.join(":");
  };
  const ports = 16 + 2 * size;
  const [from, to] = [view.getUint16(ports), view.getUint16(ports + 2)];
  return { ends: [address(16), `${from}`, address(16 + size), `${to}`], length };
}
