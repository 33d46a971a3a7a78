/**
 * Runs examples in one process, on any of the three runtimes. It imports them one after the other and prints the results.
 *
 * `console.assert` only prints; here it throws, and is remembered in case the example catches what it throws. A module
 * that exports `app` is a server program: being imported it does not listen, so its application is called here, and so
 * is the `fetch` of a default export. A server that it leaves running is asked once and shut down.
 *
 * @module
 */

import { type Application, type FetchHandler, toFetch } from "../../mod.ts";
import { askAndEnd } from "./served.ts";

/** What precedes each result on standard output. */
export const MARK = "example-result ";

/** The result of one example. */
export interface Result {
  readonly name: string;
  /** The error, or null. */
  readonly error: string | null;
}

const DEADLINE = 5000; // ms for one example

/** The exports of a block's module. */
interface Example {
  readonly app?: Application;
  readonly default?: { readonly fetch?: FetchHandler };
}

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
      await Promise.race([late, load().then((module) => use(module as Example))]);
    } catch (error) {
      failed ??= text(error);
    }
    clearTimeout(timer);
    console.log(`${MARK}${JSON.stringify({ name, error: failed } satisfies Result)}`);
  }
}

/** Uses the exports of a module as its reader would. */
async function use(module: Example): Promise<void> {
  if (typeof module.default?.fetch === "function") await call(module.default.fetch);
  if (module.app !== undefined) await call(toFetch(module.app));
  await askAndEnd();
}

/** Calls a handler; throws unless it answers 200 with a block. */
async function call(handler: FetchHandler): Promise<void> {
  const response = await handler(new Request("http://localhost/"));
  if (response.status !== 200) throw new Error(`app answered ${response.status}`);
  const reader = response.body?.getReader();
  const block = await reader?.read();
  await reader?.cancel();
  if (!block?.value?.length) throw new Error("app gave no block");
}

function text(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
