/**
 * A todo list: routes, a form with an upload, a session, static files, and server-sent events that keep all open pages up
 * to date.
 *
 * The list is in memory, of which each worker has its own: with `tsgi -w 2` it belongs in a file, as in chat.ts.
 */

import { type ApplicationFunction, isMain, serve } from "../mod.ts";
import { escapeHtml, eventStream, html, HttpError, parseForm, redirect } from "../http/mod.ts";
import {
  compose,
  errorPage,
  router,
  secureHeaders,
  sessions,
  staticFiles,
  type WithSession,
} from "../middleware/mod.ts";

interface Todo {
  readonly text: string;
  readonly by: string;
  readonly photo: File | undefined;
}

interface Session {
  user: string;
}

const todos = new Map<number, Todo>();
const changes = new EventTarget();
let lastId = 0;

function page(user: string): string {
  const items = [...todos].map(([id, { text, by, photo }]) =>
    `<li>${escapeHtml(text)} (${escapeHtml(by)}) ${
      photo === undefined ? "" : `<img src="/photos/${id}" width="40" alt="">`
    }
      <form method="post" action="/todos/${id}/done"><button>Done</button></form></li>`
  );
  return `<!doctype html><meta charset="utf-8"><title>tsgi todo</title>
    <link rel="stylesheet" href="/static/style.css"><script src="/static/script.js"></script>
    <h1>Todos</h1><ul>${items.join("")}</ul>
    <form method="post" action="/todos" enctype="multipart/form-data">
      <input name="by" value="${escapeHtml(user)}" placeholder="Your name">
      <input name="text" placeholder="What to do" required>
      <input name="photo" type="file" accept="image/png,image/jpeg"><button>Add</button>
    </form>`;
}

/** An event for each change, until the page is closed. */
async function* updates(signal: AbortSignal): AsyncGenerator<string> {
  while (!signal.aborted) {
    yield await new Promise<string>((resolve) => {
      changes.addEventListener("change", () => resolve("change"), { once: true, signal });
      signal.addEventListener("abort", () => resolve("gone"), { once: true });
    });
  }
}

const site = router<WithSession<Session>>()
  .get("/", (environ, startResponse) => html(startResponse, page(environ["tsgi.session"].user ?? "")))
  .mount("/static", staticFiles(new URL("todo", import.meta.url)))
  .get("/changes", (_environ, startResponse) => eventStream(startResponse, updates))
  .get("/photos/:id", (environ, startResponse) => {
    const photo = todos.get(Number(environ["tsgi.params"].id))?.photo;
    if (photo === undefined) throw new HttpError(404, "No such photo");
    startResponse("200 OK", [["Content-Type", photo.type], ["Content-Length", String(photo.size)]]);
    return photo.stream();
  })
  .post("/todos", async (environ, startResponse) => {
    const form = await parseForm(environ, { files: 1, fileSize: 1_000_000 });
    const [what, by, photo] = ["text", "by", "photo"].map((name) => form.get(name));
    if (typeof what !== "string" || what === "") throw new HttpError(422, "Expected a text");
    const isPhoto = photo instanceof File && photo.size > 0;
    if (isPhoto && !/^image\/(?:png|jpeg)$/.test(photo.type)) throw new HttpError(415, "Expected a PNG or JPEG");
    const user = environ["tsgi.session"].user = String(by || "somebody");
    todos.set(++lastId, { text: what, by: user, photo: isPhoto ? photo : undefined });
    changes.dispatchEvent(new Event("change"));
    return redirect(startResponse, "/");
  })
  .post("/todos/:id/done", (environ, startResponse) => {
    if (!todos.delete(Number(environ["tsgi.params"].id))) throw new HttpError(404, "No such todo");
    changes.dispatchEvent(new Event("change"));
    return redirect(startResponse, "/");
  });

// A site reads its secret from a file, so that it is the same after a restart and in each worker.
const keys = [crypto.randomUUID()];

export const app: ApplicationFunction = compose(secureHeaders(), errorPage(), sessions<Session>({ keys }))(site);

if (isMain(import.meta)) await serve(app);
