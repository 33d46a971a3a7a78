/** The routes in Elysia. */

import { Elysia } from "elysia";
import { FAILURE, receipt, stream } from "./work.ts";

let client = "";
const app = new Elysia({ aot: false })
  .get("/hello", ({ query }: { query: Record<string, string> }) => `hello ${query["n"]}`)
  .post("/upload", async ({ request }: { request: Request }) => receipt(new Uint8Array(await request.arrayBuffer())), {
    parse: "none",
  })
  .get("/stream", ({ query }: { query: Record<string, string> }) => new Response(stream(query["gate"] as string)))
  .get("/fail", () => {
    throw new Error(FAILURE);
  })
  .get("/cut", ({ query }: { query: Record<string, string> }) => new Response(stream(query["gate"] as string, true)))
  .get("/redirect", () => {
    const headers = new Headers({ Location: "/hello?n=1" });
    headers.append("Set-Cookie", "a=1");
    headers.append("Set-Cookie", "b=2");
    return new Response(null, { status: 302, headers });
  })
  .get("/client", () => client);

// Elysia has no place for what a host passes beside the request, so the address is taken on the way in.
const fetchable: { fetch(request: Request, context: { remoteAddr: { hostname: string } }): Promise<Response> } = {
  fetch: (request, context) => {
    client = context.remoteAddr.hostname;
    return Promise.resolve(app.fetch(request));
  },
};
export default fetchable;
