/**
 * A browser shows examples/static_site.ts on each runtime: its images, a video in which it moves around, and a reload.
 *
 * @module
 */

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Chromium } from "../clients/chromium.ts";
import { find, testWith } from "../clients/tool.ts";
import { projectPath, ServerProcess } from "../server_process.ts";
import { keyFrame, webm } from "./webm.ts";

const [WIDTH, HEIGHT, SECONDS] = [320, 240, 60];
const FRAME = 200; // ms
const LATE = 50; // s

/** Draws pictures of noise, which compress badly: the video has to be larger than what a browser fetches ahead. */
const DRAW = `(() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: ${WIDTH}, height: ${HEIGHT} });
  const context = canvas.getContext("2d");
  return Array.from({ length: 5 }, () => {
    const image = context.createImageData(${WIDTH}, ${HEIGHT});
    for (let i = 0; i < image.data.length; i++) image.data[i] = i % 4 === 3 ? 255 : Math.random() * 256;
    context.putImageData(image, 0, 0);
    return canvas.toDataURL("image/webp", 0.9).split(",")[1];
  });
})()`;

async function makeVideo(browser: Chromium): Promise<Uint8Array> {
  const pictures = await browser.evaluate(DRAW) as string[];
  const frames = pictures.map((text) => keyFrame(Buffer.from(text, "base64")));
  const all = Array.from({ length: SECONDS * 1000 / FRAME }, (_, i) => frames[i % frames.length] as Uint8Array);
  return webm(all, WIDTH, HEIGHT, FRAME);
}

describe("19. a static site in Chromium", () => {
  const folder = mkdtempSync(join(tmpdir(), "tsgi-site-"));
  let chromium: Chromium | undefined;
  let size = 0;

  beforeAll(async () => {
    cpSync(projectPath("examples/site"), folder, { recursive: true });
    if (find("chromium") === null) return;
    chromium = await Chromium.start();
    const video = await makeVideo(chromium);
    size = video.length;
    writeFileSync(join(folder, "video.webm"), video);
  });

  afterAll(async () => {
    await chromium?.stop();
    rmSync(folder, { recursive: true });
  });

  describe.each(["node", "deno", "bun"] as const)("%s", (runtime) => {
    let server: ServerProcess;

    beforeAll(async () => {
      const flags = ["--allow-net", "--allow-read", "--allow-env=PORT,HOST"];
      const options = { flags, args: [folder], env: { PORT: "0" } };
      server = await ServerProcess.start(runtime, "examples/static_site.ts", /^Listening on (\S+)/m, options);
    });

    afterAll(() => server.stop());

    /** The answers so far: status, method, path, range, octets. */
    function log(path: string): string[][] {
      return server.stderr.split("\n").map((line) => line.split(" ")).filter(([, , target]) => target === path);
    }

    testWith("chromium", "images show, a video seeks, a reload gives 304", async () => {
      const browser = chromium as Chromium;
      const see = (what: string, expression: string) =>
        expect.poll(() => browser.evaluate(expression), { message: what, timeout: 15_000 });
      await browser.command("Page.enable");
      await browser.command("Page.navigate", { url: server.ready[1] });
      await see("the images", `[...document.images].map((image) => image.complete && image.naturalWidth).join()`)
        .toBe("48,16");
      expect(await browser.evaluate(`getComputedStyle(document.body).color`)).toBe("rgb(20, 40, 60)");

      await see("the length of the video", `Math.round(document.querySelector("video").duration)`).toBe(SECONDS);
      await browser.evaluate(`
        window.sought = undefined;
        const video = document.querySelector("video");
        video.addEventListener("seeked", () => {
          window.sought = [video.currentTime, video.videoWidth, video.error, video.readyState >= 2].join();
        });
        video.currentTime = ${LATE};
      `);
      await see("the end of the seek", `window.sought`).toBe(`${LATE},${WIDTH},,true`);
      // A browser that has a part already asks whether that is still right: 304.
      const answers = log("/video.webm");
      expect(answers.filter(([status]) => status !== "206" && status !== "304")).toEqual([]);
      const starts = answers.filter(([status]) => status === "206").map(([, , , range = ""]) =>
        Number(/^bytes=(\d+)-/.exec(range)?.[1])
      );
      expect(Math.max(...starts), `${size} octets, ranges at ${starts}`).toBeGreaterThan(size / 2);

      expect(log("/style.css").map(([status]) => status)).toEqual(["200"]);
      await browser.command("Page.reload");
      await expect.poll(() => log("/pattern.png").map(([status]) => status), { timeout: 15_000 }).toEqual([
        "200",
        "304",
      ]);
      await see("the images again", `[...document.images].map((image) => image.complete && image.naturalWidth).join()`)
        .toBe("48,16");
      expect(log("/style.css").map(([status]) => status)).toEqual(["200", "304"]);
      expect(log("/").map(([status]) => status)).toEqual(["200", "304"]);
      await browser.command("Page.navigate", { url: "about:blank" });
    }, 60_000);

    test("the server still runs", () => {
      expect(server.alive).toBe(true);
      expect(server.stderr).not.toMatch(/Error/);
    });
  });
});
