/**
 * A deliberately simple reading of a request in CGI variables, from a whole buffer. The wires are compared with it. It
 * shares no code with `core/`.
 *
 * @module
 */

import { digest, type Verdict } from "./trial.ts";

/**
 * A head that was taken apart: its variables, and where the body begins; or a status; or null, when it is not whole.
 */
export type NaiveHead = { readonly pairs: readonly (readonly [string, string])[]; readonly bodyAt: number };

const REFUSED = (status: number): Verdict => ({ status, request: null, body: "" });

/** The verdict over bytes with FIN behind them, given what a protocol's own rules say of the head. */
export function naiveVerdict(bytes: Uint8Array, head: NaiveHead | number | null): Verdict {
  if (head === null) return REFUSED(0);
  if (typeof head === "number") return REFUSED(head);
  const { pairs, bodyAt } = head;
  const all: Record<string, string> = Object.create(null);
  for (const [i, [name, value]] of pairs.entries()) {
    if (i === 1000) return REFUSED(431);
    if (name === "") return REFUSED(400);
    if (name === "CONTENT_LENGTH" && name in all) return REFUSED(400);
    const field = name.startsWith("HTTP_");
    const trimmed = field ? value.replace(/^[ \t]+|[ \t]+$/g, "") : value;
    const joined = field && name in all && name !== "HTTP_HOST";
    all[name] = joined ? all[name] + (name === "HTTP_COOKIE" ? "; " : ",") + trimmed : trimmed;
  }
  return request(all, bytes.subarray(bodyAt));
}

function request(all: Readonly<Record<string, string>>, rest: Uint8Array): Verdict {
  const get = (name: string): string => all[name] ?? "";
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(get("REQUEST_METHOD"))) return REFUSED(400);
  const said = [get("CONTENT_LENGTH"), "SCGI" in all && get("CONTENT_LENGTH") !== "" ? get("HTTP_CONTENT_LENGTH") : ""];
  const lengths = said.filter((text) => text !== "");
  if (!lengths.every((text) => /^\d+$/.test(text))) return REFUSED(400);
  const length = Math.max(0, ...lengths.map(Number));
  if (length > Number.MAX_SAFE_INTEGER) return REFUSED(413);
  const uriPath = get("REQUEST_URI").startsWith("/") ? (get("REQUEST_URI").split("?")[0] as string) : "";
  const decoded = uriPath.replace(/%[0-9a-f]{2}/gi, (escape) => String.fromCharCode(parseInt(escape.slice(1), 16)));
  let [script, info] = [get("SCRIPT_NAME"), get("PATH_INFO")];
  if (!("PATH_INFO" in all)) {
    [script, info] = ["", (script === "/" ? "/" : script) || get("DOCUMENT_URI") || decoded];
  } else if (script === "/") {
    [script, info] = ["", info.startsWith("/") ? info : `/${info}`];
  }
  if (info === "*" || script + info === "") info = "/";
  if ([script, info].some((path) => path !== "" && path[0] !== "/")) return REFUSED(400);
  const shown = lengths.length === 0 || (length === 0 && "SCGI" in all && !("HTTP_CONTENT_LENGTH" in all));
  const facts = [get("REQUEST_METHOD"), script, info, get("QUERY_STRING"), shown ? undefined : String(length)];
  const body = rest.subarray(0, length);
  const whole = body.length === length;
  return { status: whole ? 200 : 400, request: facts, body: whole ? digest(body) : "TruncatedBodyError" };
}
