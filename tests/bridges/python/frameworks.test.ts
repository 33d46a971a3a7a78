/**
 * Flask and Django as Debian packages them, and CPython's own validator, on each runtime: over HTTP, and over FastCGI,
 * SCGI and uwsgi behind nginx.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Instance } from "../../front/instance.ts";
import type { Runtime } from "../../server_process.ts";
import { front } from "./front.ts";
import { type Answer, ask, type AskOptions, Served, until } from "./served.ts";

const RUNTIMES: readonly Runtime[] = ["node", "deno", "bun"];
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

/** The Cookie field for what an answer sets. */
function cookies({ headers }: Answer, before = ""): string {
  const set = (headers["set-cookie"] as string[] | undefined ?? []).map((one) => one.split(";")[0] as string);
  const all = new Map(
    [...before.split("; "), ...set].filter((one) => one !== "").map((one) => {
      const at = one.indexOf("=");
      return [one.slice(0, at), one.slice(at + 1)];
    }),
  );
  return [...all].map(([name, value]) => `${name}=${value}`).join("; ");
}

function multipart(size: number): { headers: Record<string, string>; body: string[] } {
  const begin = '--BOUND\r\nContent-Disposition: form-data; name="file"; filename="\u00fc.bin"\r\n' +
    "Content-Type: application/octet-stream\r\n\r\n";
  const parts = Array.from({ length: 64 }, () => "p".repeat(size / 64));
  const body = [begin, ...parts, "\r\n--BOUND--\r\n"];
  const length = Buffer.byteLength(body.join(""));
  return { headers: { "Content-Type": "multipart/form-data; boundary=BOUND", "Content-Length": String(length) }, body };
}

describe.each(RUNTIMES)("on %s", (runtime) => {
  let served: Served;
  let nginx: Instance;
  beforeAll(async () => {
    served = await Served.start(runtime, "suite:application", { threads: 2 }, { SUITE_FRAMEWORKS: "1" });
    nginx = await front(served.ports);
  }, 40_000);
  afterAll(async () => {
    await nginx?.stop();
    await served?.stop();
  });
  const port = (wire: string): number =>
    wire === "http" ? served.ports.http : nginx.ports[["fastcgi", "scgi", "uwsgi"].indexOf(wire)] as number;

  it.each(["http", "fastcgi", "scgi", "uwsgi"])("20 the validator of CPython finds nothing over %s", async (wire) => {
    const requests: [string, AskOptions][] = [
      ["/validated", {}],
      ["/validated/%C3%A9?q=%20", { headers: { "X-A": "b", Cookie: "a=b" } }],
      ["/validated", { method: "HEAD" }],
      ["/validated", { method: "POST", body: "first line\nrest" }],
    ];
    const answers = await Promise.all(requests.map(([path, options]) => ask(port(wire), path, options)));
    expect(answers.map(({ status, text }) => `${status} ${text}`)).toEqual([
      "200 validated !",
      "200 validated !",
      "200 ",
      "200 validated first line\n!",
    ]);
    expect(served.process.stderr).not.toMatch(/Assertion|Warning|Traceback/);
  });

  describe.each(["http", "fastcgi"])("over %s", (wire) => {
    const to = (path: string, options?: AskOptions): Promise<Answer> => ask(port(wire), path, options);

    it("20 Flask: forms, sessions, cookies, uploads, unicode, a blueprint", async () => {
      expect((await to("/flask/")).text).toBe("hello from Flask\n");
      const form = await to("/flask/form", { method: "POST", headers: FORM, body: "name=%C3%BC+b&more=1&more=2" });
      expect(form.text).toBe("\u00fc b and ['1', '2']");
      const login = await to("/flask/login", { method: "POST", headers: FORM, body: "user=ann" });
      expect([login.status, login.headers["location"], (login.headers["set-cookie"] as string[]).length]).toEqual([
        302,
        "/flask/me",
        3,
      ]);
      expect((await to("/flask/me", { headers: { Cookie: cookies(login) } })).text).toBe("ann d\u00e9j\u00e0");
      const { headers, body } = multipart(5 * 1024 * 1024);
      expect((await to("/flask/upload", { method: "POST", headers, body })).text).toBe("\u00fc.bin 5242880");
      expect((await to("/flask/raw", { method: "POST", body: ["abc", "def"] })).text).toBe("6"); // chunked
      expect((await to("/flask/%C3%BCber/%E2%82%AC%20x")).text).toBe("\u20ac x /\u00fcber/\u20ac x");
      expect((await to("/flask/shop/item/7")).text).toBe("7 at /flask/shop/item/7");
      expect((await to("/flask/nowhere")).status).toBe(404);
    });

    it("20 Flask: a stream block by block, send_file of 20 MiB, errors before and behind the head", async () => {
      const socket = await served.open("");
      socket.destroy();
      const name = `until-${wire}`;
      let early = "";
      const stream = await new Promise<string>((resolve, reject) => {
        fetch(`http://127.0.0.1:${port(wire)}/flask/stream?until=${name}`).then(async (response) => {
          const decoder = new TextDecoder();
          let text = "";
          for await (const block of response.body as ReadableStream<Uint8Array>) {
            text += decoder.decode(block);
            if (early === "") {
              early = text;
              writeFileSync(join(served.folder, name), "");
            }
          }
          resolve(text);
        }).catch(reject);
      });
      expect([early, stream]).toEqual(["one\n", "one\ntwo\n"]);
      const file = await to("/flask/file");
      expect([file.status, file.bytes.length, file.bytes.every((byte, i) => byte === i % 251)]).toEqual([
        200,
        20 * 1024 * 1024,
        true,
      ]);
      expect((await to("/flask/before")).status).toBe(500);
      const after = await to("/flask/after");
      expect([after.status, after.text, after.complete]).toEqual([200, "begun\n", false]);
      await until("the traceback", () => served.process.stderr.includes("RuntimeError: after the head"));
    });

    it("20 Django: admin login, static css, CSRF refusal, uploads, streams, files", async () => {
      expect((await to("/django/")).text).toBe("hello from Django\n");
      const page = await to("/django/admin/login/");
      const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(page.text)?.[1] as string;
      const fields = `username=ann&password=secret&next=/django/admin/&csrfmiddlewaretoken=${token}`;
      const refused = await to("/django/admin/login/", { method: "POST", headers: FORM, body: fields });
      expect(refused.status).toBe(403);
      const Cookie = cookies(page);
      const login = await to("/django/admin/login/", { method: "POST", headers: { ...FORM, Cookie }, body: fields });
      expect([login.status, login.headers["location"]]).toEqual([302, "/django/admin/"]);
      const admin = await to("/django/admin/", { headers: { Cookie: cookies(login, Cookie) } });
      expect([admin.status, admin.text.includes("Site administration")]).toEqual([200, true]);
      const css = await to("/django/static/admin/css/base.css");
      expect([css.status, css.headers["content-type"], css.bytes.length > 10_000]).toEqual([200, "text/css", true]);
      const { headers, body } = multipart(1024 * 1024);
      expect((await to("/django/upload", { method: "POST", headers, body })).text).toBe(
        "\u00fc.bin 1048576 TemporaryUploadedFile",
      );
      expect((await to("/django/raw", { method: "POST", body: ["abc", "def"] })).text).toBe("6"); // chunked
      expect((await to("/django/stream")).text).toBe("block 0\nblock 1\nblock 2\n");
      expect((await to("/django/file")).bytes.length).toBe(20 * 1024 * 1024);
    });
  });
});
