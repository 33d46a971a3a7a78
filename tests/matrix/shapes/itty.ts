/** The routes in itty-router. */

import { AutoRouter, type IRequest } from "itty-router";
import { FAILURE, receipt, stream } from "./work.ts";

const app = AutoRouter();
const text = (body: string | ReadableStream): Response =>
  new Response(body, { headers: { "Content-Type": "text/plain" } });
app.get("/hello", (request: IRequest) => text(`hello ${request.query["n"]}`));
app.post("/upload", async (request: IRequest) => text(receipt(new Uint8Array(await request.arrayBuffer()))));
app.get("/stream", (request: IRequest) => text(stream(request.query["gate"] as string)));
app.get("/fail", () => {
  throw new Error(FAILURE);
});
app.get("/cut", (request: IRequest) => text(stream(request.query["gate"] as string, true)));
app.get("/redirect", () => {
  const headers = new Headers({ Location: "/hello?n=1" });
  headers.append("Set-Cookie", "a=1");
  headers.append("Set-Cookie", "b=2");
  return new Response(null, { status: 302, headers });
});
app.get(
  "/client",
  (_request: IRequest, context: { remoteAddr: { hostname: string } }) => text(context.remoteAddr.hostname),
);

/** The router, without the types of its own. */
const fetchable: { fetch: (request: Request, ...rest: unknown[]) => Promise<Response> } = app as never;
export default fetchable;
