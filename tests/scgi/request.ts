/** A request of variables, as latin-1 text; CONTENT_LENGTH and SCGI come first. */
export function scgiRequest(variables: Readonly<Record<string, string>> = {}, length = "0"): string {
  const all = { CONTENT_LENGTH: length, SCGI: "1", REQUEST_METHOD: "GET", PATH_INFO: "/", ...variables };
  const block = Object.entries(all).map(([name, value]) => `${name}\0${value}\0`).join("");
  return `${block.length}:${block},`;
}
