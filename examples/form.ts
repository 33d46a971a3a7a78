/** A form with a file, which is hashed while it arrives. Try it in a browser, or `curl -F title=x -F file=@y localhost:8000`. */

import { createHash } from "node:crypto";
import { type ApplicationFunction, type Body, type Environ, isMain, serve, type StartResponse } from "../mod.ts";
import { escapeHtml, formParts, html } from "../http/mod.ts";
import { errorPage } from "../middleware/mod.ts";

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>tsgi form</title>
<form method="post" enctype="multipart/form-data">
  <input name="title" placeholder="Title" required>
  <input name="file" type="file">
  <button>Send</button>
</form>
`;

async function form(environ: Environ, startResponse: StartResponse): Promise<Body> {
  if (environ.REQUEST_METHOD !== "POST") return html(startResponse, PAGE);
  const lines: string[] = [];
  for await (const part of formParts(environ, { fieldSize: 1000, fileSize: 1e9 })) {
    if (part.filename === undefined) {
      lines.push(`${part.name}: ${await part.text()}`);
      continue;
    }
    const hash = createHash("sha256");
    let size = 0;
    for await (const bytes of part) {
      hash.update(bytes);
      size += bytes.length;
    }
    lines.push(`${part.filename}: ${size} bytes, ${hash.digest("hex")}`);
  }
  const items = lines.map((line) => `<li>${escapeHtml(line)}</li>`).join("");
  return html(startResponse, `<!doctype html><meta charset="utf-8"><title>received</title><ul>${items}</ul>`);
}

export const app: ApplicationFunction = errorPage()(form);

if (isMain(import.meta)) await serve(app);
