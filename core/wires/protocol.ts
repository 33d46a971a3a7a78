/**
 * The protocols that a server can speak.
 *
 * @module
 */

/** What a server speaks: with clients (`"http"`), or with the web server in front of it. */
export type Protocol = "http" | "fastcgi" | "scgi" | "uwsgi";

/** Their names. */
export const PROTOCOLS: readonly Protocol[] = ["http", "fastcgi", "scgi", "uwsgi"];
