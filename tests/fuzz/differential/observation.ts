/**
 * What a server made of a stream of bytes, as the application and the client can see it: the form in which tsgi and node
 * are compared.
 *
 * @module
 */

/** A request that an application got. */
export interface ObservedRequest {
  readonly method: string;
  readonly target: string;
  /** `"1.1"`. */
  readonly version: string;
  /** Environ keys and values of the header fields. */
  readonly fields: Readonly<Record<string, string>>;
  /** Names and values as they were sent, where the server keeps them. */
  readonly raw?: readonly (readonly [name: string, value: string])[];
  /** The whole body as latin-1 text; null if it never became complete. */
  body: string | null;
  /** Trailers that the application can see. */
  trailers: readonly string[];
}

/** What a server made of a stream. */
export interface Observation {
  readonly requests: readonly ObservedRequest[];
  /** Why the server refused what followed; `""` if it did not. tsgi's own words, or node's code. */
  readonly reason: string;
  /** The status of the refusal, or 0. */
  readonly status: number;
  /** Whether the server ended the connection while the client could send more. */
  readonly closed: boolean;
}

/** The environ of a list of fields: RFC 3875 4.1.18, without what tsgi leaves out on purpose. */
export function environOf(raw: readonly (readonly [name: string, value: string])[]): Record<string, string> {
  const environ: Record<string, string> = {};
  for (const [name, value] of raw) {
    const upper = name.toUpperCase().replaceAll("-", "_");
    if (upper === "TRANSFER_ENCODING") continue; // the server has undone it
    const key = upper === "CONTENT_TYPE" || upper === "CONTENT_LENGTH" ? upper : `HTTP_${upper}`;
    const before = environ[key];
    environ[key] = before === undefined ? value : `${before}${key === "HTTP_COOKIE" ? "; " : ","}${value}`;
  }
  return environ;
}
