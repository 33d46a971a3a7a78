/**
 * The code that all shapes of application share, because it does not depend on a framework.
 *
 * @module
 */

import { existsSync } from "node:fs";

/** The blocks of `/stream`: the second one waits until the client has said that it has the first. */
export const BLOCKS = ["first;", "second;"] as const;

/** What the errors say. */
export const FAILURE = "failed on purpose";

const POLL = 10; // ms between looks at the file
const PATIENCE = 20_000; // ms

/** Waits for a file, which the client makes once it has the first block. Processes of a cell share nothing else. */
export async function gate(path: string): Promise<void> {
  for (const end = Date.now() + PATIENCE; !existsSync(path);) {
    if (Date.now() > end) throw new Error(`There is no ${path}`);
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

/** What is answered to an upload: its length, and a sum in which each byte and its place counts. */
export function receipt(bytes: Uint8Array): string {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum = (sum * 31 + (bytes[i] as number)) % 1_000_003;
  return `${bytes.length} ${sum}`;
}

/** A stream of the two blocks, the second behind the gate; or of the first, and an error there. */
export function stream(path: string, fails = false): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let pulled = 0;
  return new ReadableStream({
    pull: async (controller) => {
      if (pulled++ === 0) return controller.enqueue(encoder.encode(BLOCKS[0]));
      await gate(path);
      if (fails) return controller.error(new Error(FAILURE));
      controller.enqueue(encoder.encode(BLOCKS[1]));
      controller.close();
    },
  }, { highWaterMark: 0 });
}
