/**
 * Runs examples in one process, on any of the three runtimes: imports one after the other and says how each went.
 *
 * `console.assert` only prints; here it throws, and is remembered in case the example catches what it throws. A module
 * that exports `app` is a server program: being imported it does not listen, so its application is called here.
 *
 * @module
 */

import { type Application, toFetch } from "../../mod.ts";

/** What precedes each result on standard output. */
export const MARK = "example-result ";

/** How one example went. */
export interface Result {
  readonly name: string;
  /** What went wrong, or null. */
  readonly error: string | null;
}

const DEADLINE = 5000; // ms for one example

/** Imports each example by its function, and prints a {@linkcode Result} for each. */
export async function run(examples: readonly (readonly [name: string, load: () => Promise<unknown>])[]): Promise<void> {
  let failed: string | null = null;
  console.assert = (condition?: boolean, ...data: unknown[]): void => {
    if (condition) return;
    const error = new Error(`Assertion failed ${data.join(" ")}`);
    failed ??= text(error);
    throw error;
  };
  for (const [name, load] of examples) {
    failed = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Still running after ${DEADLINE} ms`)), DEADLINE);
    });
    try {
      await Promise.race([late, load().then((module) => call((module as { app?: Application }).app))]);
    } catch (error) {
      failed ??= text(error);
    }
    clearTimeout(timer);
    console.log(`${MARK}${JSON.stringify({ name, error: failed } satisfies Result)}`);
  }
}

/** Calls an application: it answers 200 and gives a block. */
async function call(app: Application | undefined): Promise<void> {
  if (app === undefined) return;
  const response = await toFetch(app)(new Request("http://localhost/"));
  if (response.status !== 200) throw new Error(`app answered ${response.status}`);
  const reader = response.body?.getReader();
  const block = await reader?.read();
  await reader?.cancel();
  if (!block?.value?.length) throw new Error("app gave no block");
}

function text(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
