/** The prototypes of `req` and `res`: those of an Express application from the start, those of node:http otherwise. */

import { IncomingMessage, ServerResponse } from "node:http";
import express from "express";
import { expect, it } from "vitest";
import { fromNodeListener } from "../../../bridges/node_listener.ts";
import { client } from "../../../testing/mod.ts";

/** Returns the listener with a record of the prototypes that its objects have when it is called. */
function watched<Listener extends (request: never, response: never) => unknown>(listener: Listener) {
  const seen: [object | null, object | null][] = [];
  const proxy = new Proxy(listener, {
    apply(target, self, objects: [object, object]): unknown {
      seen.push([Object.getPrototypeOf(objects[0]), Object.getPrototypeOf(objects[1])]);
      return Reflect.apply(target, self, objects);
    },
  });
  return { seen, app: fromNodeListener(proxy as unknown as (request: object, response: object) => unknown) };
}

it("16 the objects for an Express application have its prototypes before it sets them", async () => {
  const application = express();
  application.get("/", (request, response) => void response.send(request.query["a"]));
  const { seen, app } = watched(application);
  expect(await (await client(app).get("/?a=b")).text()).toBe("b");
  expect(seen).toEqual([[application.request, application.response]]);
  expect(seen[0]?.[0]).toBe(application.request);
  expect(seen[0]?.[1]).toBe(application.response);
});

it("16 an application whose prototypes are replaced later has the new ones", async () => {
  const application = express();
  application.get("/", (_request, response) => void response.send("sent"));
  const { seen, app } = watched(application);
  await client(app).get("/");
  application.response = Object.create(application.response, { added: { value: 1 } });
  expect(await (await client(app).get("/")).text()).toBe("sent");
  expect(seen[1]?.[1]).toBe(application.response);
});

it("16 an own property of the objects wins over an accessor of the prototype, as in node:http", async () => {
  const application = express();
  Object.defineProperty(application.request, "complete", { get: () => "the application's" });
  application.get("/", (request, response) => void response.send(String(request.complete)));
  expect(await (await client(fromNodeListener(application)).get("/")).text()).toBe("true");
});

it.each([
  ["a plain function", {}],
  ["a function with other members of these names", { request: {}, response: () => {} }],
  ["a function with one of the two", { request: Object.create(IncomingMessage.prototype) as object }],
])("16 %s gets the prototypes of node:http", async (_, members) => {
  const listener = (_request: IncomingMessage, response: ServerResponse): unknown => response.end("plain");
  const { seen, app } = watched(Object.assign(listener, members));
  expect(await (await client(app).get("/")).text()).toBe("plain");
  expect(seen[0]?.[0]).toBe(IncomingMessage.prototype);
  expect(seen[0]?.[1]).toBe(ServerResponse.prototype);
});
