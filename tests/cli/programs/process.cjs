// A program that looks at its process: its arguments, its folder, who has started it, and errors that nobody has caught.
const http = require("node:http");

process.chdir("/");
process.on("uncaughtException", (error) => console.error("program: goes on behind", error.message));

http.createServer((request, response) => {
  if (request.url === "/throw") {
    setTimeout(() => {
      throw new Error("a late error");
    });
  }
  const args = process.argv.slice(2);
  response.end(JSON.stringify({ pid: process.pid, args, main: require.main === module, send: typeof process.send }));
}).listen(3000);
