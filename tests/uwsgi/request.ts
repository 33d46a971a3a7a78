/** Octets of a number, little-endian, as latin-1 text. */
function size(value: number): string {
  return String.fromCharCode(value & 255, value >> 8);
}

/** A packet, as latin-1 text; `modifiers` are the first octet and the last of its header. */
export function uwsgiPacket(block: string, modifiers: readonly [number, number] = [0, 0]): string {
  return String.fromCharCode(modifiers[0]) + size(block.length) + String.fromCharCode(modifiers[1]) + block;
}

/** A request of variables, as latin-1 text. */
export function uwsgiRequest(variables: Readonly<Record<string, string>> = {}, length = ""): string {
  const all = { REQUEST_METHOD: "GET", PATH_INFO: "/", CONTENT_LENGTH: length, ...variables };
  return uwsgiPacket(Object.entries(all).flat().map((word) => size(word.length) + word).join(""));
}
