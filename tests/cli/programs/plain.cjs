// A program of node:http that listens where it is the one that was started, and stops by itself.
const http = require("node:http");

const server = http.createServer((request, response) => {
  const ms = Number(new URL(request.url, "http://h").searchParams.get("ms") ?? 0);
  setTimeout(() => {
    response.setHeader("X-Address", JSON.stringify(server.address()));
    response.end(`plain ${request.method} ${request.socket.remoteAddress} ${process.pid}\n`);
  }, ms);
});

if (require.main === module) {
  server.listen(3000, () => console.error("program: listens", server.listening, JSON.stringify(server.address())));
}

process.on("SIGTERM", () => {
  server.close(() => console.error("program: closed"));
  process.exit(0);
});
