/** A sink and a source on `Bun.listen`, without the library: what memory costs on this socket API. See bare.ts. */

import { fresh, OK, pace, plan } from "./bare.ts";

interface BunSocket {
  data: {
    blocks: Iterator<Uint8Array> | undefined;
    kept: Uint8Array | undefined;
    left: number;
    paced: ReturnType<typeof pace>;
  };
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  end(): void;
}

declare const Bun: {
  listen(options: {
    hostname: string;
    port: number;
    socket: {
      binaryType: "uint8array";
      open(socket: BunSocket): void;
      data(socket: BunSocket, bytes: Uint8Array): void;
      drain(socket: BunSocket): void;
    };
  }): { readonly port: number };
};

function more(socket: BunSocket): void {
  const state = socket.data;
  if (state.blocks === undefined) return;
  for (;;) {
    const next = state.kept === undefined ? state.blocks.next() : undefined;
    if (next?.done === true) return socket.end();
    const block = state.kept ?? next?.value as Uint8Array;
    const written = Math.max(0, socket.write(block));
    state.kept = written < block.length ? block.subarray(written) : undefined;
    if (state.kept !== undefined) return;
  }
}

function data(socket: BunSocket, bytes: Uint8Array): void {
  const state = socket.data;
  let count = bytes.length;
  if (state.left < 0) {
    const { upload, bytes: wanted, rest } = plan(bytes);
    if (!upload) {
      state.blocks = fresh(wanted);
      return more(socket);
    }
    state.left = wanted;
    count = rest;
  }
  state.left -= count;
  if (state.left === 0) {
    socket.write(OK);
    socket.end();
    return;
  }
  const pause = state.paced(count);
  if (pause === undefined) return;
  socket.pause();
  pause.then(() => socket.resume());
}

const open = (socket: BunSocket): void => {
  socket.data = { blocks: undefined, kept: undefined, left: -1, paced: pace() };
};
const socket = { binaryType: "uint8array", open, data, drain: more } as const;
console.log(`port ${Bun.listen({ hostname: "127.0.0.1", port: 0, socket }).port}`);
