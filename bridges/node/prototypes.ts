/**
 * The prototypes of the two objects that a listener gets.
 *
 * An Express application begins by giving both objects prototypes of its own, `app.request` and `app.response`. V8
 * then rebuilds the hidden class of an object property by property, which takes 1.5 us of a request. So objects for such
 * an application are made with these prototypes from the start, and Express changes nothing. Any other listener gets
 * objects of the classes that were given with it, or of those of `node:http`.
 *
 * @module
 */

import { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { MessageClasses } from "./listener.ts";

/** Makes the objects of requests. */
export interface Maker {
  /** Makes a request object without a head. */
  request(socket: Socket): IncomingMessage;
  /** Makes the response object to a request. */
  response(request: IncomingMessage): ServerResponse;
}

/** Makes objects with the prototypes of `node:http`. */
const PLAIN: Maker = {
  request: (socket) => new IncomingMessage(socket),
  response: (request) => new ServerResponse(request),
};

/** Makes objects of a program's own classes. */
function makerOf(classes: MessageClasses): Maker {
  const Request = classes.IncomingMessage ?? IncomingMessage;
  const Response = classes.ServerResponse ?? ServerResponse;
  return {
    request: (socket) => new Request(socket as never) as IncomingMessage,
    response: (request) => new Response(request as never) as ServerResponse,
  };
}

/** What Express applications have, and what no other listener is known to have. */
interface Listener {
  readonly request?: unknown;
  readonly response?: unknown;
}

/** Returns what gives the maker for each request to a listener, since an Express application may be changed. */
export function makerFor(given: object, classes: MessageClasses): () => Maker {
  if (classes.IncomingMessage !== undefined || classes.ServerResponse !== undefined) {
    const own = makerOf(classes);
    return () => own;
  }
  const listener = given as Listener;
  let request: unknown;
  let response: unknown;
  let maker = PLAIN;
  return () => {
    if (listener.request !== request || listener.response !== response) {
      ({ request, response } = listener);
      maker = makerWith(request, response);
    }
    return maker;
  };
}

function makerWith(request: unknown, response: unknown): Maker {
  if (!isBelow(request, IncomingMessage.prototype) || !isBelow(response, ServerResponse.prototype)) return PLAIN;
  const plain = PLAIN.request({} as Socket);
  if (shadows(request, plain) || shadows(response, PLAIN.response(plain))) return PLAIN;
  const Request = targetWith(request);
  const Response = targetWith(response);
  return {
    request: (socket) => Reflect.construct(IncomingMessage, [socket], Request) as IncomingMessage,
    response: (to) => Reflect.construct(ServerResponse, [to], Response) as ServerResponse,
  };
}

function isBelow(value: unknown, prototype: object): value is object {
  return typeof value === "object" && value !== null && Object.prototype.isPrototypeOf.call(prototype, value);
}

/**
 * Whether a prototype defines a property that plain objects have themselves. An accessor would then see the assignments
 * of the constructor, which in `node:http` make own properties.
 */
function shadows(prototype: object, plain: object): boolean {
  const end = Object.getPrototypeOf(plain) as object;
  for (let at = prototype; at !== end; at = Object.getPrototypeOf(at) as object) {
    if (Reflect.ownKeys(at).some((key) => Object.hasOwn(plain, key))) return true;
  }
  return false;
}

/** Returns a function that, as `new.target`, gives an object this prototype. */
function targetWith(prototype: object): () => void {
  const target = function (): void {};
  target.prototype = prototype;
  return target;
}
