/** Upload: hashes a body of any size while it arrives, without storing it. Try `curl -T big.iso localhost:8000`. */

import { createHash } from "node:crypto";
import { type Environ, isMain, serve, type StartResponse } from "../mod.ts";

export async function app(environ: Environ, startResponse: StartResponse): Promise<string[]> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const bytes of environ["wsgi.input"]) {
    hash.update(bytes);
    size += bytes.length;
  }
  startResponse("200 OK", [["Content-Type", "text/plain; charset=utf-8"]]);
  return [`${hash.digest("hex")}  ${size} bytes\n`];
}

if (isMain(import.meta)) await serve(app);
