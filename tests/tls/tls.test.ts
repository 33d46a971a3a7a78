/**
 * TLS on each runtime: what the two ends agree on, whom the server lets in, what it says to those that it does not, and
 * how certificates are exchanged while it runs. The behaviour suite runs over TLS too, see tests/behaviour/cell.ts.
 */

import { copyFileSync, readFileSync } from "node:fs";
import { connect as netConnect, type Socket } from "node:net";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { ServeOptions } from "../../core/server/serve_options.ts";
import { until } from "../lifecycle/cell.ts";
import { CLIENTS, clientsOf, noTally } from "../lifecycle/load.ts";
import { type Runtime, ServerProcess } from "../server_process.ts";
import { Certificates, type Pair } from "./certificates.ts";

const RUNTIMES: readonly Runtime[] = ["node", "deno", "bun"];
const FLAGS = ["--allow-net", "--allow-env", "--allow-read"];
/** The beginning of a TLS record, and no more. */
const HELLO = Uint8Array.of(22, 3, 1, 0, 200, 1);
const REQUEST = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

let made: Certificates;
let a: Pair;
let b: Pair;
let wild: Pair;
let client: Pair;
let stranger: Pair;
let ca: string;

beforeAll(() => {
  made = new Certificates();
  a = made.signed("a", { names: ["DNS:a.test", "DNS:localhost", "IP:127.0.0.1"] });
  b = made.signed("b", { names: ["DNS:b.test"], algorithm: "rsa" });
  wild = made.signed("wild", { names: ["DNS:*.w.test", "DNS:w.test"] });
  client = made.signed("client", { subject: '/O=Acme, "Inc"/CN=someone\u00e9' });
  stranger = made.stranger("stranger");
  ca = readFileSync(made.ca, "utf8");
});

afterAll(() => made.remove());

/** What a server says of a request. */
type Shown = Readonly<Record<string, string | undefined>>;

function read(pair: Pair): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(pair.cert), key: readFileSync(pair.key) };
}

/** A connection, once the handshake is done; rejects with what ended it. */
function dial(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", servername: "a.test", ca, ...options }, () => resolve(socket));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed")));
  });
}

/** All that a socket receives until its end. */
function all(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.setEncoding("latin1").on("data", (part) => text += part).on("error", () => {});
    socket.on("close", () => resolve(text));
  });
}

/** One request; what the server shows, or what became of it. */
async function ask(port: number, options: ConnectionOptions = {}): Promise<Shown> {
  const socket = await dial(port, options);
  const answer = all(socket);
  socket.write(REQUEST);
  const text = await answer;
  if (!text.startsWith("HTTP/1.1 200 ")) throw new Error(text === "" ? "closed" : text.split("\r\n")[0]);
  return JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4)) as Shown;
}

/** A plain socket that has sent some bytes. */
function plain(port: number, ...parts: readonly (string | Uint8Array)[]): Socket {
  const socket = netConnect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => {});
  for (const part of parts) socket.write(part);
  return socket;
}

/** The name that the certificate of the server is for. */
async function nameAt(port: number, servername: string): Promise<string> {
  const socket = await dial(port, { servername, checkServerIdentity: () => undefined });
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

describe.each(RUNTIMES)("18.1 TLS on %s", (runtime) => {
  /** Starts a server, and ends it with the test. */
  async function serving(options: ServeOptions): Promise<{ server: ServerProcess; port: number; ports: number[] }> {
    const args = [JSON.stringify(options)];
    const server = await ServerProcess.start(runtime, "tests/tls/main.ts", /^ports (.*)$/m, { flags: FLAGS, args });
    onTestFinished(() => server.stop());
    const ports = (server.ready[1] as string).split(" ").map(Number);
    return { server, port: ports[0] as number, ports };
  }

  it("chooses the certificate by name, a protocol of HTTP/1, and TLS 1.2 or 1.3", async () => {
    const { server, port, ports } = await serving({
      listen: [{ port: 0, tls: { ...a, sni: [b, wild] } }, { port: 0, tls: { ...a, minVersion: "TLSv1.3" } }, {
        port: 0,
      }],
    });
    const names = ["a.test", "b.test", "B.TEST", "x.w.test", "w.test", "x.y.w.test", "unknown.test", ""];
    const got = await Promise.all(names.map((name) => nameAt(port, name)));
    expect(got).toEqual(["a", "b", "b", "wild", "wild", "a", "a", "a"]);
    const shown = await ask(port);
    expect(shown).toMatchObject({
      HTTPS: "on",
      "wsgi.url_scheme": "https",
      SERVER_PORT: String(port),
      SSL_PROTOCOL: "TLSv1.3",
    });
    expect(shown.SSL_CIPHER).toMatch(/^TLS_[A-Z0-9_]+$/);
    expect(Object.keys(shown).filter((name) => name.startsWith("SSL_CLIENT"))).toEqual([]);
    expect(await ask(port, { maxVersion: "TLSv1.2" })).toMatchObject({ SSL_PROTOCOL: "TLSv1.2" });
    expect((await dial(port, { ALPNProtocols: ["h2", "http/1.1"] })).alpnProtocol).toBe("http/1.1");
    expect((await dial(port)).alpnProtocol).toBe(false);
    expect(server.stderr).toBe("");
    await expect(dial(port, { ALPNProtocols: ["h2"] })).rejects.toThrow();
    await expect(dial(ports[1] as number, { maxVersion: "TLSv1.2" })).rejects.toThrow();
    await until("two lines", () => server.stderr.split("\n").length === 3, 5000, () => server.stderr);
    expect(server.stderr).toMatch(
      /^(?:tsgi: closed the connection from 127\.0\.0\.1: its TLS handshake failed: ERR_\w+\n){2}$/,
    );
    expect(await (await fetch(`http://127.0.0.1:${ports[2]}/`)).json()).toMatchObject({ "wsgi.url_scheme": "http" });
  });

  it("18.3 ciphers: those of the list, with each certificate; on Deno, which would ignore it, a list is refused", async () => {
    const [strong, weak] = ["AES256-GCM-SHA384", "AES128-GCM-SHA256"];
    const ciphers = `ECDHE-ECDSA-${strong}:ECDHE-RSA-${strong}`;
    const tls = { ...a, sni: [b], ciphers };
    if (runtime === "deno") {
      await expect(serving({ port: 0, tls })).rejects.toThrow(/TLS: ciphers: the TLS of Deno takes no list of ciphers/);
      return;
    }
    const { port } = await serving({ port: 0, tls });
    const before = { maxVersion: "TLSv1.2", checkServerIdentity: () => undefined } as const;
    for (const [name, kind] of [["a.test", "ECDSA"], ["b.test", "RSA"]]) {
      const socket = await dial(port, { ...before, servername: name as string });
      expect(socket.getCipher().name).toBe(`ECDHE-${kind}-${strong}`);
      socket.destroy();
      const other = { ...before, servername: name as string, ciphers: `ECDHE-ECDSA-${weak}:ECDHE-RSA-${weak}` };
      await expect(dial(port, other)).rejects.toThrow();
    }
    expect(await ask(port)).toMatchObject({ SSL_PROTOCOL: "TLSv1.3" }); // its ciphers are the runtime's
  });

  it("client certificates: asked for, verified, shown, also in a resumed session", async () => {
    const tls = { ...a, ca: made.ca };
    const { server, port, ports } = await serving({
      listen: [{ port: 0, tls: { ...tls, certReqs: "optional" } }, { port: 0, tls: { ...tls, certReqs: "required" } }],
    });
    const required = ports[1] as number;
    expect(await ask(port)).not.toHaveProperty("SSL_CLIENT_VERIFY");
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      let session: Buffer | undefined;
      const known = { ...read(client), maxVersion };
      const socket = await dial(required, known);
      socket.on("session", (one) => session = one);
      const answer = all(socket);
      socket.write(REQUEST);
      const shown = JSON.parse((await answer).split("\r\n\r\n")[1] as string) as Shown;
      expect(shown).toMatchObject({
        SSL_CLIENT_VERIFY: "SUCCESS",
        SSL_CLIENT_S_DN: 'CN=someone\\C3\\A9,O=Acme\\, \\"Inc\\"',
        SSL_CLIENT_I_DN: "CN=An authority of tests",
      });
      expect(shown.SSL_CLIENT_CERT?.trim()).toBe(readFileSync(client.cert, "utf8").trim());
      expect(shown.SSL_CLIENT_M_SERIAL).toMatch(/^[0-9A-F]+$/);
      expect(Date.parse(shown.SSL_CLIENT_V_END ?? "")).toBeGreaterThan(Date.parse(shown.SSL_CLIENT_V_START ?? ""));
      const again = await ask(required, { ...known, ...(session === undefined ? {} : { session }) });
      expect({ ...again, REMOTE_PORT: "" }).toEqual({ ...shown, REMOTE_PORT: "" });
    }
    expect(server.stderr).toBe("");
    await expect(ask(port, read(stranger))).rejects.toThrow();
    await expect(ask(required, read(stranger))).rejects.toThrow();
    await expect(ask(required)).rejects.toThrow();
    await until("three lines", () => server.stderr.split("\n").length === 4, 5000, () => server.stderr);
    expect(server.stderr).toMatch(/(?:its certificate is not accepted: DEPTH_ZERO_SELF_SIGNED_CERT\n.*){2}/);
    expect(server.stderr).toContain(": it has no certificate, which certReqs requires\n");
  });

  it(
    "18.1 a session is resumed only where its client certificate is good: not at another listener, nor later",
    async () => {
      const others = new Certificates();
      onTestFinished(() => others.remove());
      const list = made.path(`authorities-${runtime}.pem`);
      copyFileSync(made.ca, list);
      const { server, ports } = await serving({
        listen: [
          { port: 0, tls: { ...a, ca: list, certReqs: "required" } },
          { port: 0, tls: { ...a, ca: others.ca, certReqs: "required" } },
        ],
      });
      const [own, other] = ports as [number, number];
      const sessions = new Map<string, Buffer>();
      for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
        const known = { ...read(client), maxVersion };
        const socket = await dial(own, known);
        socket.on("session", (one) => sessions.set(maxVersion, one));
        const answer = all(socket);
        socket.write(REQUEST);
        expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
        const session = sessions.get(maxVersion) as Buffer;
        expect(await ask(own, { ...known, session })).toHaveProperty("SSL_CLIENT_S_DN");
        await expect(ask(other, { ...known, session })).rejects.toThrow();
        await expect(ask(other, { maxVersion, session })).rejects.toThrow();
      }
      copyFileSync(others.ca, list);
      await until("the new authority", () => server.stderr.includes("are in use\n"), 15_000, () => server.stderr);
      for (const [maxVersion, session] of sessions) {
        const known = { ...read(client), maxVersion: maxVersion as "TLSv1.3" };
        await expect(ask(own, { ...known, session })).rejects.toThrow();
        await expect(ask(own, { maxVersion: known.maxVersion, session })).rejects.toThrow();
      }
    },
    30_000,
  );

  it("plain HTTP gets a 400 that says so, and one line; what is neither is closed; a port check is nothing", async () => {
    const { server, port } = await serving({ tls: a });
    plain(port).end();
    const answer = await all(plain(port, REQUEST));
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    const body = answer.split("\r\n\r\n")[1] as string;
    expect(body).toBe("This port speaks HTTPS. The request came as HTTP, in clear.\n");
    expect(answer).toContain(`Content-Length: ${body.length}\r\n`);
    expect(await all(plain(port, "\x80\x2e\x01"))).toBe("");
    const cut = plain(port, HELLO);
    cut.on("connect", () => cut.resetAndDestroy());
    await until("two lines", () => server.stderr.split("\n").length === 3, 5000, () => server.stderr);
    expect(server.stderr.replaceAll(/^.*127\.0\.0\.1: /gm, "")).toBe(
      "it speaks HTTP without TLS\nit does not begin with a TLS handshake\n",
    );
    expect((await ask(port)).HTTPS).toBe("on");
  });

  it("a handshake that idles is cut within a second of headerTimeout; it counts as a connection", async () => {
    const { server, port } = await serving({ tls: a, headerTimeout: 1.5, maxConnections: 3, drainIdle: 0.5 });
    const began = performance.now();
    const silent = plain(port);
    const [first, stuck] = [plain(port, HELLO), plain(port, HELLO)];
    const ends = [silent, first, stuck].map((one) => all(one).then(() => performance.now() - began));
    await new Promise((resolve) => stuck.once("connect", resolve));
    await expect(ask(port)).rejects.toThrow("HTTP/1.1 503 Service Unavailable");
    for (const ms of await Promise.all(ends)) {
      expect(ms).toBeGreaterThan(1400);
      expect(ms).toBeLessThan(2600);
    }
    const late3 = /(?:.*127\.0\.0\.1: it was not ready for its first request within 1\.5 s\n){3}/;
    await until("three lines", () => late3.test(server.stderr), 5000, () => server.stderr);
    expect((await ask(port)).HTTPS).toBe("on");
    const late = plain(port, HELLO);
    await new Promise((resolve) => late.once("connect", resolve));
    await ask(port); // the server has accepted the former
    server.kill("SIGTERM");
    expect(await all(late)).toBe("");
    expect(await server.exited).toEqual({ code: 0, signal: null });
  });

  it("the prefix of the PROXY protocol comes before TLS, however it is split", async () => {
    const { server, port } = await serving({ tls: a, proxyProtocol: true });
    const prefix = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
    const through = async (parts: readonly string[], together: boolean): Promise<Shown> => {
      const raw = netConnect({ port, host: "127.0.0.1", noDelay: true });
      if (together) raw.cork();
      for (const part of parts) {
        raw.write(part);
        if (!together) await new Promise((resolve) => setImmediate(resolve));
      }
      const socket = dial(0, { socket: raw });
      if (together) setImmediate(() => raw.uncork());
      const answer = all(await socket);
      (await socket).write(REQUEST);
      return JSON.parse((await answer).split("\r\n\r\n")[1] as string) as Shown;
    };
    for (const parts of [[prefix], [...prefix], [prefix.slice(0, 30), prefix.slice(30)]]) {
      for (const together of [true, false]) {
        expect(await through(parts, together)).toMatchObject({
          REMOTE_ADDR: "192.0.2.7",
          REMOTE_PORT: "56324",
          SERVER_PORT: "443",
          HTTPS: "on",
        });
      }
    }
    const clear = await all(plain(port, prefix + REQUEST));
    expect(clear).toMatch(/^HTTP\/1\.1 400 /);
    await until("a line", () => server.stderr.endsWith("\n")); // the response may come before it
    expect(server.stderr).toBe("tsgi: closed the connection from 192.0.2.7: it speaks HTTP without TLS\n");
  });

  it(
    "files that change are read anew under load, and no request fails; a pair that does not match changes nothing",
    async () => {
      const [cert, key] = [made.path(`live-${runtime}.pem`), made.path(`live-${runtime}.key`)];
      const use = (pair: Pair): void => {
        copyFileSync(pair.cert, cert);
        copyFileSync(pair.key, key);
      };
      const one = made.signed(`one-${runtime}`, { names: ["DNS:a.test", "DNS:localhost"] });
      const two = made.signed(`two-${runtime}`, { names: ["DNS:a.test", "DNS:localhost"] });
      use(two);
      const { server, port, ports } = await serving({
        listen: [{ port: 0, tls: { cert, key, sni: [b] } }, { port: 0, tls: { cert, key } }],
      });
      const alone = ports[1] as number;
      const old = await dial(port);
      const tally = noTally();
      let over = false;
      const clients = clientsOf(port, tally, { over: () => over, ca, path: "/" });
      for (const [i, pair] of [one, two].entries()) {
        use(pair);
        await until("the new certificate", () => server.stderr.split("are in use\n").length === 2 * i + 3, 15_000);
        expect(await nameAt(port, "a.test")).toBe(pair === one ? `one-${runtime}` : `two-${runtime}`);
        expect(await nameAt(port, "")).toBe(pair === one ? `one-${runtime}` : `two-${runtime}`);
        expect(await nameAt(alone, "a.test")).toBe(pair === one ? `one-${runtime}` : `two-${runtime}`);
        expect(await nameAt(alone, "")).toBe(pair === one ? `one-${runtime}` : `two-${runtime}`);
        expect(await nameAt(port, "b.test")).toBe("b");
      }
      copyFileSync(one.key, key);
      await until("the refusal", () => /belong/.test(server.stderr), 15_000, () => server.stderr);
      expect(server.stderr.split("\n").at(-2)).toBe(
        `tsgi: TLS: ${key}: its key does not belong to the certificate in ${cert}; the certificates of before stay in use`,
      );
      const then = tally.answered;
      await until("more requests", () => tally.answered > then + 2 * CLIENTS && tally.answered > 1000, 30_000);
      expect(await nameAt(port, "a.test")).toBe(`two-${runtime}`);
      over = true;
      await Promise.all(clients);
      expect({ ...tally, answered: 0, connections: 0, last: 0 }).toEqual(noTally());
      const answer = all(old);
      old.write(REQUEST);
      expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
    },
    90_000,
  );

  it("certificates and keys are checked at the start: which file, and what is wrong with it", async () => {
    const both = made.path(`both-${runtime}.pem`);
    const text = (path: string): string => readFileSync(path, "utf8");
    const { writeFileSync } = await import("node:fs");
    writeFileSync(both, `${text(a.key)}${text(a.cert)}`);
    const broken = made.path(`broken-${runtime}.pem`);
    writeFileSync(broken, "-----BEGIN CERTIFICATE-----\nMIIBijCCATCgAwIBAgIU\n-----END CERTIFICATE-----\n");
    const ed = made.signed(`ed-${runtime}`, { algorithm: "ed25519" });
    const pss = made.signed(`pss-${runtime}`, { algorithm: "rsa-pss" });
    const locked = made.encrypted(a.key, "sesame");
    const old = made.encrypted(b.key, "sesame", ["rsa", "-aes256", "-traditional"]);
    const [des, scrypt] = ["-v2=des3", "-scrypt"].map((how) =>
      made.encrypted(a.key, "sesame", ["pkcs8", "-topk8", ...how.split("=")])
    );
    // What not every runtime knows is served, or the message does not blame the passphrase alone.
    const servedUnless = (other: Runtime, message: RegExp): RegExp => runtime === other ? message : /^served$/;
    const unknown = /^TlsError: TLS: \S*encrypted: .*, or the runtime does not know this encryption; `openssl pkcs8/;
    const cases: readonly (readonly [tls: object, expected: RegExp])[] = [
      [a, /^served$/],
      [ed, /^served$/],
      [{ cert: both }, /^served$/],
      [{ cert: text(a.cert), key: text(a.key) }, /^served$/],
      [{ cert: a.cert, key: locked, passphrase: "sesame" }, /^served$/],
      [{ cert: b.cert, key: old, passphrase: "sesame" }, /^served$/],
      [{ cert: a.cert, key: des, passphrase: "sesame" }, servedUnless("deno", unknown)],
      [{ cert: a.cert, key: scrypt, passphrase: "sesame" }, servedUnless("bun", unknown)],
      [
        pss,
        runtime === "node" ? /^served$/ : /^TlsError: TLS: \S*\/pss-\w+\.key: its key is .*of a kind that the runtime/,
      ],
      [
        { cert: a.cert, key: b.key },
        /^TlsError: TLS: \S*\/b\.key: its key does not belong to the certificate in \S*\/a\.pem$/,
      ],
      [
        { ...a, sni: [{ cert: b.cert, key: a.key }] },
        /^TlsError: TLS: \S*\/a\.key: its key does not belong to .*\/b\.pem$/,
      ],
      [{ cert: a.cert, key: text(b.key) }, /^TlsError: TLS: the text of the option key: its key does not belong/],
      [{ cert: made.path("none.pem"), key: a.key }, /^TlsError: TLS: \S*\/none\.pem: it cannot be read \(.*\)$/],
      [{ cert: a.cert }, /^TlsError: TLS: \S*\/a\.pem: it has no private key in PEM form/],
      [{ cert: a.key, key: a.key }, /^TlsError: TLS: \S*\/a\.key: it has no certificate in PEM form/],
      [{ cert: broken, key: a.key }, /^TlsError: TLS: \S*\/broken-\w+\.pem: its certificate 1 is malformed/],
      [{ ...a, certReqs: "required", ca: a.key }, /^TlsError: TLS: \S*\/a\.key: it has no certificate in PEM form/],
      [
        { cert: a.cert, key: locked },
        /^TlsError: TLS: \S*\/a\.key\.\d+\.encrypted: its key is encrypted and needs a passphrase$/,
      ],
      [{ cert: a.cert, key: locked, passphrase: "opens" }, /^TlsError: TLS: \S*encrypted: .*the passphrase is wrong/],
      [{ cert: b.cert, key: old, passphrase: "opens" }, /^TlsError: TLS: \S*encrypted: .*the passphrase is wrong/],
      [
        { ...a, certReqs: "required" },
        /^OptionError: Option tls\.certReqs: expected none, or the option tls\.ca beside it/,
      ],
      [{ ...a, ca: made.ca }, /^OptionError: Option tls\.ca: expected the option tls\.certReqs beside it/],
      [{ ...a, minVersion: "TLSv1.1" }, /^OptionError: Option tls\.minVersion: expected one of TLSv1\.2, TLSv1\.3/],
      [
        { ...a, ciphers: "NO-SUCH-CIPHER" },
        runtime === "deno"
          ? /^TlsError: TLS: ciphers: the TLS of Deno takes no list of ciphers/
          : /^TlsError: TLS: ciphers: the runtime has no cipher of the list "NO-SUCH-CIPHER" \(/,
      ],
      [{ ...a, ciphers: "" }, /^OptionError: Option tls\.ciphers: expected a list of ciphers of TLS 1\.2/],
      [{ ...a, ciphers: "ECDHE+AESGCM:TLS_AES_128_GCM_SHA256" }, /^OptionError: Option tls\.ciphers: .*\(TLS_\.\.\.\)/],
      [{ ...a, ciphers: ["AES"] }, /^OptionError: Option tls\.ciphers: expected a list of ciphers/],
      [
        { ...a, ciphers: "ECDHE+AESGCM", minVersion: "TLSv1.3" },
        /^OptionError: Option tls\.ciphers: expected the option tls\.minVersion TLSv1\.2/,
      ],
      [{ ...a, cerificate: 1 }, /^OptionError: Option tls\.cerificate: expected one of cert, key, /],
      [{ ...a, sni: [{}] }, /^OptionError: Option tls\.sni\[0\]\.cert: expected the path of a file/],
    ];
    const args = [JSON.stringify(cases.map(([tls]) => tls))];
    const process = await ServerProcess.start(runtime, "tests/tls/pairs.ts", /^\[.*\]$/m, { flags: FLAGS, args });
    const told = JSON.parse(process.ready[0]) as string[];
    for (const [i, [, expected]] of cases.entries()) expect(told[i]).toMatch(expected);
    expect(process.output).not.toMatch(/sesame|"opens"/);
    await process.exited;
  });
});
