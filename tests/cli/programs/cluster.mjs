// A program that shares its work out by itself.
import cluster from "node:cluster";
import http from "node:http";

if (cluster.isPrimary) cluster.fork();
else http.createServer((_request, response) => response.end("shared")).listen(3000);
