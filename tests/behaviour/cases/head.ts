/** Sections 7 and 8 of the gateway rules: the head the server writes, order, interim responses, Upgrade, file_wrapper. @module */

import { expect } from "vitest";
import { CONTENT } from "../apps/file_wrapper.ts";
import { requestBytes } from "../client.ts";
import { field, fields, textOf } from "../response.ts";
import type { Case } from "../trial.ts";
import { cutOffEarly, cutShort, interimOnly } from "./reasons.ts";

const SOCKET = "the host owns the socket and the head";
const BUN_SHORT = "Bun.serve resets the connection before the head when a stream fails early";
const NO_UPGRADE = "the protocol has no upgrades";
const IMF =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$/;

/** Cases H, and the members of tsgi.request that show on the wire. */
export const headCases: readonly Case[] = [
  {
    title: "H01 the server adds one Date in IMF-fixdate, and it is now",
    check: async (t) => {
      const date = field(await t.ask("/ok"), "date");
      expect(date).toMatch(IMF);
      expect(Math.abs(Date.parse(date!) - Date.now())).toBeLessThan(5000);
    },
  },
  {
    title: "H01 the application's own Date is kept and not repeated, in any letter case",
    not: { cgi: "Apache sends a Date of its own" },
    check: async (t) => expect(fields(await t.ask("/dated"), "date")).toEqual(["Sun, 06 Nov 1994 08:49:37 GMT"]),
  },
  {
    title: "H02 the application's own Server is kept and not repeated",
    not: { cgi: "Apache sends a Server of its own" },
    check: async (t) => {
      expect(fields(await t.ask("/served"), "server")).toEqual(["mine/1"]);
      expect(fields(await t.ask("/ok"), "server").length).toBeLessThan(2);
    },
  },
  {
    title: "H03 Connection: close when the client asked for it; nothing to a persistent HTTP/1.1 connection",
    not: { "bun-fetch": "Bun.serve sends no Connection field" },
    check: async (t) => {
      for (const value of ["close", "Close", "foo, close"]) {
        const client = await t.open("/ok", { headers: [["Connection", value]] });
        expect(field(await client.response(), "connection")?.toLowerCase()).toBe("close");
        await client.closed();
      }
      // A front end may say that the connection stays.
      expect(fields(await t.ask("/ok"), "connection").join().toLowerCase()).toBeOneOf(
        t.cell.plan.kind === "front" ? ["", "keep-alive"] : [""],
      );
    },
  },
  {
    title: "H03 HTTP/1.0 closes, unless it asked for keep-alive and the message has a length",
    not: { "bun-fetch": "Bun.serve sends no Connection field" },
    check: async (t) => {
      const plain = await t.open("/ok", { version: "HTTP/1.0" });
      expect(fields(await plain.response(), "connection").join().toLowerCase()).not.toContain("keep-alive");
      await plain.closed();
      const kept = await t.open("/ok", { version: "HTTP/1.0", headers: [["Connection", "Keep-Alive"]] });
      expect(field(await kept.response(), "connection")?.toLowerCase()).toBe("keep-alive");
      await kept.request("GET", "/ok", { version: "HTTP/1.0" });
      expect(textOf(await kept.response())).toBe("ok");
      await kept.closed();
    },
  },
  {
    title: "H05 the head is latin-1 with CRLF, an empty reason keeps its space; H07 never two framings",
    not: { fetch: "the host writes the status line" },
    check: async (t) => {
      const response = await t.ask("/blocks?blocks=a&status=200%20");
      expect(response.raw.split("\r\n")[0]).toMatch(
        t.cell.plan.kind === "front" ? /^HTTP\/1\.1 200/ : /^HTTP\/1\.1 200 $/,
      );
      expect(response.raw.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
    },
  },
  {
    title: "H05 a response to HTTP/1.0 says HTTP/1.1 or HTTP/1.0 and is well formed",
    check: async (t) => expect((await t.ask("/ok", { version: "HTTP/1.0" })).version).toMatch(/^HTTP\/1\.[01]$/),
  },
  {
    title: "H08 pipelined requests are answered in order, one application call at a time, slow ones first",
    not: { "bun-fetch": "Bun.serve calls the handler for pipelined requests at once, and orders the responses" },
    check: async (t) => {
      const client = await t.connect();
      const names = ["a", "b", "c", "d"];
      for (const _ of names) client.reader.expect("GET");
      await client.send(
        Buffer.concat(
          names.map((name) => requestBytes("GET", t.target(`/turn?name=${name}${name < "c" ? "&wait=1" : ""}`))),
        ),
      );
      await t.until("the first", (e) => e.waiting === 1);
      await t.fence();
      expect(client.seen).toBe(0);
      await t.release("b");
      await t.fence();
      expect(client.seen).toBe(0);
      await t.release("a");
      for (const name of names) expect(textOf(await client.response())).toBe(name);
      expect((await t.record()).order).toEqual(names.flatMap((name) => [`begin ${name}`, `end ${name}`]));
      await client.persists();
    },
  },
  {
    title: "H08 thousands of pipelined requests behind a slow one are all answered in order",
    not: { "bun-fetch": "the host orders what is pipelined", front: "the front end closes after 100 or 1000 requests" },
    timeout: 30_000,
    check: async (t) => {
      const client = await t.connect();
      const count = 3000;
      for (let i = 0; i <= count; i++) client.reader.expect("GET");
      void client.send(requestBytes("GET", t.target("/turn?name=slow&wait=1")));
      await t.until("the first", (e) => e.waiting === 1);
      void client.send(
        Buffer.concat(Array.from({ length: count }, (_, i) => requestBytes("GET", `/blocks?form=array&blocks=n${i}`))),
      );
      await t.fence();
      expect(client.seen).toBe(0);
      await t.release("slow");
      expect(textOf(await client.response())).toBe("slow");
      for (let i = 0; i < count; i++) expect(textOf(await client.response(20_000))).toBe(`n${i}`);
    },
  },
  {
    title: "H08 sixteen pipelined requests in one packet, sync application",
    check: async (t) => {
      const client = await t.connect();
      const names = Array.from({ length: 16 }, (_, i) => `n${i}`);
      for (const _ of names) client.reader.expect("GET");
      await client.send(Buffer.concat(names.map((name) => requestBytes("GET", t.target(`/turn?name=${name}`)))));
      for (const name of names) expect(textOf(await client.response())).toBe(name);
    },
  },
  ...(["", "?again=1"] as const).map((query): Case => ({
    title: `earlyHints: 103 arrives before the final response while the application waits${query}`,
    not: interimOnly,
    check: async (t) => {
      const client = await t.open(`/hints${query}`);
      await client.until("103", () => client.reader.interims.length === 1);
      expect(client.reader.interims[0]!.status).toBe(103);
      expect(fields(client.reader.interims[0]!, "link")).toEqual(["</a.css>; rel=preload", "</b.js>; rel=preload"]);
      await t.release();
      expect(textOf(await client.response())).toMatch(/^final;.*Error$/);
      expect(client.reader.interims.length).toBe(query === "" ? 1 : 2);
      await client.persists();
    },
  })),
  {
    title: "earlyHints: nothing to HTTP/1.0, and nothing over fetch, the response is the same",
    not: { "nginx-http": interimOnly["nginx-http"]! },
    check: async (t) => {
      const client = await t.open("/hints", { version: "HTTP/1.0" });
      await t.until("the application", (e) => e.waiting === 1);
      await t.release();
      expect(textOf(await client.response())).toMatch(/^final;.*Error$/);
      expect(client.reader.interims).toEqual([]);
    },
  },
  {
    title: "earlyHints refuses what startResponse would refuse",
    check: async (t) => {
      const client = await t.open("/bad-hints");
      expect(JSON.parse(textOf(await client.response()))).toEqual(["error", "error", "error"]);
      expect(client.reader.interims).toEqual([]);
    },
  },
  {
    title: "upgrade: the 101 goes out, and the application has the socket as streams, what came early first",
    not: { fetch: SOCKET, cgi: NO_UPGRADE, fastcgi: NO_UPGRADE, scgi: NO_UPGRADE, uwsgi: NO_UPGRADE },
    check: async (t) => {
      const client = await t.connect();
      client.reader.expect("GET");
      const upgrade = { headers: [["Connection", "Upgrade"], ["Upgrade", "echo"]] as const };
      await client.send(Buffer.concat([requestBytes("GET", t.target("/upgrade"), upgrade), Buffer.from("left")]));
      const head = await client.head();
      expect([head.status, fields(head, "upgrade")]).toEqual([101, ["echo"]]);
      expect(fields(head, "connection")).toEqual([expect.stringMatching(/^upgrade$/i)]); // nginx writes its own
      await client.tunnelled("left");
      await client.send("one\r\n\r\nGET / HTTP/1.1\r\n");
      await client.tunnelled("leftone\r\n\r\nGET / HTTP/1.1\r\n");
      const large = "x".repeat(1 << 20);
      void client.send(large);
      await client.until("1 MiB", () => client.reader.tunnel.reduce((n, b) => n + b.length, 0) === (1 << 20) + 27);
      client.finish();
      await client.closed();
      const end = await t.until("closed", (e) => e.gone !== undefined);
      expect([end.ended, end.gone, end.peer]).toEqual([1, 1, ["127.0.0.1"]]);
      expect(await t.log()).toBe("");
    },
  },
  {
    title: "upgrade: of several protocols the application names one, and adds fields of its own",
    not: {
      ...{ fetch: SOCKET, cgi: NO_UPGRADE, fastcgi: NO_UPGRADE, scgi: NO_UPGRADE, uwsgi: NO_UPGRADE },
      apache: "Apache takes no protocol but the one that was asked for, in the same spelling",
    },
    check: async (t) => {
      const other = await t.connect();
      other.reader.expect("GET");
      const several = { headers: [["Connection", "upgrade"], ["Upgrade", "other/2, Echo"]] as const };
      await other.send(requestBytes("GET", t.target("/upgrade?protocol=echo"), several));
      const named = await other.head();
      expect([named.status, fields(named, "upgrade"), fields(named, "x-answer")]).toEqual([101, ["echo"], ["yes"]]);
      other.finish();
      await other.closed();
    },
  },
  {
    title: "upgrade: close() sends all that was written, and closed is fulfilled once the client has sent its end",
    not: { fetch: SOCKET, cgi: NO_UPGRADE, fastcgi: NO_UPGRADE, scgi: NO_UPGRADE, uwsgi: NO_UPGRADE },
    check: async (t) => {
      const client = await t.connect();
      client.reader.expect("GET");
      const upgrade = { headers: [["Connection", "Upgrade"], ["Upgrade", "bye"]] as const };
      await client.send(requestBytes("GET", t.target("/goodbye"), upgrade));
      await client.head();
      await client.until("2 MiB", () => client.reader.tunnel.reduce((n, b) => n + b.length, 0) === 1 << 21);
      client.finish();
      await client.closed();
      const { end } = await t.until("closed", (e) => e.end !== undefined);
      expect(end).toEqual(["orderly"]);
    },
  },
  {
    title: "upgrade without an Upgrade, or to a protocol that is not offered, throws; the request can be answered",
    check: async (t) => {
      for (const target of ["/upgrade", "/upgrade?protocol=unknown"]) {
        const client = await t.open(target);
        const response = await client.response();
        expect([response.status, textOf(response)]).toEqual([426, "RequestError"]);
        await client.persists();
      }
    },
  },
];

/** Cases W. */
export const fileWrapperCases: readonly Case[] = [
  ...(["sync", "async", "null", "stream"] as const).map((form): Case => ({
    title: `W01, W02, W03 a file (${form}) is read after it is returned, to its end, and closed once`,
    check: async (t) => {
      expect(await t.text(`/file?form=${form}`)).toBe(CONTENT);
      const end = await t.until("close()", (e) => e.closed !== undefined);
      expect([end.readBefore, end.closed]).toEqual([null, 1]);
      expect((end.sizes as number[]).length).toBeGreaterThan(0);
    },
  })),
  {
    title: "W01 the block size is what the file is asked for; the last block may be short",
    check: async (t) => {
      expect(await t.text("/file?size=10")).toBe(CONTENT);
      const sizes = (await t.until("close()", (e) => e.closed !== undefined)).sizes as number[];
      expect(new Set(sizes)).toEqual(new Set([10]));
      expect(sizes.length).toBeGreaterThan(3);
    },
  },
  {
    title: "W01 a wrapper that is made and not returned transmits nothing and is not closed",
    check: async (t) => {
      expect(await t.text("/file-unused")).toBe("other");
      const end = await t.record();
      expect([end.sizes, end.closed]).toEqual([undefined, undefined]);
    },
  },
  {
    title: "W03 reading begins where the file stands",
    check: async (t) => expect(await t.text("/file?offset=30&size=4")).toBe(CONTENT.slice(30)),
  },
  {
    title: "W03 a file without close() is served",
    check: async (t) => expect(await t.text("/file?form=unclosable")).toBe(CONTENT),
  },
  ...(["HTTP/1.1", "HTTP/1.0"] as const).flatMap((version) => [36, 10, 0].map((length) => [version, length] as const))
    .map(([version, length]): Case => ({
      title: `W03 Content-Length ${length} of 36 in ${version}: exactly that much, closed once`,
      check: async (t) => {
        const response = await t.ask(`/file?size=7&length=${length}`, { version });
        expect([field(response, "content-length"), textOf(response)]).toEqual([
          String(length),
          CONTENT.slice(0, length),
        ]);
        expect((await t.until("close()", (e) => e.closed !== undefined)).closed).toBe(1);
      },
    })),
  ...(["HTTP/1.1", "HTTP/1.0"] as const).map((version): Case => ({
    title: `W03 Content-Length 100 of 36 in ${version} is cut off, closed once`,
    not: { ...cutShort, "bun-fetch": BUN_SHORT },
    check: async (t) => {
      const client = await t.openLast("/file?length=100", { version });
      const response = await t.truncated(client);
      if (response !== null) expect(textOf(response)).toBe(CONTENT);
      expect((await t.until("close()", (e) => e.closed !== undefined)).closed).toBe(1);
    },
  })),
  {
    title: "W03 no Content-Length in HTTP/1.0: the end of the connection ends the file",
    check: async (t) => {
      const client = await t.open("/file", { version: "HTTP/1.0" });
      const response = await client.response();
      expect(textOf(response)).toBe(CONTENT);
      if (response.framing === "close") await client.closed();
    },
  },
  ...(["HEAD", "204 No Content", "304 Not Modified"] as const).map((how): Case => ({
    title: `W04, B13 ${how} sends nothing of the file and closes it once`,
    check: async (t) => {
      const client = await t.open(how === "HEAD" ? "/file" : `/file?status=${encodeURIComponent(how)}`, {
        method: how === "HEAD" ? "HEAD" : "GET",
      });
      expect((await client.response()).received).toBe(0);
      await client.persists();
      expect((await t.until("close()", (e) => e.closed !== undefined)).closed).toBe(1);
    },
  })),
  {
    title: "B13 a file whose read fails is closed once and the response cut off",
    not: cutOffEarly,
    check: async (t) => {
      const client = await t.openLast("/file?form=failing&size=5");
      await client.until("the end", () => client.over || client.reader.finals[0]?.complete === true);
      const response = client.reader.finals[0];
      expect(response?.complete === true && response.status === 200).toBe(false);
      await t.logged(new RegExp(`boom ${t.key}`));
      expect((await t.until("close()", (e) => e.closed !== undefined)).closed).toBe(1);
    },
  },
  {
    title: "W05 a middleware iterates the wrapper as any iterable; W02 reading to the end does not close, close() does",
    check: async (t) => {
      expect(await t.text("/file-wrapped")).toBe(CONTENT.toUpperCase());
      const end = await t.until("close()", (e) => e.closed !== undefined);
      expect([end.closedAtEnd, end.closed]).toEqual([[0], 1]);
    },
  },
];
