/**
 * The body of a request, for whoever reads it by a method of `Request`: straight from `wsgi.input`, without a stream.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";

/** What the methods of a `Request` that read its body are called. */
export type BodyMethod = "arrayBuffer" | "blob" | "bytes" | "formData" | "json" | "text";

/** All of them. */
export const BODY_METHODS: readonly BodyMethod[] = ["arrayBuffer", "blob", "bytes", "formData", "json", "text"];

const decoder = new TextDecoder(); // takes a byte order mark off, as the fetch standard wants

/** Whether a request with this method can have a body in the fetch standard. */
export function hasBody(method: string): boolean {
  return method !== "GET" && method !== "HEAD";
}

/** Reads the whole body and makes of it what a method of `Request` gives. */
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

/** The body as a stream, which reads no further ahead than it is read. */
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

/** The error of a second read. */
export function bodyUsedError(): TypeError {
  return new TypeError("Body is unusable: Body has already been read");
}
