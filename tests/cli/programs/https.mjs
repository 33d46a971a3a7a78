// A program that listens with TLS.
import { createServer } from "node:https";

createServer({}, (_request, response) => response.end("secret")).listen(3443);
