/**
 * The reasons, shared by several cases, why a case does not run behind a front end.
 *
 * A reason says what the front end forbids, changes or does by itself. If a case could check the same behaviour in
 * another way, it is changed instead of left out.
 *
 * @module
 */

/** The front end parses the client's HTTP. A malformed request never reaches us, and the error text is its own. */
export const WIRE = "wire only: the front end parses the client's HTTP and answers what is malformed itself";

/** `not` of a case about the client's wire. */
export const wireOnly: Readonly<Record<string, string>> = { front: WIRE };

const EXPECT = "the front end answers Expect";

/** `not` of a case about Expect; mod_proxy_http leaves it to us. */
export const expectOnly: Readonly<Record<string, string>> = {
  fetch: "the host answers Expect",
  nginx: EXPECT,
  cgi: EXPECT,
  "apache-fastcgi": EXPECT,
  "apache-scgi": EXPECT,
  "apache-uwsgi": EXPECT,
};

/** The same where mod_proxy_http answers too. */
export const expectFirst: Readonly<Record<string, string>> = { ...expectOnly, "apache-http": EXPECT };

/** `not` of a case about FIN from a client that still reads. */
export const halfClose: Readonly<Record<string, string>> = {
  fetch: "the host decides what FIN from the client means",
  nginx: "nginx gives up a request whose client sends FIN",
};

/** `not` of a case about interim responses. */
export const interimOnly: Readonly<Record<string, string>> = {
  fetch: "a Response has no interim responses: ignored",
  "nginx-http": "nginx before 1.29 takes an interim response for the final one",
  cgi: "the protocol has no interim responses",
  fastcgi: "the protocol has no interim responses",
  scgi: "the protocol has no interim responses",
  uwsgi: "the protocol has no interim responses",
};

/** `not` of a case about a body that must reach the application before it is whole. */
export const uploadStream: Readonly<Record<string, string>> = {
  "apache-http": "Apache sends a request on only once it has its body, or a good part of it",
  "nginx-scgi": "nginx takes a body whole before it speaks SCGI",
};

/** `not` of a case with a chunked body. */
export const unchunked: Readonly<Record<string, string>> = {
  "apache-scgi": "Apache answers 411 to a chunked body",
  "apache-uwsgi": "Apache answers 411 to a chunked body",
};

const WHOLE = "Apache may end a response that we cut off as if it were whole";

/** `not` of a case about a response without a length that is cut off when part of it is with the client. */
export const cutOff: Readonly<Record<string, string>> = { cgi: WHOLE };

/** The same when it may not be yet. */
export const cutOffEarly: Readonly<Record<string, string>> = { cgi: WHOLE, "apache-uwsgi": WHOLE };

/** `not` of a case about a response that is shorter than its length, of which Apache makes another one. */
export const cutShort: Readonly<Record<string, string>> = { cgi: WHOLE, "apache-scgi": WHOLE };

/** `not` of a case about what happens in a process after a response. */
export const oneRequest: Readonly<Record<string, string>> = { cgi: "the process ends with the response" };

/** mod_proxy notices that the client has left only when it sends. */
export const APACHE_DEAF =
  "Apache does not look at the client while it waits for us, so it does not tell that it has gone";
