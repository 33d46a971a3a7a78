/** Routes: parameters, a wildcard, another application below a path, JSON, redirects and error pages. */

import { type ApplicationFunction, isMain, serve } from "../mod.ts";
import { html, HttpError, json, negotiate, parseJson, query, redirect, text } from "../http/mod.ts";
import { compose, cors, errorPage, router } from "../middleware/mod.ts";

const books = new Map([["1", "Moby Dick"], ["2", "Walden"]]); // workers share no memory: a real site has a database

const api = router()
  .get("/books", (environ, startResponse) => {
    const wanted = query(environ).get("q") ?? "";
    return json(startResponse, [...books].filter(([, title]) => title.includes(wanted)));
  })
  .get("/books/:id", (environ, startResponse) => {
    const { id } = environ["tsgi.params"]; // TypeScript knows its name
    const title = books.get(id);
    if (title === undefined) throw new HttpError(404, `No book ${id}`);
    return json(startResponse, { id, title });
  })
  .put("/books/:id", async (environ, startResponse) => {
    const title = await parseJson(environ, { limit: 1000 });
    if (typeof title !== "string") throw new HttpError(422, "Expected a string as title");
    books.set(environ["tsgi.params"].id, title);
    return json(startResponse, { title }, { status: 201 });
  });

const site = router()
  .get(
    "/",
    (environ, startResponse) =>
      negotiate(environ, ["text/html", "application/json"]) === "application/json"
        ? json(startResponse, { books: "/api/books" })
        : html(startResponse, '<!doctype html><title>tsgi router</title><a href="/api/books">books</a>'),
  )
  .get(
    "/old/*rest",
    (environ, startResponse) => redirect(startResponse, `/${environ["tsgi.params"].rest}`, { status: 308 }),
  )
  .mount("/api", cors()(api));

site("/echo/:words")((environ, startResponse) => text(startResponse, environ["tsgi.params"].words)); // all methods

export const app: ApplicationFunction = compose(errorPage())(site);

if (isMain(import.meta)) await serve(app);
