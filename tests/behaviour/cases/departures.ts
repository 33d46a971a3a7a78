/**
 * Departures: what happens when the client leaves, half-leaves, or stops reading (B13, B21, B22, L03, the signal).
 *
 * A reset is always a departure. FIN is one only while a body streams; before the response head it is a half-close,
 * and after the last byte was handed over there is nothing to depart from.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import { requestBytes } from "../client.ts";
import { textOf } from "../response.ts";
import type { Case, Trial } from "../trial.ts";
import { APACHE_DEAF, halfClose, oneRequest, uploadStream } from "./reasons.ts";

const NGINX_FIN = "nginx makes a FIN of a reset, which before the head is a half-close";

/** Waits for close(), gives the server time for more calls, and checks that there was only one. */
export async function closedOnce(t: Trial): Promise<void> {
  const entry = await t.until("close()", (e) => e.closed !== undefined);
  await t.fence();
  expect((await t.record()).closed).toBe(1);
  expect(entry.closed).toBe(1);
}

/** Cases of departure. */
export const departureCases: readonly Case[] = [
  ...(["reset", "finish"] as const).flatMap((how) => ["", "?busy=1"].map((query) => [how, query] as const)).map((
    [how, query],
  ): Case => ({
    title: `B13, B21, B22 ${
      how === "reset" ? "RST" : "FIN"
    } while a body streams${query}: the signal fires once, return() and close() once, quietly`,
    ...(how === "reset" && query !== "" ? {} : { not: { apache: APACHE_DEAF } }),
    check: async (t) => {
      const client = await t.open(`/stream${query}`);
      await client.until("the first block", () => (client.reader.finals[0]?.received ?? 0) >= 1024);
      client[how]();
      const gone = await t.until("the departure", (e) => e.closed !== undefined && e.aborted !== undefined);
      expect([gone.aborted, gone.returned, gone.closed]).toEqual([1, 1, 1]);
      await t.fence();
      const later = await t.record();
      expect([later.pulls, later.aborted, later.closed]).toEqual([gone.pulls, 1, 1]);
      expect(await t.log()).toBe("");
    },
  })),
  {
    title: "The reason of the signal is a ClientDisconnectedError",
    not: { apache: APACHE_DEAF },
    check: async (t) => {
      const client = await t.open("/stream");
      await client.head();
      client.reset();
      expect((await t.until("the signal", (e) => e.aborted !== undefined)).reason).toBe("ClientDisconnectedError");
    },
  },
  {
    title: "RST before the head: the signal fires once",
    not: {
      apache: APACHE_DEAF,
      "nginx-http": NGINX_FIN,
      "nginx-scgi": NGINX_FIN,
      "nginx-uwsgi": NGINX_FIN,
      "deno-tls": "node:tls of Deno makes a FIN of a reset, which before the head is a half-close",
      "deno-fetch":
        "Deno tells it only through request.signal, which it also fires, with a warning, on success; `completed` resolves",
    },
    check: async (t) => {
      const client = await t.open("/slow");
      await t.until("the application", (e) => e.waiting === 1);
      client.reset();
      expect((await t.until("the signal", (e) => e.aborted !== undefined)).aborted).toBe(1);
      await t.release();
      await t.until("close()", (e) => e.closed !== undefined);
      expect((await t.record()).aborted).toBe(1);
    },
  },
  {
    title: "B13, B21 RST before the head: a body that is returned later is closed once, quietly",
    check: async (t) => {
      const client = await t.open("/slow");
      await t.until("the application", (e) => e.waiting === 1);
      client.reset();
      await t.fence();
      await t.release();
      await closedOnce(t);
      expect(await t.log()).toBe("");
    },
  },
  {
    title: "B13, B21 RST while the client does not read a large body: close() once",
    timeout: 30_000,
    check: async (t) => {
      const client = await t.connect();
      client.pause();
      await client.request("GET", t.target("/plenty?form=async&count=4000"));
      await t.until("some blocks", (e) => (e.pulls as number) > 8);
      client.reset();
      const end = await t.until("close()", (e) => e.closed !== undefined, 15_000);
      expect(end.pulls).toBeLessThan(4000);
      await closedOnce(t);
    },
  },
  {
    title: "B13 RST while a body is uploaded: the read rejects",
    not: { ...uploadStream, cgi: "Apache ends the script when the client has gone" },
    check: async (t) => {
      const client = await t.open("/slurp", { method: "POST", headers: [["Content-Length", "10"]], body: "abc" });
      await t.until("the application", (e) => e.started === 1);
      client.reset();
      expect((await t.until("the error", (e) => e.error !== undefined)).error).toBeTypeOf("string");
    },
  },
  ...(["HTTP/1.1", "HTTP/1.0"] as const).map((version): Case => ({
    title: `The signal never fires on success, also not when the client leaves afterwards: ${version}`,
    check: async (t) => {
      const client = await t.open("/watched", { version });
      expect(textOf(await client.response())).toBe("watched");
      await t.until("close()", (e) => e.closed === 1);
      client.finish();
      await client.closed();
      const second = await t.open("/watched", { version });
      await second.response();
      second.reset();
      await t.until("close()", (e) => e.closed === 2);
      await t.fence();
      expect((await t.record()).aborted).toBeUndefined();
    },
  })),
  ...(["/slow", "/watched", "/form?form=promiseArray"] as const).map((path): Case => ({
    title: `L03 by decision, FIN before the head is a half-close and gets the full response: ${path}`,
    not: halfClose,
    check: async (t) => {
      const client = await t.open(path);
      client.finish();
      if (path === "/slow") {
        await t.until("the application", (e) => e.waiting === 1);
        await t.fence();
        expect((await t.record()).aborted).toBeUndefined();
        await t.release();
      }
      expect((await client.response()).status).toBe(200);
      await client.closed();
      expect(client.failure).toBeNull();
    },
  })),
  ...([["/large?size=8388608", "the whole body was handed over before FIN was seen"], [
    "/slow-large",
    "FIN was seen before the head",
  ]] as const).map(([path, why]): Case => ({
    title: `L03 half-close gets 8 MiB in full: ${why}`,
    not: halfClose,
    timeout: 60_000,
    check: async (t) => {
      const client = await t.open(path);
      client.finish();
      if (path === "/slow-large") {
        await t.until("the application", (e) => e.waiting === 1);
        await t.fence();
        await t.release();
      }
      expect((await client.response(50_000)).received).toBe(8388608);
      await client.closed();
    },
  })),
  ...([["", "gate"], ["?x=y", "no gate"]] as const).map(([query, what]): Case => ({
    title: `L03 requests pipelined before FIN are all answered, the first with ${what}`,
    not: halfClose,
    check: async (t) => {
      const client = await t.connect();
      for (let i = 0; i < 3; i++) client.reader.expect("GET");
      const first = query === "" ? "/turn?name=a&wait=1" : "/turn?name=a";
      await client.send(
        Buffer.concat([first, "/turn?name=b", "/turn?name=c"].map((path) => requestBytes("GET", t.target(path)))),
      );
      client.finish();
      if (query === "") {
        await t.until("the first", (e) => e.waiting === 1);
        await t.fence();
        await t.release("a");
      }
      for (const name of ["a", "b", "c"]) expect(textOf(await client.response())).toBe(name);
      await client.closed();
    },
  })),
  {
    title: "A promise of write() settles on disconnect, and a later one rejects: the application need not write on",
    timeout: 30_000,
    check: async (t) => {
      const client = await t.connect();
      client.pause();
      await client.request("GET", t.target("/write-plenty?count=2000"));
      await t.until(
        "backpressure",
        (e) => e.full !== undefined && (e.full as number) > ((e.drained as number | undefined) ?? 0),
      );
      client.reset();
      const end = await t.until("the end of the loop", (e) => e.gone !== undefined, 15_000);
      expect(end.gone).toBe("ClientDisconnectedError");
      expect(end.pulls).toBeLessThan(2000);
      expect(await t.log()).toBe("");
    },
  },
  {
    title: "B13 close() comes at a deadline though return() never settles",
    not: { apache: APACHE_DEAF },
    timeout: 30_000,
    check: async (t) => {
      const client = await t.open("/stuck");
      await client.begun("first;");
      client.reset();
      await t.until("close()", (e) => e.closed !== undefined, 20_000);
      await closedOnce(t);
    },
  },
  {
    title: "B13 an error in the generator's finally at a departure is logged, close() once",
    check: async (t) => {
      const client = await t.open("/stuck?fails=1");
      await client.begun("first;");
      client.reset();
      await closedOnce(t);
      await t.logged(new RegExp(`boom ${t.key}`));
      expect((await t.record()).returned).toBe(1);
    },
  },
  {
    title: "Reading the input after the response has ended rejects",
    not: oneRequest,
    check: async (t) => {
      const client = await t.open("/after-end", { method: "POST", headers: [["Content-Length", "5"]], body: "hello" });
      expect(textOf(await client.response())).toBe("ended");
      await t.release();
      expect((await t.until("the read", (e) => e.after !== undefined)).after).toMatch(/Error$/);
      await client.persists();
    },
  },
  {
    title: "An upload is not taken while the application does not read; then all of it arrives",
    not: { "nginx-scgi": "nginx takes a body whole before it speaks SCGI" },
    timeout: 60_000,
    check: async (t) => {
      // A front end has sockets of its own, of up to 36 MiB each.
      const [size, most] = t.cell.plan.kind === "front" ? [1 << 27, 96 << 20] : [1 << 26, 32 << 20];
      const client = await t.open("/hold", { method: "POST", headers: [["Content-Length", String(size)]] });
      const piece = new Uint8Array(65536);
      for (let sent = 0; sent < size; sent += piece.length) void client.send(piece);
      let last = -1;
      for (let still = 0; still < 15;) {
        still = client.unsent === last ? still + 1 : 0;
        last = client.unsent;
        await pause(20);
      }
      expect(size - last).toBeLessThan(most);
      await t.release();
      expect(textOf(await client.response(50_000))).toBe(String(size));
    },
  },
];
