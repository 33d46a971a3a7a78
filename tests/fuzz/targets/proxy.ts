/**
 * The prefix of the PROXY protocol, both versions, through the stage that reads it.
 *
 * @module
 */

import { ErrorStream } from "../../../core/contract/error_stream.ts";
import { readPrefix } from "../../../core/server/proxy_protocol.ts";
import { type ConnectionFacts, StagedConnection, type StageListener } from "../../../core/server/stage.ts";
import type { Peer, Transport } from "../../../core/seams.ts";
import { prefixV2, tlv, withChecksum } from "../../host/proxy_prefix.ts";
import { captures } from "../corpus.ts";
import { type NaiveEnds, naiveProxy } from "../naive/proxy.ts";
import type { Random } from "../random.ts";
import { Broken, bytesOf, expect, expectSame, piecesOf, type Target, textOf } from "../target.ts";

const PEER: Peer = { remoteAddress: "192.0.2.1", remotePort: "4711", localAddress: "192.0.2.2", localPort: "80" };
const REST = "GET / HTTP/1.1\r\n\r\n";
const V6 = [
  "::",
  "::1",
  "2001:db8::1",
  "1:2:3:4:5:6:7:8",
  "::ffff:192.0.2.1",
  "::192.0.2.1",
  "64:ff9b::192.0.2.1",
  "1::8",
];

/** The target. */
export const proxy: Target = {
  longest: 1200,
  seeds: () => captures(/-proxy-/),
  words: [
    "PROXY ",
    "TCP4",
    "TCP6",
    "UNKNOWN",
    " ",
    "\r\n",
    "\r",
    "\n",
    "\0",
    "65535",
    "65536",
    "::",
    "::ffff:",
    "\r\n\r\n\0\r\nQUIT\n",
  ]
    .concat(V6, "\x21\x11\0\x0c", "\x20\0\0\0", "\x21\x31\0\xd8", "\x03\0\x04"),
  generate: (random) => random.oneIn(2) ? lineOf(random) : binary(random),
  check(input: Uint8Array, random: Random): void {
    const whole = outcomeOf([input]);
    const wanted = naiveProxy(input);
    if (typeof wanted === "string") expectSame(whole.verdict, wanted, "the verdict is that of the naive reader");
    else {
      expectSame(whole.verdict, "passed", "the prefix is accepted as by the naive reader");
      expectEnds(whole.facts, wanted.ends);
      expect(whole.unread === textOf(input.subarray(wanted.length)), "no byte behind it is lost", () => whole.unread);
    }
    const split = outcomeOf(piecesOf(input, random));
    expectSame([split.verdict, split.facts], [whole.verdict, whole.facts], "splits change nothing");
    expect(whole.unread.startsWith(split.unread), "splits lose no byte", () => [whole.unread, split.unread]);
  },
};

interface Outcome {
  verdict: "passed" | "refused" | "more";
  facts: ConnectionFacts | undefined;
  unread: string;
}

const listener = {} as StageListener;

/** What becomes of a connection that delivers these pieces. */
function outcomeOf(pieces: readonly Uint8Array[]): Outcome {
  const outcome: Outcome = { verdict: "more", facts: undefined, unread: "" };
  const transport = {
    peer: PEER,
    givesInput: false,
    pause: () => {},
    destroy: () => {
      expect(outcome.verdict === "more", "one verdict", () => outcome.verdict);
      outcome.verdict = "refused";
    },
  } as unknown as Transport;
  let log = "";
  const connection = new StagedConnection(transport, readPrefix, listener, {
    timeouts: { headerTimeout: 1, drainIdle: 1 },
    errors: new ErrorStream((text) => void (log += text)),
    enter: (_staged, facts, unread) => {
      expect(outcome.verdict === "more", "one verdict", () => outcome.verdict);
      Object.assign(outcome, { verdict: "passed", facts, unread: textOf(unread) });
    },
    forget: () => {},
  });
  for (const piece of pieces) {
    const lent = piece.slice();
    connection.receive(lent);
    lent.fill(0x3f);
    if (outcome.verdict !== "more") break; // the next pieces go to the wire
  }
  if (outcome.verdict === "refused") {
    connection.receive(bytesOf(`PROXY UNKNOWN\r\n${REST}`));
    expect(/its PROXY protocol prefix is malformed|it does not begin with/.test(log), "only named errors", () => log);
    expect(log.split("\n").length === 2, "one line for the log", () => log);
  }
  return outcome;
}

/** The facts are the stated ends; addresses of version 2 are written as RFC 5952 has it. */
function expectEnds(facts: ConnectionFacts | undefined, ends: NaiveEnds): void {
  const peer = facts?.peer;
  if (ends === "unknown") return expectSame(peer, undefined, "no ends are stated");
  if (ends === "unix") {
    const { localAddress, localPort } = PEER;
    return expectSame(
      peer,
      { remoteAddress: "", remotePort: "", localAddress, localPort },
      "a peer without an address",
    );
  }
  if (peer === undefined) throw new Broken("ends are stated", ends);
  const got = [peer.remoteAddress, peer.remotePort, peer.localAddress, peer.localPort];
  expectSame(got.map(plain), ends.map(plain), "the ends are those of the naive reader");
}

/** One text for all texts of an address. */
function plain(text: string): string {
  return text.includes(":") ? new URL(`http://[${text}]`).hostname : text;
}

function lineOf(random: Random): Uint8Array {
  const v6 = random.oneIn(2);
  const address = (): string => {
    if (random.oneIn(10)) return random.text(9, "0123:.af%");
    if (!v6) return Array.from({ length: 4 }, () => random.oneIn(9) ? random.below(999) : random.below(256)).join(".");
    return random.oneIn(2)
      ? random.pick(V6)
      : Array.from({ length: 8 }, () => random.below(65536).toString(16)).join(":");
  };
  const port = (): string =>
    random.oneIn(8) ? random.pick(["65536", "00", "", "-1", "999999"]) : `${random.below(65536)}`;
  const family = random.oneIn(8) ? random.pick(["UNKNOWN", "TCP5", ""]) : v6 ? "TCP6" : "TCP4";
  const line = ["PROXY", family, address(), address(), port(), port()].join(" ");
  return bytesOf(
    `${line}${random.oneIn(9) ? random.pick(["\n", "\r", " \r\n", ""]) : "\r\n"}${random.oneIn(2) ? REST : ""}`,
  );
}

function binary(random: Random): Uint8Array {
  const octets = (count: number): number[] =>
    Array.from({ length: count }, () => random.oneIn(2) ? 0 : random.below(256));
  const net = random.oneIn(9) ? random.below(16) : random.between(0, 3);
  const family = net * 16 + (random.oneIn(5) ? random.below(4) : 1);
  const mapped = [...Array<number>(10).fill(0), 255, 255, ...octets(4)];
  const block = net === 2 && random.oneIn(4)
    ? [...mapped, ...mapped, ...octets(4)]
    : octets(random.oneIn(9) ? random.below(40) : [0, 12, 36, 216][net] ?? 4);
  const tlvs = random.many(0, 3, () => tlv(random.pick([1, 2, 3, 4, 0x20, 0xee]), octets(random.below(6)))).flat();
  const command = random.oneIn(6) ? random.pick([0x20, 0x22, 0x11, 0x31]) : 0x21;
  const withoutCheck = tlvs.length > 0 || random.oneIn(2);
  const prefix = withoutCheck ? prefixV2(command, family, [...block, ...tlvs]) : withChecksum(command, family, block);
  return new Uint8Array([...prefix, ...bytesOf(random.oneIn(2) ? REST : "")]);
}
