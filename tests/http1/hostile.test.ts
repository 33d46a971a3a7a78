/**
 * What one client, or one strange application, must not be able to do: each case here once stopped a server.
 */

import { describe, expect, it } from "vitest";
import { GuardedConnection } from "../../core/wires/raw_socket.ts";
import { ErrorStream } from "../../core/contract/error_stream.ts";
import type { Body, Environ, StartResponse } from "../../core/contract/types.ts";
import type { RawConnection } from "../../core/seams.ts";
import { hello, RecordingTransport, Talk } from "./harness.ts";

const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const HEAD = GET.replace("GET", "HEAD");
const POST_ONE = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na";

describe("a client that does not take its responses", () => {
  it("B04 gets no more of them: reading stops, also when they have no body", async () => {
    const talk = new Talk(hello);
    talk.transport.flowing = false;
    talk.receive(HEAD.repeat(3));
    expect(talk.statuses).toEqual([200]);
    expect(talk.transport.calls).toEqual(["pause"]);
    talk.connection.drained();
    await talk.settled();
    expect(talk.statuses).toEqual([200, 200]);
    talk.transport.flowing = true;
    talk.connection.drained();
    await talk.settled();
    expect(talk.statuses).toEqual([200, 200, 200]);
    expect(talk.transport.calls.at(-1)).toBe("resume");
  });

  it("L03 that has sent FIN too is answered once it takes them", () => {
    const talk = new Talk(hello);
    talk.transport.flowing = false;
    talk.receive(HEAD.repeat(2));
    talk.connection.ended();
    talk.transport.flowing = true;
    talk.connection.drained();
    expect(talk.statuses).toEqual([200, 200]);
    expect(talk.transport.calls.filter((call) => call === "end")).toEqual(["end"]);
  });
});

it("L03 FIN behind many pipelined requests: all are answered, and only the last says close", async () => {
  const talk = new Talk(async (environ: Environ, startResponse: StartResponse): Promise<Body> => {
    if (environ.PATH_INFO === "/slow") await new Promise((resolve) => setImmediate(resolve));
    startResponse("200 OK", []);
    return [];
  });
  talk.receive(GET.replace("/", "/slow") + GET + GET + GET);
  talk.connection.ended();
  for (let i = 0; i < 5; i++) await talk.settled();
  expect(talk.statuses).toEqual([200, 200, 200, 200]);
  expect(talk.sent.match(/Connection: close/g)).toHaveLength(1);
  expect(talk.sent.trimEnd().endsWith("Connection: close")).toBe(true);
});

describe("18.4 a client that sends much in small parts", () => {
  const waits = async (environ: Environ, startResponse: StartResponse): Promise<Body> => {
    const body = await environ["wsgi.input"].read();
    startResponse("200 OK", []);
    return [String(body.length)];
  };

  it("18.4 pipelined requests that wait are not copied for each response", async () => {
    const talk = new Talk(waits);
    const many = 50_000;
    talk.receive(GET.repeat(many)); // copied each time, these would be 35 GB
    while (talk.statuses.length < many) await talk.settled();
    expect(talk.statuses).toEqual(Array(many).fill(200));
  }, 60_000);

  it("18.4 octets that wait for a response are added to those before them", async () => {
    const talk = new Talk(waits);
    talk.receive(GET);
    const text = POST_ONE.repeat(1500) + GET; // 70,000 octets
    for (const octet of text) talk.receive(octet);
    for (let before = -1; before < talk.statuses.length;) {
      before = talk.statuses.length;
      await talk.settled();
      await talk.settled();
    }
    expect(talk.statuses).toEqual(Array(1502).fill(200));
  }, 60_000);

  it.each([1, 1000, 16384, 1 << 20])("18.4 a head has a limit, whatever the lengths of its parts: %d", (length) => {
    const field = `X: ${"a".repeat(8000 - 5)}\r\n`; // 8,000 octets
    const statuses = (text: string): readonly number[] => {
      const talk = new Talk(hello);
      for (let at = 0; at < text.length && talk.statuses.length === 0; at += length) {
        talk.receive(text.slice(at, at + length));
      }
      return talk.statuses;
    };
    const head = GET.slice(0, -2);
    expect(statuses(`${head}${field.repeat(16)}\r\n`)).toEqual([200]);
    expect(statuses(`${head}${field.repeat(17)}`)).toEqual([431]); // before its end
    expect(statuses(`${head}${field.repeat(17)}\r\n`)).toEqual([431]);
  }, 60_000);

  it("18.4 the limit of a head never refuses one line and one field that the options allow", () => {
    const talk = new Talk(hello, { limitRequestLine: 200_000, limitRequestFieldSize: 200_000 });
    talk.receive(`GET /${"a".repeat(199_000)} HTTP/1.1\r\nHost: ${"h".repeat(199_000)}\r\n\r\n`);
    expect(talk.statuses).toEqual([200]);
  });
});

describe("Upgrade", () => {
  const UPGRADE = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";

  it("bytes behind the Upgrade are kept for it, also during shutdown", async () => {
    let leftover: Uint8Array | undefined;
    const talk = new Talk(async (environ: Environ, startResponse: StartResponse): Promise<Body> => {
      startResponse("200 OK", []);
      await new Promise((resolve) => setImmediate(resolve));
      leftover = environ["tsgi.request"].rawSocket().leftover;
      return [];
    });
    talk.receive(UPGRADE);
    talk.connection.shutdown();
    talk.receive("early");
    await talk.settled();
    await talk.settled();
    expect(String.fromCharCode(...(leftover ?? []))).toBe("early");
    expect(talk.sent).toBe("");
  });

  it("an error in the application's connection is reported and costs its socket", () => {
    let log = "";
    let closed = 0;
    const throwing = new Proxy({} as RawConnection, {
      get: (_target, name) => () => {
        throw new Error(`in ${String(name)}`);
      },
    });
    const transport = new RecordingTransport();
    const guarded = new GuardedConnection(
      throwing,
      transport,
      new ErrorStream((text) => log += text),
      1000,
      () => closed++,
    );
    guarded.receive(new Uint8Array(1));
    guarded.drained();
    guarded.ended();
    guarded.tick(0);
    guarded.shutdown();
    guarded.closed();
    for (const name of ["receive", "drained", "ended", "tick", "shutdown", "closed"]) {
      expect(log).toContain(`in ${name}`);
    }
    expect(transport.calls).toEqual(Array(6).fill("reset"));
    expect(closed).toBe(1);
  });
});

describe("an application that gives strange things", () => {
  const revoked = (): never => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    throw proxy;
  };
  const apps: [
    title: string,
    app: (environ: Environ, startResponse: StartResponse) => Body | Promise<Body>,
    status: number,
  ][] = [
    ["X10 throws what cannot be looked at", revoked, 500],
    ["X10 rejects with it", () => Promise.resolve().then(revoked), 500],
    ["B15 returns it", () => {
      const { proxy, revoke } = Proxy.revocable([], {});
      revoke();
      return proxy as string[];
    }, 500],
    ["returns a thenable that settles twice", (_environ, startResponse) => {
      startResponse("200 OK", []);
      const twice = { then: (resolve: (body: Body) => void) => [resolve(["A"]), resolve(["B"])] };
      return twice as unknown as Promise<Body>;
    }, 200],
  ];
  it.each(apps)("%s", async (_title, app, status) => {
    const talk = await new Talk(app).receive(GET).settled();
    expect(talk.statuses).toEqual([status]);
    expect(talk.sent).not.toContain("B");
    expect(talk.log === "").toBe(status === 200);
  });

  it("X14 its body is closed once, also when the transport throws", async () => {
    for (const asynchronous of [false, true]) {
      let closed = 0;
      const talk = new Talk((_environ, startResponse) => {
        startResponse("200 OK", []);
        const body = Object.assign(["a", "b"].values(), { close: () => closed++ });
        return asynchronous ? Promise.resolve(body) : body;
      });
      talk.transport.commit = () => {
        throw new Error("no memory");
      };
      await talk.receive(GET).settled();
      expect(closed).toBe(1);
      expect(talk.log).toContain("no memory");
    }
  });

  it("B04 yields the turn after many blocks, small or empty, whatever makes them", async () => {
    for (const block of ["", "x"]) {
      let pulled = 0;
      const forever = {
        next: () => ({ done: pulled++ > 100_000, value: block }),
        [Symbol.iterator]: (): never => forever as never,
      };
      const sync = new Talk((_environ, startResponse) => {
        startResponse("200 OK", []);
        return forever as unknown as Iterable<string>;
      });
      sync.receive(GET);
      expect(pulled).toBeGreaterThan(1000);
      expect(pulled).toBeLessThan(10_000); // the rest comes in later turns
      sync.connection.closed();
      await sync.settled();
    }
  });

  it("B18 write() in a loop lets others have their turn, also where nothing is sent", async () => {
    const talk = new Talk(async (_environ: Environ, startResponse: StartResponse): Promise<Body> => {
      const write = startResponse("200 OK", []);
      for (let i = 0; i < 50_000; i++) await write("x");
      return [];
    });
    talk.receive(HEAD);
    let turns = 0;
    while (!talk.transport.sent.includes("Date") || turns < 3) {
      await talk.settled();
      turns++;
    }
    expect(turns).toBeGreaterThanOrEqual(3);
  });
});
