/**
 * Makes a folder to serve, with a secret beside it and links that lead out of it.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

/** The text that no response may have. */
export const SECRET = "top-secret-of-the-owner";

/** Octets of a file above the size that is read in one piece; each block differs. */
export const LARGE: Uint8Array = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 255);

/** A date on which the files were last modified: long enough ago to be kept in memory. */
export const MODIFIED: Date = new Date("2026-01-02T03:04:05Z");

/** A text that compression makes smaller. */
export const STYLE: string = "p { color: teal }\n".repeat(100);

/** A folder `site`, with what lies beside it. */
export class SiteFolder {
  /** The folder to serve. */
  readonly root: string;
  readonly #parent: string;

  constructor() {
    this.#parent = realpathSync(mkdtempSync(join(tmpdir(), "tsgi-static-")));
    this.root = join(this.#parent, "site");
    this.write("../secret.txt", SECRET);
    this.write("../site-secret/secret.txt", SECRET); // the name of the folder is a prefix of this one
    this.write("index.html", `<!doctype html><title>home</title>`);
    this.write("hello.txt", "0123456789");
    this.write("empty.txt", "");
    this.write("large.bin", LARGE);
    this.write("style.css", STYLE);
    this.write("style.css.br", brotliCompressSync(STYLE));
    this.write("style.css.gz", gzipSync(STYLE));
    this.write("old.css", STYLE);
    this.write("old.css.gz", gzipSync("stale"), new Date(MODIFIED.getTime() - 1000));
    this.write("assets/app-3f9a.js", "export {}");
    this.write("docs/index.html", "<h1>docs</h1>");
    this.write("café/größe €.txt", "umlauts");
    this.write("plain/a&b<c>.txt", "x");
    this.write("plain/sub/x.txt", "x");
    this.write("plain/12:30.txt", "time");
    this.write(".env", SECRET);
    this.write(".git/config", SECRET);
    this.write(".well-known/acme", "token");
    this.write("%2e%2e", "a file of this name");
    this.link("out.txt", "../secret.txt");
    this.link("outside", "../site-secret");
    this.link("parent", "..");
    this.link("absolute", join(this.#parent, "secret.txt"));
    this.link("hidden.txt", ".env");
    this.link("loop", "loop");
    this.link("dangling", "nowhere");
    this.link("inside.txt", "hello.txt");
    this.link("plain/up", "../docs");
    this.link("plain/escape", "../../secret.txt");
  }

  /** Writes a file, last modified at `MODIFIED`. */
  write(name: string, content: string | Uint8Array, modified: Date = MODIFIED): void {
    const path = join(this.root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    utimesSync(path, modified, modified);
  }

  /** Makes a symbolic link. */
  link(name: string, target: string): void {
    symlinkSync(target, join(this.root, name));
  }

  /** Removes everything. */
  remove(): void {
    rmSync(this.#parent, { recursive: true });
  }
}
