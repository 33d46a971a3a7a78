/**
 * Settings: bounds and time-outs of requests.
 *
 * They are options of `serve`, and docs/options.md says more about each.
 *
 * @module
 */

import { choice, integer, limit, seconds } from "./kinds.ts";
import type { Topic } from "./setting.ts";

/** The settings of this topic. */
export interface HttpSettings {
  /** Seconds until the next request. */
  keepAlive: number;
  /** Seconds for a request head. */
  headerTimeout: number;
  /** Seconds for the next byte of a body. */
  bodyTimeout: number;
  /** Bytes a second of a body. */
  minBodyRate: number;
  /** Seconds before that counts. */
  minBodyRateGrace: number;
  /** Seconds for the client to take output. */
  writeTimeout: number;
  /** Seconds for a response. */
  requestTimeout: number;
  /** Seconds of an idle connection at a stop. */
  drainIdle: number;
  /** Bytes of a request line. */
  limitRequestLine: number;
  /** Fields of a request. */
  limitRequestFields: number;
  /** Bytes of a field. */
  limitRequestFieldSize: number;
  /** Bytes of a body. */
  limitRequestBody: number;
  /** Requests of a connection. */
  maxRequestsPerConnection: number;
  /** Fields with an underscore. */
  headerMap: "drop" | "refuse" | "dangerous";
}

/** The settings of this topic. */
export const http: Topic<HttpSettings> = {
  keepAlive: {
    kind: seconds("above 0", "Infinity"),
    default: 75,
    help:
      "Seconds that a connection may wait for its next request. Longer than those of the web server or load balancer " +
      "in front, of which most have 60: one that sends a request to a connection that is being closed answers 502.",
  },
  headerTimeout: {
    kind: seconds("above 0", "Infinity"),
    default: 30,
    help: "Seconds that a request head may take from its first byte; that of a new connection from its beginning. " +
      "Then 408.",
  },
  bodyTimeout: {
    kind: seconds("above 0", "Infinity"),
    default: 60,
    help: "Seconds without a byte of a body that the application waits for. Then 408.",
  },
  minBodyRate: {
    kind: integer(0),
    default: 240,
    help:
      "Bytes a second that a client has to send of a body, on average, while the application waits for it. A slower " +
      "one gets 408. 0 switches it off, for clients that send as slowly as something happens. Over HTTP only: a web " +
      "server that speaks another protocol has limits of its own.",
  },
  minBodyRateGrace: {
    kind: seconds("above 0", "Infinity"),
    default: 5,
    help: "Seconds of waiting for a body before `minBodyRate` counts.",
  },
  writeTimeout: {
    kind: seconds("above 0", "Infinity"),
    default: 60,
    help: "Seconds in which a client may take none of the output that waits for it. Then it is cut.",
  },
  requestTimeout: {
    kind: seconds("above 0", "Infinity"),
    default: Infinity,
    help: "Seconds that a response may take. Then 503, or it is cut.",
  },
  drainIdle: {
    kind: seconds("from 0"),
    default: 1,
    help: "Seconds in which an idle connection still serves what comes once its worker is to stop. " +
      "Longer than the gaps between the requests of your keep-alive clients, and none of them fails.",
  },
  limitRequestLine: { kind: integer(1), default: 8190, help: "Bytes of a request line. Beyond it 414." },
  limitRequestFields: {
    kind: integer(1),
    default: 100,
    help: "Header and trailer fields of a request. Beyond it 431.",
  },
  limitRequestFieldSize: { kind: integer(1), default: 8190, help: "Bytes of a field line. Beyond it 431." },
  limitRequestBody: { kind: limit(0), default: Infinity, help: "Bytes of a request body. Beyond it 413." },
  maxRequestsPerConnection: {
    kind: limit(1),
    default: Infinity,
    help: "Requests on one connection. The last one is answered with `Connection: close`.",
  },
  headerMap: {
    kind: choice("drop", "refuse", "dangerous"),
    default: "drop",
    help: "What becomes of request fields with an underscore in their name, which would pose as those with a dash. " +
      "`refuse` answers 400, `dangerous` maps them.",
  },
};
