/**
 * An application runs as a service worker in a browser: Chromium answers a page's own requests with it.
 *
 * The bundle is made of `mod_fetch.ts`, which the package is in a browser, and may import nothing, so that the test also
 * fails where the package would load a module of a runtime there.
 *
 * @module
 */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { Chromium } from "./chromium.ts";
import { find, testWith } from "./tool.ts";

const root = join(import.meta.dirname, "../..");

const WORKER = `
  import { toFetch } from "tsgi";
  const app = async (environ, startResponse) => {
    const text = new TextDecoder().decode(await environ["wsgi.input"].read());
    startResponse("201 Created", [["Content-Type", "text/plain"], ["X-Path", environ["PATH_INFO"]]]);
    return [environ["REQUEST_METHOD"], " ", environ["QUERY_STRING"], " ", text].map((block) => new TextEncoder().encode(block));
  };
  const handler = toFetch(app);
  addEventListener("install", () => skipWaiting());
  addEventListener("activate", (event) => event.waitUntil(clients.claim()));
  addEventListener("fetch", (event) => {
    if (new URL(event.request.url).pathname.startsWith("/app/")) event.respondWith(handler(event.request));
  });
`;

const PAGE = `<!doctype html><title>waits</title><script type="module">
  await navigator.serviceWorker.register("/worker.js", { type: "module" });
  if (navigator.serviceWorker.controller === null) {
    await new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
  }
  const response = await fetch("/app/a%20b?c=d", { method: "POST", body: "text" });
  const missing = await fetch("/elsewhere");
  window.seen = [response.status, response.headers.get("X-Path"), await response.text(), missing.status];
</script>`;

/** The worker and the package in one module. */
async function bundle(): Promise<string> {
  const build = await rolldown({
    input: "worker",
    platform: "browser",
    resolve: { alias: { tsgi: join(root, "mod_fetch.ts") } },
    plugins: [{
      name: "worker",
      resolveId: (id) => id === "worker" ? id : null,
      load: (id) => id === "worker" ? WORKER : null,
    }],
  });
  const { output } = await build.generate({ format: "es" });
  await build.close();
  expect(output[0].imports).toEqual([]);
  return output[0].code;
}

describe("Chromium", () => {
  let site: Server;
  let chromium: Chromium | undefined;

  beforeAll(async () => {
    const worker = await bundle();
    site = createServer((request, response) => {
      if (request.url === "/") response.writeHead(200, { "Content-Type": "text/html" }).end(PAGE);
      else if (request.url !== "/worker.js") response.writeHead(404).end();
      else response.writeHead(200, { "Content-Type": "text/javascript" }).end(worker);
    });
    await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
    if (find("chromium") !== null) chromium = await Chromium.start();
  });

  afterAll(async () => {
    await chromium?.stop();
    site.closeAllConnections();
    await new Promise((resolve) => site.close(resolve));
  });

  testWith("chromium", "an application is a service worker", async () => {
    const browser = chromium as Chromium;
    await browser.command("Page.navigate", { url: `http://127.0.0.1:${(site.address() as AddressInfo).port}/` });
    await expect.poll(() => browser.evaluate("window.seen"), { timeout: 15_000 })
      .toEqual([201, "/app/a b", "POST c=d text", 404]);
  });
});
