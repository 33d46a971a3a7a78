/**
 * Faults that are put into parsers on purpose, to prove that the fuzzer finds such faults: `npm run fuzz -- --mutants`.
 *
 * The file on disk stays as it is: the fault is put in when the module is loaded.
 *
 * @module
 */

/** A fault. */
export interface Mutant {
  readonly target: string;
  /** The file of core. */
  readonly file: string;
  /** The text that it has once, and what takes its place. */
  readonly from: string;
  readonly to: string;
}

const HTTP = "core/wires/http1";

/** All mutants, each of another kind: limits, splits, sizes, grammar, framing, state behind an end. */
export const mutants: readonly Mutant[] = [
  {
    target: "http1",
    file: `${HTTP}/head_parser.ts`,
    from: "if (end - at > limit) throw",
    to: "if (end - at > limit + 1) throw",
  },
  {
    target: "http1",
    file: `${HTTP}/head_parser.ts`,
    from: "text.charCodeAt(stop - 1) === CR ? stop - 1 : stop",
    to: "text.charCodeAt(stop - 1) === CR && lf >= 0 ? stop - 1 : stop",
  },
  {
    target: "http1",
    file: `${HTTP}/head_parser.ts`,
    from: "for (let from = searched; at < text.length;)",
    to: "for (let from = searched + 1; at < text.length;)",
  },
  {
    target: "http1",
    file: `${HTTP}/request_head.ts`,
    from: "if (names.length > 1) throw new Refusal(NOT_IMPLEMENTED",
    to: "if (names.length > 2) throw new Refusal(NOT_IMPLEMENTED",
  },
  {
    target: "http1",
    file: `${HTTP}/head_models.ts`,
    from: 'if (line.change === "host") checkHost(value);',
    to: "",
  },
  {
    target: "http1",
    file: `${HTTP}/target.ts`,
    from: "literal === undefined || isIPv6(literal)",
    to: 'literal === undefined || literal.includes(":")',
  },
  {
    target: "http1",
    file: `${HTTP}/connection.ts`,
    from: "const lent = this.#bytes.subarray(this.#at);",
    to: "const lent = this.#bytes.subarray(this.#at + 1);",
  },
  {
    target: "chunked",
    file: `${HTTP}/chunked_decoder.ts`,
    from: "Math.min(end, at + this.#remaining)",
    to: "Math.min(end, at + this.#remaining + 1)",
  },
  {
    target: "chunked",
    file: `${HTTP}/chunked_decoder.ts`,
    from: "this.#total > this.#config.limitRequestBody",
    to: "size > this.#config.limitRequestBody",
  },
  {
    target: "chunked",
    file: `${HTTP}/chunked_decoder.ts`,
    from: "if (text.length >= limit + 2) throw this.#tooLong();",
    to: "",
  },
  {
    target: "chunked",
    file: `${HTTP}/chunked_decoder.ts`,
    from: "while (at < end && this.#state !== END) {",
    to: "while (at < end && this.#state !== END || this.#total === 77) {",
  },
  {
    target: "fastcgi",
    file: "core/wires/fastcgi/records.ts",
    from: "if (this.#content === 0) sink.recordEnds();",
    to: "if (this.#content === 0 && this.#padding < 200) sink.recordEnds();",
  },
  {
    target: "fastcgi",
    file: "core/wires/fastcgi/pairs.ts",
    from: "if (next > end) return false;",
    to: "if (next > end + 1) return false;",
  },
  {
    target: "scgi",
    file: "core/wires/scgi/connection.ts",
    from: "(?:0|[1-9][0-9]*)",
    to: "[0-9]+",
  },
  {
    target: "scgi",
    file: "core/wires/cgi/variables.ts",
    from: "++this.#count > MOST_VARIABLES",
    to: "++this.#count > MOST_VARIABLES + 1",
  },
  {
    target: "uwsgi",
    file: "core/wires/uwsgi/connection.ts",
    from: "if (next > block.length) throw",
    to: "if (false) throw",
  },
  {
    target: "proxy",
    file: "core/server/proxy_protocol.ts",
    from: "if (value > end || next > end) throw",
    to: "if (value > end) throw",
  },
  { target: "proxy", file: "core/server/proxy_protocol.ts", from: "end + 1 >= most", to: "end >= most" },
  {
    target: "addresses",
    file: "core/ip_address.ts",
    from: "halves.length === 1 ? missing !== 0 : missing < 1",
    to: "halves.length === 1 ? missing !== 0 : missing < 0",
  },
  {
    target: "tls-options",
    file: "core/server/tls_options.ts",
    from: "  checkNames(options, ALL, name);\n",
    to: "",
  },
  { target: "names", file: "core/server/distinguished_name.ts", from: '.replace(/["+,;<>\\\\]/g, "\\\\$&")', to: "" },
  {
    target: "forwarded",
    file: "core/server/forwarded_fields.ts",
    from: 'if (element.has(key)) throw malformed("Forwarded", "a parameter twice in one element");',
    to: "",
  },
  {
    target: "forwarded",
    file: "core/server/forwarded_fields.ts",
    from: "separated = false;\n      at += whole.length;",
    to: "at += whole.length;",
  },
  {
    target: "x-forwarded",
    file: "core/server/forwarded.ts",
    from: "if (hop === undefined || !this.has(hop.address)) break;",
    to: "if (hop === undefined) break;",
  },
  {
    target: "x-forwarded",
    file: "core/server/forwarded.ts",
    from: "const { index } = hops.length > 0 ? listed : stated;",
    to: "const { index } = stated;",
  },
];
