/**
 * Fetch handlers, one for each path, over the sockets of the runtime. Prints its port; `/log` gives what it has noted.
 */

import process from "node:process";
import { fromFetch } from "../../../bridges/fetch.ts";
import { ServedRequest } from "../../../bridges/fetch/stand_in.ts";
import { wholeBody } from "../../../bridges/fetch/whole_body.ts";
import type { FetchContext } from "../../../bridges/fetch.ts";
import { serve } from "../../../mod.ts";

type Handler = (request: Request, context: FetchContext) => unknown;

const before = { Request: globalThis.Request, Response: globalThis.Response, Headers: globalThis.Headers };
const members = JSON.stringify(Object.getOwnPropertyNames(Request.prototype));
const noted: string[] = [];
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const copied = async (request: Request): Promise<Response> =>
  Response.json([request.method, new URL(request.url).pathname, request.headers.get("x-a"), await request.text()]);

function form(): FormData {
  const data = new FormData();
  data.append("a", "b");
  data.append("file", new Blob(["text"]), "name.txt");
  return data;
}

const FAST = 262_144; // bytes of a block of /fast
let pulled = 0; // of those

/** A stream that goes on until it is cancelled, which it notes. */
function endless(name: string, block: Uint8Array = bytes("block\n")): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller): Promise<void> {
      await pause(1);
      controller.enqueue(block);
      pulled += block.length === FAST ? FAST : 0;
    },
    cancel: () => void noted.push(`${name} cancelled`),
  });
}

/** A file of Bun. */
function fileOf(path: string): Blob {
  return (globalThis as unknown as { Bun: { file(path: string): Blob } }).Bun.file(path);
}

const handlers: Readonly<Record<string, Handler>> = {
  // Requests.
  "/url": (request) => new Response(request.url),
  "/seen": (request) =>
    Response.json({
      instance: request instanceof Request && request.headers instanceof Headers,
      method: request.method,
      accept: request.headers.get("ACCEPT"),
      has: [request.headers.has("x-a"), request.headers.has("x-b"), request.headers.has("x_a")],
      all: Object.fromEntries([...request.headers].filter(([name]) => name.startsWith("x-"))),
      names: [...request.headers.keys()].includes("content-type"),
      tag: Object.prototype.toString.call(request),
      lazy: request.constructor.name === ServedRequest.name,
    }),
  "/inspected": (request) => {
    console.log(request, request.headers);
    return new Response(String(request.headers));
  },
  "/whole": () =>
    Response.json([
      wholeBody(new Response("text")),
      wholeBody(new Response(bytes("b"), { headers: { "x-a": "1" } }))?.length,
      wholeBody(new Response(new ReadableStream())),
    ]),
  "/globals": () =>
    Response.json(
      before.Request === Request && before.Response === Response && before.Headers === Headers &&
        members === JSON.stringify(Object.getOwnPropertyNames(Request.prototype)),
    ),
  "/text": async (request) => new Response(await request.text()),
  "/json": async (request) => Response.json({ given: await request.json() }),
  "/bytes": async (request) => new Response((await request.bytes()) as Uint8Array<ArrayBuffer>),
  "/buffer": async (request) => new Response(await request.arrayBuffer()),
  "/blob": async (request) => {
    const { size, type } = await request.blob();
    return Response.json([size, type.split(";")[0]]);
  },
  "/form": async (request) => Response.json([...await request.formData()].map(([name]) => name)),
  "/count": async (request) => {
    let length = 0;
    for await (const block of request.body as ReadableStream<Uint8Array>) length += block.length;
    return new Response(String(length));
  },
  "/echo-stream": (request) => new Response(request.body),
  "/unread": () => new Response("not read"),
  "/body-null": (request) => Response.json([request.body, request.bodyUsed]),
  "/used": async (request) => {
    await request.text();
    const again = await request.text().then(() => "read", (error: Error) => error.name);
    let clone = "cloned";
    try {
      request.clone();
    } catch (error) {
      clone = (error as Error).name;
    }
    return Response.json([request.bodyUsed, again, clone]);
  },
  "/copy": (request) => copied(new Request(request)),
  "/copy-changed": (request) => copied(new Request(request, { headers: { "x-a": "changed" } })),
  "/copy-body": async (request) => {
    await request.text();
    return copied(new Request(request, { body: "another" }));
  },
  "/copy-init": (request) => copied(new Request(new URL("/other", request.url), request)),
  "/copy-url": (request) =>
    copied(new Request(request.url, { method: request.method, headers: request.headers, body: "b" })),
  "/copy-set": (request) => {
    request.headers.set("x-a", "set");
    return copied(new Request(request));
  },
  "/copy-later": (request) => {
    const stream = new ReadableStream<Uint8Array>({
      async start(controller): Promise<void> {
        await pause(5);
        controller.enqueue(bytes(await (await copied(new Request(request))).text()));
        controller.close();
      },
    });
    return new Response(stream);
  },
  "/clone": async (request) => {
    const clone = request.clone();
    return Response.json([await clone.text(), await request.text(), clone instanceof Request]);
  },
  "/forward": (request, { environ }) => fetch(new Request(`http://127.0.0.1:${environ.SERVER_PORT}/text`, request)),
  "/proxied": async (request) => {
    const proxy = new Proxy(request, {
      get(target, key): unknown {
        const value = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    return Response.json([proxy.method, proxy.headers.get("x-a"), await proxy.text()]);
  },
  "/members": (request) => Response.json([request.cache, request.mode, request.redirect, typeof request.referrer]),
  "/signal": async (request) => {
    const { signal } = request;
    noted.push(`signal ${signal instanceof AbortSignal} ${signal.aborted}`);
    signal.addEventListener("abort", () => noted.push(`aborted at ${new URL(request.url).search}`));
    if (request.url.endsWith("?wait")) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return new Response("done");
  },
  // Responses.
  "/string": () => new Response("text"),
  "/long": () => new Response("x".repeat(300_000)),
  "/response-bytes": () => new Response(bytes("bytes")),
  "/response-binary": () => new Response(new Uint8Array([255, 254])),
  "/response-buffer": () => new Response(bytes("buffer").buffer),
  "/response-blob": () => new Response(new Blob(["blob"], { type: "text/css" })),
  "/response-form": () => new Response(form()),
  "/response-query": () => new Response(new URLSearchParams({ a: "b c" })),
  "/response-json": () => Response.json({ a: 1 }, { status: 201, headers: { "x-b": "1" } }),
  "/response-file": () => new Response(fileOf(new URL(import.meta.url).pathname)),
  "/response-no-file": () => new Response(fileOf("/there/is/no/such/file")),
  "/response-null": () => new Response(null),
  "/response-empty": () => new Response(""),
  "/status": () => new Response("made", { status: 299, statusText: "All Good" }),
  "/teapot": () => new Response("no", { status: 418 }),
  "/204": () => new Response(null, { status: 204 }),
  "/205": () => new Response(null, { status: 205 }),
  "/304": () => new Response(null, { status: 304, headers: { etag: '"a"' } }),
  "/redirect": () => {
    const headers = new Headers({ location: "/elsewhere" });
    headers.append("set-cookie", "a=1; Path=/");
    headers.append("set-cookie", "b=2, 3");
    return new Response(null, { status: 302, headers });
  },
  "/redirect-static": (request) => Response.redirect(new URL("/elsewhere", request.url), 308),
  "/hop": () =>
    new Response("hop", { headers: { connection: "keep-alive", "keep-alive": "5", "transfer-encoding": "chunked" } }),
  "/length": () => new Response("sized", { headers: { "content-length": "5" } }),
  "/stream": () => new Response(endless("stream"), { headers: { "content-type": "text/event-stream" } }),
  "/silent": () => new Response(new ReadableStream({ cancel: () => void noted.push("silent cancelled") })),
  "/fast": () => new Response(endless("fast", new Uint8Array(FAST))),
  "/pulled": () => new Response(String(pulled)),
  "/head": () => new Response(endless("head"), { headers: { "x-b": "1" } }),
  "/nested": () => new Response(new Response("nested").body?.pipeThrough(new TransformStream())),
  // Failures.
  "/throws": () => {
    throw new Error("thrown");
  },
  "/rejects": () => Promise.reject(new Error("rejected")),
  "/error": () => Response.error(),
  "/nothing": () => undefined,
  "/a-string": () => "text",
  "/used-body": async () => {
    const response = new Response("text");
    await response.text();
    return response;
  },
  "/locked-body": () => {
    const response = new Response("text");
    response.body?.getReader();
    return response;
  },
  "/fails-early": () =>
    new Response(new ReadableStream({ start: (controller) => controller.error(new Error("before the head")) })),
  "/fails-late": () =>
    new Response(
      new ReadableStream({
        async start(controller): Promise<void> {
          controller.enqueue(bytes("begun"));
          await pause(20);
          controller.error(new Error("in the middle"));
        },
      }),
    ),
  // The context.
  "/context": (request, context) =>
    Response.json({
      deno: context.remoteAddr,
      bun: context.requestIP(request),
      node: context.incoming.socket,
      environ: context.environ.REMOTE_ADDR,
      ip: (request as Request & { ip?: string }).ip,
      binding: (context as FetchContext & { BINDING?: string }).BINDING,
    }),
  "/background": (_request, { waitUntil }) => {
    waitUntil(pause(20).then(() => void noted.push("in the background")));
    waitUntil(Promise.reject(new Error("in the background")));
    return new Response("given");
  },
  "/log": () => Response.json(noted),
};

const app = fromFetch((request: Request, context: FetchContext) => {
  const handler = handlers[new URL(request.url).pathname] ?? handlers["/url"] as Handler;
  return handler(request, context) as Response;
}, { env: { BINDING: "bound" }, lazy: process.argv[2] === "lazy" });
const server = await serve(app, { port: 0, onListen: ({ port }) => console.log(`port ${port}`) });
await server.finished;
console.log(`finished ${JSON.stringify(noted.filter((line) => line === "in the background"))}`);
process.exitCode = 0;
