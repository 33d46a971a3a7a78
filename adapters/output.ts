/**
 * Output memory shared by all sockets of a process.
 *
 * Small pieces, heads above all, are copied here and leave together: at the end of the feed in which they were made,
 * or in the next microtask when they were made outside one. What belongs to one socket is always contiguous, because
 * the memory has one owner at a time and is flushed before it changes hands.
 *
 * @module
 */

/** A socket that the memory is flushed to. */
export interface Outlet {
  /** Sends bytes. True when the memory may be reused at once, false when it has been given away. */
  send(bytes: Uint8Array): boolean;
}

/** Bytes above which a socket asks its wire to wait. */
export const HIGH_WATER_MARK = 65536;

const SIZE = 65536;
const FLUSH_AT = 32768;

let memory = new Uint8Array(SIZE);
let used = 0;
let owner: Outlet | undefined;
let fed: Outlet | undefined;
let scheduled = false;

/** Lends at least `min` bytes to `outlet`, valid until the next call of any function here. */
export function reserve(outlet: Outlet, min: number): Uint8Array {
  if (owner !== outlet) {
    flush();
    owner = outlet;
  }
  if (memory.length - used < min) {
    flush();
    owner = outlet;
    if (memory.length < min) memory = new Uint8Array(min);
  }
  return used === 0 ? memory : memory.subarray(used);
}

/** Takes the first `length` bytes of what was lent. */
export function commit(outlet: Outlet, length: number): void {
  used += length;
  if (used >= FLUSH_AT) return flush();
  if (fed === outlet || scheduled) return;
  scheduled = true;
  queueMicrotask(() => {
    scheduled = false;
    flush();
  });
}

/** Sends what is committed. */
export function flush(): void {
  if (used === 0) return;
  const outlet = owner as Outlet;
  const reusable = outlet.send(memory.subarray(0, used));
  used = 0;
  owner = undefined;
  if (!reusable || memory.length !== SIZE) memory = new Uint8Array(SIZE);
}

/** Forgets what `outlet` has committed: it is being destroyed. */
export function drop(outlet: Outlet): void {
  if (owner !== outlet) return;
  used = 0;
  owner = undefined;
}

/** Bytes that `outlet` has committed and that are not sent. */
export function pending(outlet: Outlet): number {
  return owner === outlet ? used : 0;
}

/** Runs one feed: what `outlet` commits during `deliver` leaves at its end. */
export function feed(outlet: Outlet, deliver: () => void): void {
  fed = outlet;
  try {
    deliver();
  } finally {
    fed = undefined;
    flush();
  }
}
