/**
 * The command with TLS: certificates are exchanged by HUP under load, a pair that does not match leaves everything as it
 * is, and settings that do not fit together are refused before anything listens.
 */

import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Certificates, type Pair } from "../tls/certificates.ts";
import { type Command, ended, runtimes, SITE, until, withCommand } from "./command.ts";
import { nothingLost, underLoad } from "./load.ts";

let made: Certificates;
let one: Pair;
let two: Pair;
let ca: string;

beforeAll(() => {
  made = new Certificates();
  one = made.signed("one", { names: ["DNS:localhost", "IP:127.0.0.1"] });
  two = made.signed("two", { names: ["DNS:localhost", "IP:127.0.0.1"] });
  ca = readFileSync(made.ca, "utf8");
});

afterAll(() => made.remove());

/** The name of the certificate of a command. */
function nameOf(command: Command): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: command.port, host: "127.0.0.1", ca }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

describe.each(runtimes)("18.1 the command with TLS on %s", (runtime) => {
  it(
    "HUP exchanges the certificate under load, and no request is lost; one that does not match leaves the workers",
    async () => {
      const [cert, key] = [made.path(`${runtime}.pem`), made.path(`${runtime}.key`)];
      const use = (pair: Pair): void => {
        copyFileSync(pair.cert, cert);
        copyFileSync(made.encrypted(pair.key, "sesame"), key);
      };
      use(one);
      const secret = made.path("passphrase");
      writeFileSync(secret, "sesame\n");
      const args = ["-w", "2", "--certfile", cert, "--keyfile", key, "--passphrase-file", secret, SITE];
      await withCommand(runtime, { args }, async (command) => {
        expect(command.log).toContain(`Listening at: https://127.0.0.1:${command.port} `);
        expect(await nameOf(command)).toBe("one");
        const tally = await underLoad(command, async () => {
          for (const [round, pair] of [two, one].entries()) {
            const before = command.workers;
            use(pair);
            command.kill("SIGHUP");
            await command.logged(/All workers are ready/, round + 2);
            await until("the old workers to be gone", () => !before.some((pid) => command.workers.includes(pid)));
            expect(await nameOf(command)).toBe(pair === one ? "one" : "two");
          }
          const before = command.workers;
          copyFileSync(two.key, key);
          command.kill("SIGHUP");
          await command.logged(/\[ERROR\] The configuration stays as it was: /);
          expect(command.log).toContain(`: TLS: ${key}: its key does not belong to the certificate in ${cert}\n`);
          expect(command.workers).toEqual(before);
          expect(await nameOf(command)).toBe("one");
        }, { ca });
        nothingLost(tally);
        console.log(`${runtime}: ${tally.answered} requests answered over TLS`);
      });
    },
    90_000,
  );

  it("refuses what cannot be before anything listens", async () => {
    const cases: readonly (readonly [args: readonly string[], code: number, message: string])[] = [
      [["--certfile", one.cert, "--keyfile", two.key], 1, "two.key: its key does not belong to the certificate in "],
      [["--certfile", one.cert, "--certfile", two.cert, "--keyfile", one.key], 2, "--keyfile: expected a key for each"],
      [["--keyfile", one.key], 2, "--keyfile: expected --certfile beside it"],
    ];
    for (const [args, code, message] of runtime === "node" ? cases : cases.slice(0, 1)) {
      const exit = await ended(runtime, { args: ["-b", "127.0.0.1:0", ...args, SITE] });
      expect([exit.code, exit.err.split("\n").length]).toEqual([code, 2]);
      expect(exit.err).toContain(message);
    }
  });
});

it("18.1 the words of gunicorn, and what does not fit together", async () => {
  const { tlsOptions } = await import("../../cli/tls.ts");
  const { settingOf } = await import("../../cli/settings/mod.ts");
  expect(["0", "1", "2", "required"].map((word) => settingOf("certReqs").kind.parse(word)))
    .toEqual(["none", "optional", "required", "required"]);
  expect(settingOf("sslVersion").kind.parse("TLSv1_3")).toBe("TLSv1.3");
  expect(settingOf("sslVersion").kind.parse("TLSv1")).toBeUndefined();
  const usual = {
    certfile: [],
    keyfile: [],
    passphraseFile: null,
    caCerts: null,
    certReqs: "none",
    ciphers: null,
  } as const;
  const all = { ...usual, sslVersion: "TLSv1.2", protocol: "http" } as const;
  expect(tlsOptions(all)).toBeUndefined();
  expect(tlsOptions({ ...all, certfile: ["a", "b"] })).toEqual({
    cert: "a",
    key: "a",
    sni: [{ cert: "b", key: "b" }],
    certReqs: "none",
    minVersion: "TLSv1.2",
  });
  expect(tlsOptions({ ...all, certfile: ["a"], ciphers: "ECDHE+AESGCM" })).toMatchObject({ ciphers: "ECDHE+AESGCM" });
  const refused: readonly (readonly [object, string])[] = [
    [{ caCerts: "ca" }, "--ca-certs: expected --certfile beside it"],
    [{ ciphers: "ECDHE+AESGCM" }, "--ciphers: expected --certfile beside it"],
    [{ certReqs: "required" }, "--cert-reqs: expected --certfile beside it"],
    [{ certfile: ["a"], certReqs: "required" }, "--cert-reqs: expected --ca-certs beside it"],
    [{ certfile: ["a"], caCerts: "ca" }, "--ca-certs: expected --cert-reqs beside it"],
    [{ certfile: ["a"], protocol: "fastcgi" }, "--certfile: expected --protocol http"],
    [{ certfile: ["a"], passphraseFile: "/no/such" }, "--passphrase-file: expected a file that can be read"],
  ];
  for (const [given, message] of refused) expect(() => tlsOptions({ ...all, ...given })).toThrow(message);
});
