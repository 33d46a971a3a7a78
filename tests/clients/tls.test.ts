/** Clients that people use, over TLS, on each runtime: curl, `openssl s_client` and Chromium. */

import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ServerProcess } from "../server_process.ts";
import { Certificates } from "../tls/certificates.ts";
import { Chromium } from "./chromium.ts";
import { runtimes } from "./example.ts";
import { find, run, testWith } from "./tool.ts";

const FLAGS = ["--allow-net", "--allow-env", "--allow-read"];

describe.each(runtimes)("18.1 clients over TLS, %s", (runtime) => {
  let made: Certificates;
  let server: ServerProcess;
  let chromium: Chromium | undefined;
  let url: string;

  beforeAll(async () => {
    made = new Certificates();
    const tls = made.signed("site", { names: ["DNS:localhost", "IP:127.0.0.1"] });
    const args = [JSON.stringify({ tls })];
    server = await ServerProcess.start(runtime, "tests/tls/main.ts", /^ports (\d+)$/m, { flags: FLAGS, args });
    url = `https://127.0.0.1:${server.ready[1]}/`;
    if (find("chromium") !== null) chromium = await Chromium.start(["--ignore-certificate-errors"]);
  });

  afterAll(async () => {
    await chromium?.stop();
    await server.stop();
    made.remove();
  });

  testWith("curl", "curl verifies the certificate, keeps the connection, and speaks each version", async () => {
    for (const more of [[], ["--tls-max", "1.2"], ["--http1.0"]]) {
      const format = ["-w", "%{http_version} %{num_connects} %{ssl_verify_result}\n"];
      const args = ["-q", "-sS", "--noproxy", "*", "--cacert", made.ca, ...format, ...more, url, url];
      const { code, stdout, stderr } = await run("curl", args);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toContain(`"HTTPS":"on"`);
      expect(stdout.match(/[\d.]+ \d 0$/gm)).toEqual(["1.1 1 0", `1.1 ${more[0] === "--http1.0" ? 1 : 0} 0`]);
    }
  });

  test("openssl s_client sees the certificate and the protocol, and gets a response", () => {
    const args = ["s_client", "-connect", new URL(url).host, "-CAfile", made.ca, "-verify_return_error", "-alpn"];
    const { status, stdout } = spawnSync("openssl", [...args, "h2,http/1.1", "-ign_eof"], {
      input: "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      encoding: "utf8",
      timeout: 20_000,
    });
    expect(status, stdout).toBe(0);
    expect(stdout).toContain("Verify return code: 0 (ok)");
    expect(stdout).toContain("ALPN protocol: http/1.1");
    expect(stdout).toMatch(/HTTP\/1\.1 200 OK\r?\n[^]*"SSL_PROTOCOL":"TLSv1\.3"/);
  });

  testWith("chromium", "Chromium shows the page, and many requests at a time", async () => {
    const browser = chromium as Chromium;
    await browser.command("Page.enable");
    await browser.command("Page.navigate", { url });
    await expect.poll(() => browser.evaluate("document.body?.innerText"), { timeout: 15_000 }).toContain(
      `"HTTPS":"on"`,
    );
    await browser.evaluate(
      "Promise.all(Array.from({ length: 50 }, () => fetch('/').then((r) => r.json()))).then((all) => window.got = all.length)",
    );
    await expect.poll(() => browser.evaluate("window.got"), { timeout: 15_000 }).toBe(50);
  });

  test("the server has nothing to say of it", () => {
    expect(server.alive).toBe(true);
    expect(server.stderr).toBe("");
  });
});
