/**
 * A browser shows the events of examples/stream.ts one by one, on each runtime.
 *
 * The application waits 200 ms after each event. A server that gathers its output would deliver them together, and the
 * times at which the browser saw them would be equal: so the time between two of them is what is asserted, as the
 * network side of the browser saw it and, apart from that, as the page did.
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Chromium } from "./chromium.ts";
import { Example, runtimes } from "./example.ts";
import { find, testWith } from "./tool.ts";

const LEAST = 100; // ms between two events; the application waits 200
const MOST = 3_000; // ms

/** Runs before the page's own script: notes when each item appears. */
const watch = `
  window.seen = [];
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) if (node.nodeName === "LI") window.seen.push([node.textContent, performance.now()]);
    }
  }).observe(document, { childList: true, subtree: true });
`;

describe.each(runtimes)("Chromium, %s", (runtime) => {
  let server: Example;
  let chromium: Chromium | undefined;

  beforeAll(async () => {
    server = await Example.start("stream", runtime);
    if (find("chromium") !== null) chromium = await Chromium.start();
  });

  afterAll(async () => {
    await chromium?.stop();
    await server.stop();
  });

  testWith("chromium", "five events arrive one by one", async () => {
    const browser = chromium as Chromium;
    await browser.command("Network.enable");
    await browser.command("Page.enable");
    await browser.command("Page.addScriptToEvaluateOnNewDocument", { source: watch });
    await browser.command("Page.navigate", { url: server.url() });
    await expect.poll(() => browser.evaluate("window.seen?.length"), { timeout: 15_000 }).toBe(5);

    const network = browser.events.filter(({ method }) => method === "Network.eventSourceMessageReceived")
      .map(({ params }): [string, number] => [String(params["data"]), Number(params["timestamp"]) * 1000]);
    expectOneByOne(network);
    expectOneByOne(await browser.evaluate("window.seen") as [string, number][]);
    expect(await browser.evaluate("document.title")).toBe("tsgi stream");
  });

  testWith("chromium", "the page closes its stream, and the application's generator ends", async () => {
    await expect.poll(() => server.stderr, { timeout: 5_000 }).toBe("stream over\n");
  });

  test("the server still runs", () => {
    expect(server.alive).toBe(true);
  });
});

function expectOneByOne(seen: readonly (readonly [string, number])[]): void {
  expect(seen.map(([text]) => text)).toEqual(["1", "2", "3", "4", "5"]);
  const gaps = seen.slice(1).map(([, time], i) => time - (seen[i] as readonly [string, number])[1]);
  for (const gap of gaps) {
    expect(gap, `ms between events: ${gaps}`).toBeGreaterThanOrEqual(LEAST);
    expect(gap, `ms between events: ${gaps}`).toBeLessThan(MOST);
  }
}
