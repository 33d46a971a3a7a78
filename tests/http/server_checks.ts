/** tsgi/http over sockets: an upload, refusals, cookies, events and a client that leaves. @module */

import { type ApplicationFunction, serve } from "../../mod.ts";
import {
  eventStream,
  formParts,
  json,
  parseCookies,
  parseForm,
  parseJson,
  redirect,
  setCookie,
} from "../../http/mod.ts";
import { mutant, random } from "./mutations.ts";
import { type Check, equal, ok } from "../wsgiref/check.ts";

async function serving(app: ApplicationFunction, use: (url: string) => Promise<void>): Promise<void> {
  const server = await serve(app, { port: 0, onListen: () => {}, errorLog: () => {}, handleSignals: false });
  try {
    await use(`http://127.0.0.1:${server.address.port}`);
  } finally {
    await server.shutdown({ timeout: 0 });
  }
}

/** A form that was not mutated. */
function whole(): FormData {
  const form = new FormData();
  form.append("title", "A cat");
  return form;
}

export const serverChecks: readonly Check[] = [
  {
    name: "19.11 over a socket: after 300 mutated bodies, each answered, the server takes a form",
    run: () =>
      serving(async (environ, startResponse) => {
        const form = await parseForm(environ);
        return json(startResponse, [...form].length);
      }, async (url) => {
        const next = random(7);
        const seen = new Set<number>();
        for (let i = 0; i < 300; i++) {
          const { type, blocks } = mutant(next);
          const body = new Blob(blocks as Uint8Array<ArrayBuffer>[]);
          const response = await fetch(url, { method: "POST", body, headers: { "Content-Type": type } });
          await response.body?.cancel();
          seen.add(response.status);
        }
        ok(seen.has(200) && seen.has(400), [...seen].join());
        equal([...seen].filter((status) => ![200, 400, 413, 415].includes(status)), []);
        equal(await (await fetch(url, { method: "POST", body: whole() })).json(), 1);
      }),
  },
  {
    name: "19.15 over a socket: a form with a file of 3 MB, held and in parts",
    run: () =>
      serving(async (environ, startResponse) => {
        if (environ.PATH_INFO === "/held") {
          const file = (await parseForm(environ)).get("file");
          return json(startResponse, file instanceof File ? [file.name, file.size] : null);
        }
        const sizes: unknown[] = [];
        for await (const part of formParts(environ)) {
          let size = 0;
          for await (const bytes of part) size += bytes.length;
          sizes.push(part.filename ?? part.name, size);
        }
        return json(startResponse, sizes);
      }, async (url) => {
        const body = (): FormData => {
          const form = new FormData();
          form.append("title", "A cat");
          form.append("file", new File([new Uint8Array(3_000_000).fill(13)], "\u00e9.bin"));
          return form;
        };
        equal(await (await fetch(`${url}/held`, { method: "POST", body: body() })).json(), ["\u00e9.bin", 3_000_000]);
        equal(await (await fetch(url, { method: "POST", body: body() })).json(), ["title", 5, "\u00e9.bin", 3_000_000]);
      }),
  },
  {
    name: "19.15 over a socket: what a client sent wrong is answered with its status by the server alone",
    run: () =>
      serving(
        async (environ, startResponse) => json(startResponse, await parseJson(environ, { limit: 10 })),
        async (url) => {
          const post = async (body: string, type: string): Promise<number> => {
            const response = await fetch(url, { method: "POST", body, headers: { "Content-Type": type } });
            await response.body?.cancel();
            return response.status;
          };
          equal(await post("[1]", "application/json"), 200);
          equal(await post("[1", "application/json"), 400);
          equal(await post("[1, 2, 3, 4]", "application/json"), 413);
          equal(await post("[1]", "text/plain"), 415);
        },
      ),
  },
  {
    name: "19.15 over a socket: a cookie and a redirect",
    run: () =>
      serving((environ, startResponse) => {
        if (environ.PATH_INFO === "/") return json(startResponse, parseCookies(environ)["name"]);
        return redirect(startResponse, "/", { headers: [setCookie("name", "J\u00fcrgen; x")] });
      }, async (url) => {
        const first = await fetch(`${url}/set`, { redirect: "manual" });
        await first.body?.cancel();
        equal([first.status, first.headers.get("Location")], [303, "/"]);
        const headers = { Cookie: (first.headers.get("Set-Cookie") ?? "").split(";")[0] as string };
        equal(await (await fetch(url, { headers })).json(), "J\u00fcrgen; x");
      }),
  },
  {
    name: "19.15 over a socket: events come one by one, and the stream ends when the client leaves",
    run: async () => {
      let leave = (): void => {};
      const left = new Promise<void>((resolve) => leave = resolve);
      async function* ticks(signal: AbortSignal) {
        signal.addEventListener("abort", leave);
        yield { data: 1 };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      }
      await serving((_environ, startResponse) => eventStream(startResponse, ticks, { keepAlive: 20 }), async (url) => {
        const leaving = new AbortController();
        const response = await fetch(url, { signal: leaving.signal });
        const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
        let text = "";
        while (!text.endsWith("data: 1\n\n:\n\n")) {
          const { done, value } = await reader?.read() ?? { done: true };
          ok(!done, `an end after ${JSON.stringify(text)}`);
          text += value;
        }
        leaving.abort();
        await left;
      });
    },
  },
];
