/**
 * The handlers for Deno.serve and Bun.serve, one for each job. They ignore URL and headers.
 *
 * @module
 */

import { HELLO, type Job } from "../workloads.ts";
import { blocks, k64Body } from "./jobs.ts";

type Handler = (request: Request) => Response | Promise<Response>;

const BYTES = { headers: { "Content-Type": "application/octet-stream" } };

/** An async generator as a stream. */
function streamed(generator: AsyncGenerator<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await generator.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await generator.return(undefined);
    },
  });
}

/** The handlers. Both servers state the length of a body that is here as a whole. */
export const handlers: Readonly<Record<Job, Handler>> = {
  hello: () => new Response(HELLO, { headers: { "Content-Type": "text/plain" } }),
  echo: async (request) => new Response(await request.arrayBuffer(), BYTES),
  k64: () => new Response(k64Body, BYTES),
  stream: () => new Response(streamed(blocks()), BYTES),
};
