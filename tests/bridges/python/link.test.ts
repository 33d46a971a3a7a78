/**
 * The connection to a Python thread: each frame belongs to its own request, and what waits for a thread, on each runtime.
 */

import { writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../../server_process.ts";
import { type Answer, Served, until } from "./served.ts";

const RUNTIMES: readonly Runtime[] = ["node", "deno", "bun"];
const QUEUE = 3;
const BODY = "b".repeat(3 * 65536);

describe.each(RUNTIMES)("the only Python thread on %s", (runtime) => {
  let served: Served;
  let live: Served; // without bufferRequests
  beforeAll(async () => {
    const limits = { timeout: 2, queueLimit: QUEUE, bufferLimit: 100_000, spoolLimit: 1_000_000 };
    served = await Served.start(runtime, "suite:application", limits);
    live = await Served.start(runtime, "suite:application", { ...limits, bufferRequests: false });
  }, 40_000);
  afterAll(async () => {
    await served?.stop();
    await live?.stop();
  });
  const events = async (server: Served): Promise<string[]> => JSON.parse((await server.ask("/events")).text);
  const begun = (server: Served, name: string): Promise<void> =>
    until(`${name} begins`, () => server.process.stderr.includes(`begun ${name}\n`));
  const release = (server: Served, name: string): void => writeFileSync(join(server.folder, name), "");
  /** Fills the queue, so that one request more gets 503. */
  const fill = async (server: Served): Promise<Promise<Answer>[]> => {
    const asked = Array.from({ length: QUEUE + 1 }, () => server.ask("/"));
    expect((await Promise.race(asked)).status).toBe(503);
    return asked;
  };

  it("20.4 a body that is read behind the end of its response, to the end of close(), costs no other request", async () => {
    const drained = served.ask("/drain?drain", { method: "POST", body: BODY });
    await begun(served, "drain");
    const others = await fill(served);
    release(served, "drain");
    const { status, text } = await drained;
    expect([status, text]).toEqual([200, "ok"]);
    const statuses = (await Promise.all(others)).map((other) => other.status).toSorted();
    expect(statuses).toEqual([...Array(QUEUE).fill(200), 503]);
    expect(await events(served)).toContain(`drained drain: [${BODY.length / 2}, ${BODY.length / 2}]`);
  });

  it("20.4 a response that is its request's body ends with it, also as it arrives", async () => {
    for (const server of [served, live]) {
      const { pids } = server.told;
      for (let i = 0; i < 3; i++) {
        const start = performance.now();
        const headers = { "Content-Length": String(BODY.length) };
        expect((await server.ask("/echo", { method: "POST", headers, body: BODY })).text).toBe(BODY);
        expect((await server.ask("/")).status).toBe(200);
        expect(performance.now() - start).toBeLessThan(1800);
      }
      expect([server.told.pids, server.process.stderr]).toEqual([pids, expect.not.stringContaining("Traceback")]);
    }
  });

  it("20.4 a thread of the application that reads the body takes no frame of the next request", async () => {
    for (const server of [served, live]) {
      for (let i = 0; i < 5; i++) {
        const [aside, ...others] = await Promise.all([
          server.ask("/read-aside", { method: "POST", body: BODY.repeat(10) }),
          server.ask("/"),
          server.ask("/"),
        ]);
        expect([aside.status, aside.text.length]).toEqual([200, 20_000]);
        expect(others.map(({ text }) => text)).toEqual(["hello\n", "hello\n"]);
      }
      await until(
        "the ends",
        async () => (await events(server)).filter((event) => event.startsWith("aside: ")).length === 5,
      );
    }
  });

  it.each([
    ["none", "write: the response is complete"],
    ["length", "write: more bytes than the Content-Length"],
  ])("20.2 write() behind the end of a response says why it fails; Content-Length: %s", async (name, message) => {
    expect((await served.ask(`/late-write?${name}`)).text).toBe("one");
    release(served, `late-${name}`);
    await until("the error", async () => (await events(served)).includes(`late ${name}: ${message}`));
  });

  it("20.4 what threads of an application write behind the end of its response reaches no other request", async () => {
    expect((await served.ask("/flood?flood")).text).toMatch(/^one(?:flood)*$|^(?:flood)*one(?:flood)*$/);
    await until("late text", () => served.process.stderr.includes("late line\n"));
    for (let i = 0; i < 20; i++) expect((await served.ask("/facts?tag-next")).status).toBe(200);
    const { text, bytes } = await served.ask("/big?3000000");
    expect([bytes.length, text.includes("flood")]).toEqual([3_000_000, false]);
    const held = served.ask("/hold?tag-two");
    await begun(served, "tag-two");
    const lines = (): number => served.process.stderr.split("late line\n").length;
    const before = lines();
    await until("more late text", () => lines() > before + 10);
    release(served, "tag-two");
    release(served, "flood");
    expect((await held).text).toBe("held");
    await until("the end of the thread", async () => (await events(served)).includes("flood True"));
    expect(served.process.stderr).toContain("[tag-two] begun tag-two\n");
    expect(served.process.stderr).not.toMatch(/\[tag-.*late line/);
  });

  it("20.2 clients that have left the queue leave room in it", async () => {
    const held = served.ask("/hold?room");
    await begun(served, "room");
    const waiting: Socket[] = [];
    for (let i = 0; i < QUEUE; i++) waiting.push(await served.open("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    await until("a full queue", async () => await refused(served.ask("/")) === true);
    for (const socket of waiting) socket.resetAndDestroy();
    let last: Promise<Answer> | undefined;
    await until("room", async () => !await refused(last = served.ask("/")), 1);
    release(served, "room");
    expect([(await held).status, (await last)?.status]).toEqual([200, 200]);
  });

  it("20.2 clients that have sent FIN lose their place in a full queue to others, with an answer", async () => {
    const held = served.ask("/hold?fin");
    await begun(served, "fin");
    const texts: string[] = [];
    const waiting: Socket[] = [];
    for (let i = 0; i < QUEUE; i++) {
      const socket = await served.open("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      texts.push("");
      socket.setEncoding("latin1").on("data", (part) => texts[i] = `${texts[i]}${part}`);
      waiting.push(socket);
    }
    const closed = Promise.all(waiting.map((socket) => new Promise((resolve) => socket.once("close", resolve))));
    await until("a full queue", async () => await refused(served.ask("/")) === true);
    for (const socket of waiting) socket.end();
    let last: Promise<Answer> | undefined;
    await until("a place", async () => !await refused(last = served.ask("/")), 2);
    release(served, "fin");
    expect([(await held).status, (await last)?.status]).toEqual([200, 200]);
    await closed;
    expect(new Set(texts.map((text) => text.slice(9, 12)))).toEqual(new Set(["200", "503"]));
  });

  it("20.2 a slow download ends no time-out: the next request without progress gets 504", async () => {
    for (let i = 0; i < 2; i++) {
      const socket = await served.open("GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      let length = 0;
      socket.on("data", (bytes: Buffer) => {
        length += bytes.length;
        if (length % 7 > 0) return;
        socket.pause();
        setTimeout(() => socket.resume(), 5);
      });
      socket.pause();
      await new Promise((resolve) => setTimeout(resolve, 200)); // the file is full
      socket.resume();
      await new Promise((resolve) => socket.once("close", resolve));
      expect(length).toBeGreaterThan(40_000_000);
    }
    expect((await served.ask("/nap?6")).status).toBe(504);
    await until("a new process", async () => (await served.ask("/")).status === 200);
  }, 30_000);
});

/** Whether a request gets 503 at once; it waits otherwise. */
async function refused(asked: Promise<Answer>): Promise<boolean> {
  const waits = new Promise<undefined>((resolve) => setTimeout(resolve, 100));
  return (await Promise.race([asked, waits]))?.status === 503;
}
