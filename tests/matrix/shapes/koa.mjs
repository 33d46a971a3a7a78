/** The routes in Koa. */

import Koa from "koa";
import { Readable } from "node:stream";
import { FAILURE, receipt, stream } from "./work.ts";

const app = new Koa();
app.silent = true;
app.use(async (context) => {
  switch (context.path) {
    case "/hello":
      context.body = `hello ${context.query.n}`;
      return;
    case "/upload": {
      const parts = [];
      for await (const part of context.req) parts.push(part);
      context.body = receipt(Buffer.concat(parts));
      return;
    }
    case "/stream":
      context.body = Readable.fromWeb(stream(context.query.gate));
      return;
    case "/fail":
      throw new Error(FAILURE);
    case "/cut":
      context.body = Readable.fromWeb(stream(context.query.gate, true));
      return;
    case "/redirect":
      context.append("Set-Cookie", "a=1");
      context.append("Set-Cookie", "b=2");
      context.redirect("/hello?n=1");
      return;
    case "/client":
      context.body = context.ip;
  }
});

export default app;
