/**
 * What nginx and Apache sent, as it was and damaged at random, through each wire to an application with a validator around
 * it. As it was, no rule is broken. Damaged, none of those is that do not hang on the front end's word.
 */

import { describe, expect, test } from "vitest";
import { validator, WsgiViolation } from "../../wsgiref/validate.ts";
import type { Protocol } from "../../core/seams.ts";
import { loadWire } from "../../core/wires/load.ts";
import type { Environ, StartResponse } from "../../mod.ts";
import { captures, inPieces, mutated, randomFrom } from "../cgi/trial.ts";
import { Talk } from "../http1/harness.ts";

const MUTATIONS = 100; // of each capture

/** What is passed on as the front end says it, who is trusted: port, paths, version, the names of variables. */
const PEERS_WORD: ReadonlySet<string> = new Set(["E03", "E04", "E05", "E12", "E13"]);

const protocols: readonly (readonly [Protocol, string])[] = [["scgi", "scgi"], ["uwsgi", "uwsgi"], ["fastcgi", "fcgi"]];

async function violationIn(protocol: Protocol, bytes: Uint8Array, random: () => number): Promise<WsgiViolation | null> {
  let violation: WsgiViolation | null = null;
  const note = (error: unknown): never => {
    if (error instanceof WsgiViolation) violation ??= error;
    throw error;
  };
  const reading = validator(async (environ: Environ, startResponse: StartResponse): Promise<string[]> => {
    await environ["wsgi.input"].readline(5).catch(note);
    await environ["wsgi.input"].read(3).catch(note);
    await environ["wsgi.input"].read().catch(note);
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return ["served"];
  });
  const app = (...args: [Environ, StartResponse]): ReturnType<typeof reading> => {
    try {
      return reading(...args);
    } catch (error) {
      return note(error);
    }
  };
  const talk = new Talk(app, {}, await loadWire(protocol));
  for (const piece of inPieces(bytes, random)) talk.connection.receive(piece.slice());
  talk.connection.ended();
  await talk.settled();
  talk.connection.closed();
  return violation;
}

describe.each(protocols)("%s", (protocol, infix) => {
  test.each(captures(infix))("%s", async (name, bytes) => {
    const random = randomFrom(bytes.length * 31 + name.length);
    expect(await violationIn(protocol, bytes, random)).toBe(null);
    for (let i = 0; i < MUTATIONS; i++) {
      const mutant = mutated(bytes, random);
      const violation = await violationIn(protocol, mutant, random);
      if (violation !== null && !PEERS_WORD.has(violation.rule.id)) {
        expect.fail(`${violation.message}\n${JSON.stringify(Buffer.from(mutant.subarray(0, 900)).toString("latin1"))}`);
      }
    }
  }, 60_000);
});
