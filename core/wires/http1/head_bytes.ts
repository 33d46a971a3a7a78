/**
 * A cache of the last response heads as octets. A head that an application sends again within the same second is not
 * serialized again.
 *
 * Many heads are sent only once, since an ETag or a length differs. So a head is kept as text at first, which the caller
 * writes straight into its output, and becomes an array of bytes when it is sent a second time.
 *
 * `contract/response_head.ts` returns the same ResponseHead for equal heads, so comparing heads is a comparison of
 * references. Everything else that the bytes depend on is compared too, above all the second of the Date field.
 *
 * @module
 */

import { writeLatin1 } from "../../grammar.ts";
import type { HeaderList, Octets, ResponseHead } from "../../seams.ts";
import { type Framing, serializeHead } from "./serializer.ts";

const KEPT = 4;

/** The octets of a head, with everything that they depend on. */
interface Kept {
  readonly head: ResponseHead;
  readonly length: number | null;
  readonly framing: Framing;
  readonly connection: HeaderList;
  readonly server: string;
  readonly second: number;
  octets: Octets; // bytes from the second time on
}

const kept: (Kept | undefined)[] = new Array<Kept | undefined>(KEPT).fill(undefined);
let next = 0;

/** The octets of a head. They are shared: the caller copies them and does not change them. */
export function headOctets(
  head: ResponseHead,
  length: number | null,
  framing: Framing,
  connection: HeaderList,
  server: string,
): Octets {
  const now = Date.now();
  const second = Math.floor(now / 1000);
  for (let i = 0; i < KEPT; i++) {
    const one = kept[i];
    if (
      one !== undefined && one.head === head && one.length === length && one.framing === framing &&
      one.connection === connection && one.server === server && one.second === second
    ) return typeof one.octets === "string" ? one.octets = bytesOf(one.octets) : one.octets;
  }
  const octets = serializeHead(head, length, framing, connection, server, now);
  kept[next] = { head, length, framing, connection, server, second, octets };
  next = (next + 1) % KEPT;
  return octets;
}

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  writeLatin1(bytes, 0, text);
  return bytes;
}
