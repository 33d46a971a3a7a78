/**
 * The error for a request that the server itself refuses.
 *
 * The application never sees such a request. The client gets only the status; the reason goes to the log.
 *
 * @module
 */

/** Status lines of refusals. */
export const BAD_REQUEST = "400 Bad Request";
export const FORBIDDEN = "403 Forbidden";
export const REQUEST_TIMEOUT = "408 Request Timeout";
export const CONTENT_TOO_LARGE = "413 Content Too Large";
export const URI_TOO_LONG = "414 URI Too Long";
export const EXPECTATION_FAILED = "417 Expectation Failed";
export const FIELDS_TOO_LARGE = "431 Request Header Fields Too Large";
export const NOT_IMPLEMENTED = "501 Not Implemented";
export const SERVICE_UNAVAILABLE = "503 Service Unavailable";
export const VERSION_NOT_SUPPORTED = "505 HTTP Version Not Supported";

/** Thrown by the code that finds a broken rule. The connection catches it, answers with `status` and closes. */
export class Refusal extends Error {
  /** Name of the class. */
  override readonly name = "Refusal";
  /** Code and reason phrase for the client. */
  readonly status: string;

  /** A refusal with a reason for the log. */
  constructor(status: string, reason: string) {
    super(reason);
    this.status = status;
  }
}
