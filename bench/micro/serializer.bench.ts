/**
 * The serializer of HTTP/1.1 response heads, without sockets.
 *
 *     npm run bench:micro
 *
 * @module
 */

import { expect, test } from "vitest";
import { connectionField, serializeHead } from "../../core/wires/http1/serializer.ts";
import type { HeaderList, ResponseHead } from "../../core/seams.ts";

const connection = connectionField(true, true);

function head(headers: HeaderList, contentLength: number | null): ResponseHead {
  return { status: "200 OK", code: 200, headers, contentLength, hasDate: false, hasServer: false };
}

const two = head([["Content-Type", "text/plain"], ["Content-Length", "14"]], 14);
const typical = head([
  ["Content-Type", "text/html; charset=utf-8"],
  ["Cache-Control", "no-store"],
  ["Content-Security-Policy", "default-src 'self'"],
  ["Set-Cookie", "session=8f14e45fceea167a5a36dedd4bea2543; HttpOnly; Secure; SameSite=Lax"],
  ["Vary", "Accept-Encoding, Cookie"],
  ["X-Request-Id", "7d444840-9dc0-11d1-b245-5ffdce74fad2"],
], null);

test("a response head", async ({ bench }) => {
  const results = await bench.compare(
    bench("2 fields, length stated", () => void serializeHead(two, 14, "length", connection, "")),
    bench("6 fields, length added", () => void serializeHead(typical, 2048, "length", connection, "")),
    bench("6 fields, chunked", () => void serializeHead(typical, null, "chunked", connection, "")),
  );
  expect(results).toBeDefined();
});
