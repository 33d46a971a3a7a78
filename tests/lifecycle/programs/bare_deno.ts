/**
 * A sink and a source on `Deno.listen`, without the library: what memory costs on this socket API. See bare.ts.
 *
 * The sink reads into new memory each time, as `node:net` and Bun do by themselves: an application may keep its blocks.
 *
 * @module
 */

import { fresh, OK, pace, plan } from "./bare.ts";

interface Conn {
  read(memory: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

declare const Deno: {
  listen(options: { hostname: string; port: number }): {
    readonly addr: { readonly port: number };
    accept(): Promise<Conn>;
  };
};

async function send(conn: Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

async function talk(conn: Conn): Promise<void> {
  const first = new Uint8Array(65536);
  const { upload, bytes, rest } = plan(first.subarray(0, await conn.read(first) ?? 0));
  if (!upload) { for (const block of fresh(bytes)) await send(conn, block); }
  else {
    const paced = pace();
    for (let left = bytes - rest; left > 0;) {
      const count = await conn.read(new Uint8Array(65536));
      if (count === null) break;
      left -= count;
      await paced(count);
    }
    await send(conn, OK);
  }
  conn.close();
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(`port ${listener.addr.port}`);
for (;;) talk(await listener.accept()).catch(() => {});
