/**
 * Reads a request body for the methods of `Request`: directly from `wsgi.input`, without a stream.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";

/** Names of the `Request` methods that read the body. */
export type BodyMethod = "arrayBuffer" | "blob" | "bytes" | "formData" | "json" | "text";

/** All of them. */
export const BODY_METHODS: readonly BodyMethod[] = ["arrayBuffer", "blob", "bytes", "formData", "json", "text"];

const decoder = new TextDecoder(); // removes a byte order mark, as the fetch standard requires

/** Whether the fetch standard allows a body for this method. */
export function hasBody(method: string): boolean {
  return method !== "GET" && method !== "HEAD";
}

/** Reads the whole body and converts it to the result of a `Request` method. */
export async function readBody(environ: Environ, method: BodyMethod): Promise<unknown> {
  const bytes = await environ["wsgi.input"].read();
  switch (method) {
    case "text":
      return decoder.decode(bytes);
    case "json":
      return JSON.parse(decoder.decode(bytes));
    case "bytes":
      return bytes;
    case "arrayBuffer":
      return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
    default: {
      const type = environ.CONTENT_TYPE;
      const init = type === undefined || type === "" ? {} : { headers: { "Content-Type": type } };
      return new Response(bytes as Uint8Array<ArrayBuffer>, init)[method]();
    }
  }
}

/** Returns the body as a stream that does not read ahead. */
export function bodyStream(environ: Environ): ReadableStream<Uint8Array<ArrayBuffer>> {
  let blocks: AsyncIterator<Uint8Array> | undefined;
  return new ReadableStream({
    type: "bytes",
    async pull(controller): Promise<void> {
      blocks ??= environ["wsgi.input"][Symbol.asyncIterator]();
      const { done, value } = await blocks.next();
      if (done !== true) return controller.enqueue(value as Uint8Array<ArrayBuffer>);
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });
}

/** Makes the error for a second read. */
export function bodyUsedError(): TypeError {
  return new TypeError("Body is unusable: Body has already been read");
}
