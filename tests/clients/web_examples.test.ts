/**
 * The examples with routes, forms and sessions as their reader starts them, on each runtime: by fetch, and the form with an
 * upload by a browser.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Chromium } from "./chromium.ts";
import { Example, runtimes } from "./example.ts";
import { testWith } from "./tool.ts";

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

describe.each(runtimes)("19.28 examples on %s", (runtime) => {
  let router: Example;
  let form: Example;
  let todo: Example;

  beforeAll(async () => {
    [router, form, todo] = await Promise.all(
      (["router", "form", "todo"] as const).map((name) => Example.start(name, runtime)),
    ) as [Example, Example, Example];
  });

  afterAll(async () => void await Promise.all([router, form, todo].map((example) => example?.stop())));

  test("router.ts: JSON, a parameter, a refusal, a redirect", async () => {
    const get = async (path: string, init: RequestInit = {}): Promise<[number, string]> => {
      const response = await fetch(router.url(path), { redirect: "manual", ...init });
      return [response.status, await response.text()];
    };
    expect(await get("/api/books?q=Dick")).toEqual([200, '[["1","Moby Dick"]]']);
    expect(await get("/api/books/2")).toEqual([200, '{"id":"2","title":"Walden"}']);
    expect(await get("/api/books/9")).toEqual([404, "404 Not Found\nNo book 9\n"]);
    const headers = { "Content-Type": "application/json" };
    expect(await get("/api/books/3", { method: "PUT", body: '"Emma"', headers })).toEqual([201, '{"title":"Emma"}']);
    expect(await get("/api/books/3", { method: "PUT", body: "Emma", headers })).toEqual([
      400,
      "400 Bad Request\nExpected JSON in UTF-8 as body\n",
    ]);
    expect((await get("/api/books/3", { method: "DELETE" }))[0]).toBe(405);
    expect(await get("/old/api/books")).toEqual([308, "See /api/books\n"]);
    expect(await get("/echo/caf%C3%A9", { method: "POST" })).toEqual([200, "caf\u00e9"]);
  });

  test("todo.ts: a session, an upload, an event in another page, and refusals", async () => {
    const events = await fetch(todo.url("/changes"));
    const reader = (events.body as ReadableStream).pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe(":\n\n");
    const body = new FormData();
    body.append("by", "Ann <b>");
    body.append("text", "Feed the cat");
    body.append("photo", new File([PNG], "../cat.png", { type: "image/png" }));
    const added = await fetch(todo.url("/todos"), { method: "POST", body, redirect: "manual" });
    await added.body?.cancel();
    expect([added.status, added.headers.get("Location")]).toEqual([303, "/"]);
    expect((await reader.read()).value).toBe("data: change\n\n");
    await reader.cancel();
    const Cookie = added.headers.get("Set-Cookie")?.split(";")[0] as string;
    const page = await fetch(todo.url("/"), { headers: { Cookie } });
    expect(page.headers.get("Content-Security-Policy")).toContain("default-src 'self'");
    const html = await page.text();
    expect(html).toContain('value="Ann &lt;b&gt;"');
    expect(html).toContain('Feed the cat (Ann &lt;b&gt;) <img src="/photos/1"');
    const style = await fetch(todo.url("/static/style.css"));
    expect([style.status, style.headers.get("Content-Type")]).toEqual([200, "text/css; charset=utf-8"]);
    await style.body?.cancel();
    const photo = await fetch(todo.url("/photos/1"));
    expect(photo.headers.get("Content-Type")).toBe("image/png");
    expect(Buffer.from(await photo.arrayBuffer())).toEqual(PNG);
    const post = async (path: string, form: Record<string, string | File>): Promise<number> => {
      const body = new FormData();
      for (const [name, value] of Object.entries(form)) body.append(name, value);
      const response = await fetch(todo.url(path), { method: "POST", body, redirect: "manual" });
      await response.body?.cancel();
      return response.status;
    };
    expect(await post("/todos", { text: "" })).toBe(422);
    expect(await post("/todos", { text: "x", photo: new File(["x"], "x.html", { type: "text/html" }) })).toBe(415);
    expect(await post("/todos", { text: "x", photo: new File([new Uint8Array(1_000_001)], "x.png") })).toBe(413);
    expect(await post("/todos/1/done", {})).toBe(303);
    expect(await post("/todos/1/done", {})).toBe(404);
    expect(await (await fetch(todo.url("/"))).text()).not.toContain("Feed the cat");
  });

  testWith("chromium", "form.ts: a browser sends the form with a file, and shows the answer", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tsgi-upload-"));
    const content = Buffer.alloc(300_000, "\r\n--boundary\0");
    const browser = await Chromium.start();
    try {
      writeFileSync(join(folder, 'caf\u00e9 "1".bin'), content);
      await browser.command("Page.enable");
      await browser.command("Page.navigate", { url: form.url() });
      await expect.poll(() => browser.evaluate("document.querySelector('button')?.textContent"), { timeout: 15_000 })
        .toBe("Send");
      const { root } = await browser.command("DOM.getDocument") as { root: { nodeId: number } };
      const { nodeId } = await browser.command("DOM.querySelector", { nodeId: root.nodeId, selector: "[type=file]" });
      await browser.command("DOM.setFileInputFiles", { nodeId, files: [join(folder, 'caf\u00e9 "1".bin')] });
      await browser.evaluate("document.querySelector('[name=title]').value = 'J\u00fcrgen <b>'");
      await browser.evaluate("document.querySelector('button').click()");
      await expect.poll(() => browser.evaluate("document.title"), { timeout: 15_000 }).toBe("received");
      const hash = createHash("sha256").update(content).digest("hex");
      expect(await browser.evaluate("[...document.querySelectorAll('li')].map((item) => item.textContent)")).toEqual([
        "title: J\u00fcrgen <b>",
        `caf\u00e9 "1".bin: 300000 bytes, ${hash}`,
      ]);
    } finally {
      await browser.stop();
      rmSync(folder, { recursive: true });
    }
  });

  test("nothing was written to standard error", () => {
    expect([router, form, todo].map(({ stderr }) => stderr)).toEqual(["", "", ""]);
  });
});
