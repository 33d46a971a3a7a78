// A program that listens only where it is the one that was started, as import.meta tells.
import { createServer } from "node:http";

if (import.meta.main) createServer((_request, response) => response.end("main")).listen(3000);
