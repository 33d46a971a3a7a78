/** Echo: answers each request with JSON that describes it as the application saw it. */

import { type Environ, isMain, serve, type StartResponse } from "../mod.ts";

export async function app(environ: Environ, startResponse: StartResponse): Promise<string[]> {
  const body = await environ["wsgi.input"].read();
  const text = JSON.stringify({
    method: environ.REQUEST_METHOD,
    path_info: environ.PATH_INFO,
    query_string: environ.QUERY_STRING,
    headers: requestHeaders(environ),
    body: latin1(body),
  });
  startResponse("200 OK", [["Content-Type", "application/json"]]);
  return [text];
}

/** Returns the header fields under their lower-case HTTP names. */
function requestHeaders(environ: Environ): Record<string, string> {
  const headers = new Map<string, string>();
  for (const [key, value] of Object.entries(environ)) {
    const name = key === "CONTENT_TYPE" || key === "CONTENT_LENGTH"
      ? key
      : key.startsWith("HTTP_")
      ? key.slice(5)
      : null;
    if (name !== null) headers.set(name.toLowerCase().replaceAll("_", "-"), String(value));
  }
  return Object.fromEntries(headers);
}

/** Decodes latin-1: one character per byte. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

if (isMain(import.meta)) await serve(app);
