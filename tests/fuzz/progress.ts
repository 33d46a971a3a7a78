/**
 * What the main thread of the fuzzer and its workers share.
 *
 * @module
 */

import type { Mutant } from "./mutants.ts";

/** What a worker gets. */
export interface Task {
  readonly target: string;
  readonly seed: number;
  readonly runs: number;
  readonly seconds: number;
  /** The only input to run, in hexadecimal. */
  readonly input: string | undefined;
  /** The fault that is put in. */
  readonly mutant?: Mutant;
  /** Memory that the worker shows its progress in: see {@linkcode PROGRESS}. */
  readonly progress: SharedArrayBuffer;
}

/** The layout of the shared memory: the number of executions, the length of the running input, then its bytes. */
export const PROGRESS = { executions: 0, length: 1, bytes: 8, most: 131072 } as const;
