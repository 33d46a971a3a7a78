/**
 * `tsgi.request.waitUntil`: work that goes on behind the response, for which a server waits when it shuts down.
 */

import { expect, it } from "vitest";
import { serve } from "../../adapters/node.ts";
import type { Application, TcpServeOptions } from "../../mod.ts";
import { client } from "../../testing/mod.ts";
import { validator } from "../../wsgiref/validate.ts";

const QUIET: TcpServeOptions = { port: 0, onListen: () => {}, handleSignals: false };

/** An application that gives `work` to waitUntil. */
const behind = (work: () => Promise<unknown>): Application => (environ, startResponse) => {
  environ["tsgi.request"].waitUntil(work());
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return ["answered"];
};

async function answered(port: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
  expect(await response.text()).toBe("answered");
}

it("16.1 shutdown waits for the promises of waitUntil", async () => {
  const order: string[] = [];
  const work = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    order.push("work");
  };
  const server = await serve(behind(work), QUIET);
  await answered(server.address.port);
  await server.shutdown({ timeout: 20 });
  expect([...order, "shutdown"]).toEqual(["work", "shutdown"]);
});

it("16.1 shutdown waits no longer than its time-out, and says so", async () => {
  const log: string[] = [];
  const server = await serve(behind(() => new Promise(() => {})), { ...QUIET, errorLog: (text) => log.push(text) });
  await answered(server.address.port);
  await server.shutdown({ timeout: 0 });
  expect(log.join("")).toMatch(/1 promises? of waitUntil/);
});

it("16.1 what a promise of waitUntil rejects with is logged, with the request", async () => {
  const log: string[] = [];
  const server = await serve(behind(() => Promise.reject(new Error("in the background"))), {
    ...QUIET,
    errorLog: (text) => log.push(text),
  });
  await answered(server.address.port);
  await server.shutdown();
  expect(log.join("")).toMatch(/^tsgi: GET \/: waitUntil: Error: in the background/);
});

it("16.1 waitUntil takes promises only, also through the validator", async () => {
  const app = validator((environ, startResponse) => {
    const { waitUntil } = environ["tsgi.request"] as unknown as Record<string, (value: unknown) => void>;
    let message = "";
    try {
      waitUntil?.call(environ["tsgi.request"], 7);
    } catch (error) {
      message = (error as Error).message;
    }
    environ["tsgi.request"].waitUntil(Promise.resolve());
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return [message];
  });
  expect(await (await client(app).get("/")).text()).toBe("waitUntil: expected a promise, got number 7");
});
