/**
 * The state tables against expectations that are written from the RFCs, for each pair of a state and an event.
 *
 * A row has the state that must follow each event; "-" where the event cannot occur.
 */

import { describe, expect, it } from "vitest";
import * as State from "../../core/lifecycle/states.ts";

const REQUEST_EVENTS = [
  "REQUEST",
  "REQUEST_WITH_BODY",
  "BODY_END",
  "BODY_BROKEN",
  "RESPONSE_END",
  "NEXT",
  "DEPARTURE",
] as const;

const REQUEST_ROWS = {
  // RFC 9112 6.3: a request without Content-Length and Transfer-Encoding has no body, and is complete with its head. A
  // refusal ends a head that is not complete, so the octets behind it cannot be framed (RFC 9112 9.3, 9.6).
  HEAD: ["RECEIVED", "BODY", "-", "-", "LOST", "-", "LOST"],
  // RFC 9112 7.5 and 9.3: a server reads the whole body or closes after its response. RFC 9112 8: a body that ends before
  // its declared length is incomplete.
  BODY: ["-", "-", "RECEIVED", "BROKEN", "DRAIN", "-", "LOST"],
  // RFC 9112 9.3.2: pipelined requests wait for the response, so no other head begins here.
  RECEIVED: ["-", "-", "-", "-", "OVER", "-", "LOST"],
  // RFC 9112 8: nothing can be framed behind an incomplete message, so the response is the last.
  BROKEN: ["-", "-", "-", "-", "LOST", "-", "LOST"],
  // RFC 9112 9.3: once the rest of the body has been read, the connection can be used again.
  DRAIN: ["-", "-", "OVER", "LOST", "-", "-", "LOST"],
  // RFC 9112 9.3: a persistent connection carries another request.
  OVER: ["-", "-", "-", "-", "-", "HEAD", "LOST"],
  LOST: ["-", "-", "-", "-", "-", "-", "LOST"],
} as const;

const CONNECTION_EVENTS = ["END", "RELEASE", "CLOSE"] as const;

const CONNECTION_ROWS = {
  OPEN: ["ENDING", "RELEASED", "CLOSED"],
  // RFC 9112 9.6: after its FIN a server only reads, until the client closes too.
  ENDING: ["-", "-", "CLOSED"],
  // RFC 9110 7.8: after the 101, the socket belongs to another protocol.
  RELEASED: ["-", "-", "CLOSED"],
  // The host calls closed() once: rule 3 of core/seams.ts.
  CLOSED: ["-", "-", "-"],
} as const;

type Name = keyof typeof REQUEST_ROWS | keyof typeof CONNECTION_ROWS | typeof REQUEST_EVENTS[number];
const number = (name: string): number => (State as unknown as Record<Name, number>)[name as Name];

/** What a table says, in the form of the rows above. */
function said(
  transitions: State.Transitions<never, never>,
  names: string[],
  events: readonly string[],
): object {
  const cell = (state: string, event: string): string => {
    try {
      const next: number = State.after(transitions, number(state) as never, number(event) as never);
      return names.find((name) => number(name) === next) ?? `${next}`;
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
      expect((error as Error).message).toBe(`event ${number(event)} cannot occur in state ${number(state)}`);
      return "-";
    }
  };
  return Object.fromEntries(names.map((state) => [state, events.map((event) => cell(state, event))]));
}

describe("state tables", () => {
  it("of a request: 7 states x 7 events", () => {
    const names = Object.keys(REQUEST_ROWS);
    expect(new Set([...names, ...REQUEST_EVENTS].map(number)).size).toBe(7);
    expect(said(State.REQUEST_TRANSITIONS, names, REQUEST_EVENTS)).toEqual(REQUEST_ROWS);
  });

  it("of a connection: 4 states x 3 events", () => {
    const names = Object.keys(CONNECTION_ROWS);
    expect(new Set(names.map(number)).size).toBe(4);
    expect(said(State.CONNECTION_TRANSITIONS, names, CONNECTION_EVENTS)).toEqual(CONNECTION_ROWS);
  });

  it("have no other states and events", () => {
    const constants = Object.entries(State).filter(([, value]) => typeof value === "number").map(([name]) => name);
    const named = [
      ...Object.keys(REQUEST_ROWS),
      ...REQUEST_EVENTS,
      ...Object.keys(CONNECTION_ROWS),
      ...CONNECTION_EVENTS,
    ];
    expect(constants.sort()).toEqual(named.sort());
  });
});
