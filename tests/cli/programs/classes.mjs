// A server of node:http with classes of its own for its requests and responses.
import { createServer, IncomingMessage, ServerResponse } from "node:http";

class Request extends IncomingMessage {
  began = "began";
  get path() {
    return this.url.split("?")[0];
  }
}
class Response extends ServerResponse {
  constructor(...args) {
    super(...args);
    this.constructed = args[0] instanceof Request;
  }
  text(body) {
    this.setHeader("Content-Type", "text/plain");
    this.end(body);
  }
}
createServer({ IncomingMessage: Request, ServerResponse: Response, keepAliveTimeout: 1 }, async (request, response) => {
  let body = "";
  for await (const block of request) body += block;
  response.text(`${request.path} ${request.began} ${response.constructed} ${body}`);
}).listen(3000);
