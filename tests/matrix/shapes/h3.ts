/** The routes in h3. */

import { getQuery, H3 } from "h3";
import { FAILURE, receipt, stream } from "./work.ts";

const app: H3 = new H3();
app.get("/hello", (event) => `hello ${getQuery(event)["n"]}`);
app.post("/upload", async (event) => receipt(new Uint8Array(await event.req.arrayBuffer())));
app.get("/stream", (event) => stream(getQuery(event)["gate"] as string));
app.get("/fail", () => {
  throw new Error(FAILURE);
});
app.get("/cut", (event) => stream(getQuery(event)["gate"] as string, true));
app.get("/redirect", (event) => {
  event.res.headers.append("Set-Cookie", "a=1");
  event.res.headers.append("Set-Cookie", "b=2");
  event.res.headers.set("Location", "/hello?n=1");
  event.res.status = 302;
  return "";
});
let client = "";
app.get("/client", () => client);

// h3 has no place for what a host passes beside the request, so the address is taken on the way in.
export default {
  fetch: (request: Request, context: { remoteAddr: { hostname: string } }): Response | Promise<Response> => {
    client = context.remoteAddr.hostname;
    return app.fetch(request);
  },
};
