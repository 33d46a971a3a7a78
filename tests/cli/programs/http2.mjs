// A program that listens with HTTP/2 over TLS.
import { createSecureServer } from "node:http2";

createSecureServer({}, (_request, response) => response.end("secret")).listen(3443);
