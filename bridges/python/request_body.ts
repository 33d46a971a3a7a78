/**
 * The sources of request bodies for Python processes.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";
import type { BodySource } from "./call.ts";
import { SpooledBuffer } from "./spooled_buffer.ts";

const INLINE = 64 * 1024; // bytes of a body that is sent with its request

/** The body of a request that has none. */
export const NO_BODY: BodySource = {
  whole: [],
  next: () => Promise.resolve(undefined),
  live: false,
  close: () => {},
};

/** A body that the application takes from the client while it arrives. */
export function liveBody(input: Environ["wsgi.input"]): BodySource {
  const blocks = input[Symbol.asyncIterator]();
  return {
    whole: null,
    next: async () => (await blocks.next()).value ?? undefined,
    live: true,
    close: () => {},
  };
}

/**
 * Reads the whole body. A body without CONTENT_LENGTH, which is a chunked one, gets it: Django reads no other.
 *
 * @throws {InputError} (as a rejection) when it cannot be read.
 */
export async function bufferedBody(environ: Environ, limit: number, folder: string): Promise<BodySource> {
  const buffer = new SpooledBuffer(limit, folder);
  try {
    for await (const block of environ["wsgi.input"]) {
      buffer.push(block);
      if (buffer.isFull) await new Promise<void>((resume) => buffer.drained(resume));
    }
  } catch (error) {
    buffer.close();
    throw error;
  }
  buffer.end();
  if (environ.CONTENT_LENGTH === undefined || environ.CONTENT_LENGTH === "") {
    if (buffer.length > 0) environ.CONTENT_LENGTH = String(buffer.length);
  }
  const { blocks } = buffer;
  const whole = blocks !== undefined && buffer.length <= INLINE ? blocks : null;
  let closed = false;
  return {
    whole,
    next: async () => {
      if (closed) throw new Error("the request is over"); // a cut body must not look like a whole one
      return await buffer.next();
    },
    live: false,
    close: () => {
      closed = true;
      buffer.close();
    },
  };
}
