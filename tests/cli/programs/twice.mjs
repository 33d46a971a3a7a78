// A program with a second server, for metrics.
import { createServer } from "node:http";

createServer((_request, response) => response.end("first")).listen(3000);
createServer((_request, response) => response.end("metrics")).listen(0, "127.0.0.1", function () {
  console.error(`program: metrics at ${this.address().port}`);
});
