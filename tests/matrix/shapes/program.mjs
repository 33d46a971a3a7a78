/** The routes as a program of node:http that listens by itself. */

import { createServer } from "node:http";
import { pipeline, Readable } from "node:stream";
import { FAILURE, receipt, stream } from "./work.ts";

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://host");
  switch (pathname) {
    case "/hello":
      return response.end(`hello ${searchParams.get("n")}`);
    case "/upload": {
      const parts = [];
      for await (const part of request) parts.push(part);
      return response.end(receipt(Buffer.concat(parts)));
    }
    case "/stream":
      return pipeline(Readable.fromWeb(stream(searchParams.get("gate"))), response, () => {});
    case "/fail":
      response.statusCode = 500;
      return response.end(FAILURE);
    case "/cut":
      return pipeline(Readable.fromWeb(stream(searchParams.get("gate"), true)), response, () => {});
    case "/redirect":
      response.writeHead(302, { Location: "/hello?n=1", "Set-Cookie": ["a=1", "b=2"] });
      return response.end();
    case "/client":
      return response.end(request.socket.remoteAddress);
  }
  response.statusCode = 404;
  response.end();
});

server.listen(3000);
