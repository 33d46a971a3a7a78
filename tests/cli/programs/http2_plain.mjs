// A program that listens with HTTP/2, without TLS.
import { createServer } from "node:http2";

createServer((_request, response) => response.end("frames")).listen(3000);
