/**
 * `wsgi.errors`: the stream to which an application reports errors (PEP 3333, "Input and Error Streams").
 *
 * The stream passes text on unchanged, including line ends; the receiver encodes it. It accepts any string and never
 * throws, because reporting an error must not cause another one.
 *
 * @module
 */

/** The `wsgi.errors` stream (PEP 3333, "Input and Error Streams"). One object per server, shared by its requests. */
export class ErrorStream {
  readonly #sink: (text: string) => void;

  /** A stream that passes all text to `sink`. */
  constructor(sink: (text: string) => void) {
    this.#sink = sink;
  }

  /**
   * Reports text, without adding a line end. Never throws.
   *
   * @example
   * ```ts
   * import { ErrorStream } from "./error_stream.ts";
   * const lines: string[] = [];
   * new ErrorStream((text) => lines.push(text)).write("disk full\n");
   * console.assert(lines[0] === "disk full\n");
   * ```
   */
  write(text: string): void {
    try {
      this.#sink(String(text));
    } catch {
      // A log that cannot be written must not take a request down.
    }
  }

  /**
   * Reports several texts, without adding line ends.
   *
   * @example
   * ```ts
   * import { toFetch } from "tsgi";
   * const log: string[] = [];
   * const handler = toFetch((environ, startResponse) => {
   *   environ["wsgi.errors"].writelines(["disk ", "full\n"]);
   *   startResponse("507 Insufficient Storage", []);
   *   return [];
   * }, { errorLog: (text) => log.push(text) });
   * await handler(new Request("http://localhost/"));
   * console.assert(log.join("") === "disk full\n");
   * ```
   */
  writelines(texts: Iterable<string>): void {
    for (const text of texts) this.write(text);
  }

  /** Does nothing, because the stream does not buffer. PEP 3333 requires the method. */
  flush(): void {}
}

/**
 * The text of a report about a request: one that the server or middleware writes to `wsgi.errors` by itself.
 *
 * @param uri REQUEST_URI. The client chose it, so octets outside of visible ASCII are escaped.
 *
 * @example
 * ```ts
 * import { requestReport } from "./error_stream.ts";
 * console.assert(requestReport("GET", "/a\x1b", "disk full") === "tsgi: GET /a\\x1b: disk full\n");
 * ```
 */
export function requestReport(method: string, uri: string, text: string): string {
  const visible = uri.replace(/[^\x21-\x7e]/g, (octet) => `\\x${octet.charCodeAt(0).toString(16)}`);
  return `tsgi: ${method} ${visible}: ${text}\n`;
}
