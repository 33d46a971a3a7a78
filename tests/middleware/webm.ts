/**
 * Makes a video in the WebM format of still pictures, so that the repository needs no video.
 *
 * A lossy WebP picture is a key frame of the codec VP8, and WebM is Matroska: nested elements, each an id, a size and
 * octets. The cues stand before the pictures, so that a player finds the place of any second without reading further.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** An element: its id in hexadecimal, and what it has. */
function element(id: string, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE((1n << 56n) | BigInt(body.length)); // a size of seven octets
  return Buffer.concat([Buffer.from(id, "hex"), size, body]);
}

function uint(id: string, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return element(id, bytes);
}

function text(id: string, value: string): Buffer {
  return element(id, Buffer.from(value));
}

function double(id: string, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return element(id, bytes);
}

/** The VP8 key frame in a lossy WebP picture. */
export function keyFrame(webp: Uint8Array): Uint8Array {
  const bytes = Buffer.from(webp);
  for (let at = 12; at < bytes.length;) {
    const size = bytes.readUInt32LE(at + 4);
    if (bytes.toString("latin1", at, at + 4) === "VP8 ") return bytes.subarray(at + 8, at + 8 + size);
    at += 8 + size + size % 2;
  }
  throw new Error("The picture is no lossy WebP");
}

/** A video of key frames, each shown for `duration` milliseconds. */
export function webm(frames: readonly Uint8Array[], width: number, height: number, duration: number): Uint8Array {
  const header = element(
    "1a45dfa3",
    ...[uint("4286", 1), uint("42f7", 1), uint("42f2", 4), uint("42f3", 8), text("4282", "webm")],
    ...[uint("4287", 2), uint("4285", 2)],
  );
  const info = element(
    "1549a966",
    ...[
      uint("2ad7b1", 1_000_000),
      double("4489", frames.length * duration),
      text("4d80", "tsgi"),
      text("5741", "tsgi"),
    ],
  );
  const video = element("e0", uint("b0", width), uint("ba", height));
  const track = element("ae", uint("d7", 1), uint("73c5", 1), uint("83", 1), text("86", "V_VP8"), video);
  const tracks = element("1654ae6b", track);
  const clusters = frames.map((frame, i) =>
    element("1f43b675", uint("e7", i * duration), element("a3", Buffer.from([0x81, 0, 0, 0x80]), frame))
  );
  const cuesOf = (first: number): Buffer => {
    let at = first;
    return element(
      "1c53bb6b",
      ...clusters.map((cluster, i) => {
        const place = element("b7", uint("f7", 1), uint("f1", at));
        at += cluster.length;
        return element("bb", uint("b3", i * duration), place);
      }),
    );
  };
  const before = info.length + tracks.length;
  const cues = cuesOf(before + cuesOf(0).length); // positions have a fixed length
  return Buffer.concat([header, element("18538067", info, tracks, cues, ...clusters)]);
}
