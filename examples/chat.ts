/**
 * Server-sent events that work with several workers, `tsgi -w 2 examples/chat.ts`.
 *
 * Workers share no memory: a list of clients in a variable would have only those of one worker. So messages are in a SQLite
 * file. Each stream reads from it what is new, whichever worker has written it. A client that comes back says with
 * Last-Event-ID what it has seen, and misses nothing, not even during a reload.
 */

import { DatabaseSync } from "node:sqlite";
import { type Body, type Environ, isMain, serve, type StartResponse } from "../mod.ts";

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>tsgi chat</title>
<form><input name="text" autofocus autocomplete="off"><button>Say</button></form>
<ul></ul>
<script>
  const form = document.querySelector("form");
  form.onsubmit = (event) => {
    event.preventDefault();
    fetch("/messages", { method: "POST", body: form.text.value });
    form.reset();
  };
  new EventSource("/messages").onmessage = (event) => {
    const item = document.createElement("li");
    item.textContent = event.data;
    document.querySelector("ul").append(item);
  };
</script>
`;

const INTERVAL = 200; // ms between two looks into the file

const db = new DatabaseSync("chat.db");
db.exec("PRAGMA busy_timeout = 5000"); // another worker may be writing
db.exec("CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
const add = db.prepare("INSERT INTO messages (text) VALUES (?)");
const after = db.prepare("SELECT id, text FROM messages WHERE id > ? ORDER BY id LIMIT 100");

/** The messages behind `last`, and then each new one. */
async function* messages(last: number, signal: AbortSignal): AsyncGenerator<string> {
  yield ": connected\n\n"; // sends the head, so that the client knows
  while (!signal.aborted) {
    for (const { id, text } of after.all(last)) {
      last = Number(id);
      yield `id: ${id}\ndata: ${String(text).replaceAll("\n", "\ndata: ")}\n\n`;
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  }
}

export async function app(environ: Environ, startResponse: StartResponse): Promise<Body> {
  if (environ.PATH_INFO !== "/messages") {
    startResponse("200 OK", [["Content-Type", "text/html; charset=utf-8"]]);
    return PAGE;
  }
  if (environ.REQUEST_METHOD === "POST") {
    add.run(new TextDecoder().decode(await environ["wsgi.input"].read()).replaceAll("\r", ""));
    startResponse("204 No Content", []);
    return "";
  }
  startResponse("200 OK", [["Content-Type", "text/event-stream"], ["Cache-Control", "no-store"]]);
  return messages(Number(environ.HTTP_LAST_EVENT_ID ?? 0) || 0, environ["tsgi.request"].signal);
}

if (isMain(import.meta)) await serve(app);
