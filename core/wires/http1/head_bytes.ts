/**
 * Response heads as bytes, the last ones kept: what an application says again in the same second is written again.
 *
 * The gateway gives the same ResponseHead for equal heads (`gateway/response.ts`), so that knowing one again is a
 * comparison of references; everything else that a head depends on is compared with it, the second of its Date above
 * all.
 *
 * @module
 */

import { writeLatin1 } from "../../grammar.ts";
import type { ResponseHead } from "../../seams.ts";
import { type Framing, serializeHead } from "./serializer.ts";

const KEPT = 4;

/** A head, and all that its bytes were made of. */
interface Kept {
  readonly head: ResponseHead;
  readonly length: number | null;
  readonly framing: Framing;
  readonly http11: boolean;
  readonly keepAlive: boolean;
  readonly serverHeader: string;
  readonly second: number;
  readonly bytes: Uint8Array;
}

const kept: (Kept | undefined)[] = new Array<Kept | undefined>(KEPT).fill(undefined);
let next = 0;

/** The bytes of a head. They are shared: copy them, and change nothing. */
export function headBytes(
  head: ResponseHead,
  length: number | null,
  framing: Framing,
  http11: boolean,
  keepAlive: boolean,
  serverHeader: string,
): Uint8Array {
  const now = Date.now();
  const second = Math.floor(now / 1000);
  for (let i = 0; i < KEPT; i++) {
    const one = kept[i];
    if (
      one !== undefined && one.head === head && one.length === length && one.framing === framing &&
      one.http11 === http11 && one.keepAlive === keepAlive && one.serverHeader === serverHeader && one.second === second
    ) return one.bytes;
  }
  const text = serializeHead(head, length, framing, { http11, keepAlive, serverHeader }, now);
  const bytes = new Uint8Array(text.length);
  writeLatin1(bytes, 0, text);
  kept[next] = { head, length, framing, http11, keepAlive, serverHeader, second, bytes };
  next = (next + 1) % KEPT;
  return bytes;
}
