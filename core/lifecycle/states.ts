/**
 * The states of a request and of a connection, as tables.
 *
 * A table has every transition that is allowed: from a state, by an event, to a state. Anything else is a fault of this
 * code and throws. A guard is an event of its own and not a condition beside the table: whether a request has a body is
 * the difference between REQUEST and REQUEST_WITH_BODY. A look-up is two reads by small numbers, allocates nothing, and
 * happens when a state changes, never for each block.
 *
 * All wires share both tables. A wire decides when an event occurs: HTTP/1.1 begins the next request of a connection
 * with NEXT, and a CGI script ends at OVER.
 *
 * @module
 */

/** The head of the request is arriving, or has not begun. */
export const HEAD = 0;
/** The head is complete; the body is arriving. */
export const BODY = 1;
/** The request is complete, and its response runs. */
export const RECEIVED = 2;
/** The body will never be complete, and the response runs. */
export const BROKEN = 3;
/** The response is over; the rest of the body is arriving, and is dropped. */
export const DRAIN = 4;
/** Request and response are complete: another request may follow. */
export const OVER = 5;
/** The request is over without having been complete, so nobody knows where another one would begin. */
export const LOST = 6;

/** A state of a request. */
export type RequestState = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** The head is complete, and the request has no body. */
export const REQUEST = 0;
/** The head is complete, and a body follows. */
export const REQUEST_WITH_BODY = 1;
/** All bytes of the body have arrived. */
export const BODY_END = 2;
/** The body breaks its framing or a limit, is too slow, or was cut off. */
export const BODY_BROKEN = 3;
/** The response has ended, whether it is complete or not. A refusal is a response too. */
export const RESPONSE_END = 4;
/** The wire expects another request. */
export const NEXT = 5;
/** The client has left. */
export const DEPARTURE = 6;

/** An event of a request. */
export type RequestEvent = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** The states that follow, for each state and event. */
export type Transitions<S extends number, E extends number> = Readonly<
  Record<S, Readonly<Partial<Record<E, S>>>>
>;

/** The transitions of a request. */
export const REQUEST_TRANSITIONS: Transitions<RequestState, RequestEvent> = {
  [HEAD]: { [REQUEST]: RECEIVED, [REQUEST_WITH_BODY]: BODY, [RESPONSE_END]: LOST, [DEPARTURE]: LOST },
  [BODY]: { [BODY_END]: RECEIVED, [BODY_BROKEN]: BROKEN, [RESPONSE_END]: DRAIN, [DEPARTURE]: LOST },
  [RECEIVED]: { [RESPONSE_END]: OVER, [DEPARTURE]: LOST },
  [BROKEN]: { [RESPONSE_END]: LOST, [DEPARTURE]: LOST },
  [DRAIN]: { [BODY_END]: OVER, [BODY_BROKEN]: LOST, [DEPARTURE]: LOST },
  [OVER]: { [NEXT]: HEAD, [DEPARTURE]: LOST },
  [LOST]: { [DEPARTURE]: LOST },
};

/** Bytes are read, and responses are written. */
export const OPEN = 0;
/** We have sent FIN or a reset; the end of the socket follows. */
export const ENDING = 1;
/** Another protocol has the socket, after an Upgrade. */
export const RELEASED = 2;
/** The socket is closed. */
export const CLOSED = 3;

/** A state of a connection. */
export type ConnectionState = 0 | 1 | 2 | 3;

/** The wire ends the connection, in order or by a reset. */
export const END = 0;
/** The wire gives the socket away. */
export const RELEASE = 1;
/** The host reports that the socket is closed. */
export const CLOSE = 2;

/** An event of a connection. */
export type ConnectionEvent = 0 | 1 | 2;

/** The transitions of a connection. */
export const CONNECTION_TRANSITIONS: Transitions<ConnectionState, ConnectionEvent> = {
  [OPEN]: { [END]: ENDING, [RELEASE]: RELEASED, [CLOSE]: CLOSED },
  [ENDING]: { [CLOSE]: CLOSED },
  [RELEASED]: { [CLOSE]: CLOSED },
  [CLOSED]: {},
};

/**
 * The state that follows.
 *
 * @throws {RangeError} when the event cannot occur in this state.
 *
 * @example
 * ```ts
 * import { after, BODY, BODY_END, RECEIVED, REQUEST_TRANSITIONS } from "./states.ts";
 * console.assert(after(REQUEST_TRANSITIONS, BODY, BODY_END) === RECEIVED);
 * ```
 */
export function after<S extends number, E extends number>(transitions: Transitions<S, E>, state: S, event: E): S {
  const next: S | undefined = transitions[state][event];
  if (next === undefined) throw new RangeError(`event ${event} cannot occur in state ${state}`);
  return next;
}
