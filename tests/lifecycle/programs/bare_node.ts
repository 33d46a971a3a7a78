/** A sink and a source on `node:net`, without the library: what memory costs on this socket API. See bare.ts. */

import { createServer, type Socket } from "node:net";
import { fresh, OK, pace, plan } from "./bare.ts";

function source(socket: Socket, bytes: number): void {
  const blocks = fresh(bytes);
  const more = (): void => {
    for (let block = blocks.next(); block.done !== true; block = blocks.next()) {
      if (!socket.write(block.value)) return;
    }
    socket.off("drain", more);
    socket.end();
  };
  socket.on("drain", more);
  more();
}

function sink(socket: Socket, bytes: number, first: number): void {
  const paced = pace();
  let left = bytes - first;
  socket.on("data", (block: Uint8Array) => {
    left -= block.length;
    if (left === 0) socket.end(OK);
    const pause = paced(block.length);
    if (pause === undefined) return;
    socket.pause();
    pause.then(() => socket.resume());
  });
}

const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => {});
  socket.once("data", (head: Uint8Array) => {
    const { upload, bytes, rest } = plan(head);
    if (upload) sink(socket, bytes, rest);
    else source(socket, bytes);
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  console.log(`port ${typeof address === "object" ? address?.port : 0}`);
});
