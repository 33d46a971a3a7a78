/** How slow the slow side is: pauses keep the queue full, and a GiB still takes only seconds. */

/** Bytes between two pauses. */
export const SLOW_BYTES = 262144;
/** Milliseconds of a pause. */
export const SLOW_PAUSE = 1;
/** Bytes of a block of a download. */
export const BLOCK = 65536;
