/**
 * The protocols that a server can speak.
 *
 * @module
 */

/** The protocol of a server: with clients (`"http"`), or with the web server in front of it. */
export type Protocol = "http" | "fastcgi" | "scgi" | "uwsgi";

/** The names of all protocols. */
export const PROTOCOLS: readonly Protocol[] = ["http", "fastcgi", "scgi", "uwsgi"];
