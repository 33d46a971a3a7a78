/**
 * Makes prefixes of the PROXY protocol, version 2, by the letter of the protocol and with nothing of ours.
 *
 * @module
 */

/** The bytes of a latin-1 text. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** A prefix with a block of addresses and TLVs. */
export function prefixV2(command: number, family: number, block: readonly number[]): Uint8Array<ArrayBuffer> {
  const start = [...bytesOf("\r\n\r\n\0\r\nQUIT\n"), command, family, block.length >> 8, block.length & 255];
  return Uint8Array.from([...start, ...block]);
}

/** A TLV. */
export function tlv(type: number, value: readonly number[]): number[] {
  return [type, value.length >> 8, value.length & 255, ...value];
}

/** A prefix with a checksum behind `block` and before `rest`. */
export function withChecksum(
  command: number,
  family: number,
  block: readonly number[],
  rest: readonly number[] = [],
): Uint8Array<ArrayBuffer> {
  const bytes = prefixV2(command, family, [...block, ...tlv(3, [0, 0, 0, 0]), ...rest]);
  new DataView(bytes.buffer).setUint32(16 + block.length + 3, crc32c(bytes));
  return bytes;
}

/** CRC32c as a division of polynomials: the bits of each byte from the lowest on, the remainder reversed at the end. */
export function crc32c(bytes: Uint8Array): number {
  let remainder = 0xffffffffn;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const top = (remainder >> 31n) ^ BigInt((byte >> bit) & 1);
      remainder = ((remainder << 1n) & 0xffffffffn) ^ (top === 1n ? 0x1edc6f41n : 0n);
    }
  }
  const bits = (remainder ^ 0xffffffffn).toString(2).padStart(32, "0");
  return parseInt([...bits].reverse().join(""), 2);
}
