/**
 * The media types of files, by the extensions of their names.
 *
 * The table has what web sites consist of, and no more: the registry of IANA has some 2,000 types, most of which no
 * browser knows. An application adds its own by an option. Text is declared as UTF-8, since without that browsers guess.
 *
 * @module
 */

const UTF8 = "; charset=utf-8";

const TYPES: ReadonlyMap<string, string> = new Map(Object.entries({
  html: `text/html${UTF8}`,
  htm: `text/html${UTF8}`,
  css: `text/css${UTF8}`,
  js: `text/javascript${UTF8}`,
  mjs: `text/javascript${UTF8}`,
  txt: `text/plain${UTF8}`,
  log: `text/plain${UTF8}`,
  md: `text/markdown${UTF8}`,
  csv: `text/csv${UTF8}`,
  ics: `text/calendar${UTF8}`,
  vcf: `text/vcard${UTF8}`,
  vtt: `text/vtt${UTF8}`,
  xml: "application/xml",
  xhtml: "application/xhtml+xml",
  rss: "application/rss+xml",
  atom: "application/atom+xml",
  json: "application/json",
  map: "application/json",
  jsonld: "application/ld+json",
  geojson: "application/geo+json",
  webmanifest: "application/manifest+json",
  wasm: "application/wasm",
  pdf: "application/pdf",
  rtf: "application/rtf",
  epub: "application/epub+zip",
  zip: "application/zip",
  gz: "application/gzip",
  tgz: "application/gzip",
  bz2: "application/x-bzip2",
  xz: "application/x-xz",
  zst: "application/zstd",
  tar: "application/x-tar",
  "7z": "application/x-7z-compressed",
  doc: "application/msword",
  xls: "application/vnd.ms-excel",
  ppt: "application/vnd.ms-powerpoint",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  odt: "application/vnd.oasis.opendocument.text",
  ods: "application/vnd.oasis.opendocument.spreadsheet",
  png: "image/png",
  apng: "image/apng",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  avif: "image/avif",
  jxl: "image/jxl",
  svg: "image/svg+xml",
  ico: "image/vnd.microsoft.icon",
  bmp: "image/bmp",
  tif: "image/tiff",
  tiff: "image/tiff",
  heic: "image/heic",
  mp3: "audio/mpeg",
  m4a: "audio/mp4",
  aac: "audio/aac",
  oga: "audio/ogg",
  ogg: "audio/ogg",
  opus: "audio/ogg",
  flac: "audio/flac",
  wav: "audio/wav",
  weba: "audio/webm",
  mp4: "video/mp4",
  m4v: "video/mp4",
  webm: "video/webm",
  ogv: "video/ogg",
  mov: "video/quicktime",
  mpeg: "video/mpeg",
  m3u8: "application/vnd.apple.mpegurl",
  ts: "video/mp2t",
  woff: "font/woff",
  woff2: "font/woff2",
  ttf: "font/ttf",
  otf: "font/otf",
}));

const UNKNOWN = "application/octet-stream";

/**
 * The media type of a file.
 *
 * @param name Name or path of the file.
 * @param own Types by extension, without the dot and in lower case, which count before those of the table.
 * @returns `application/octet-stream` where the extension says nothing.
 *
 * @example
 * ```ts
 * import { mediaType } from "./media_types.ts";
 * console.assert(mediaType("a/logo.SVG") === "image/svg+xml");
 * console.assert(mediaType("a.glb", { glb: "model/gltf-binary" }) === "model/gltf-binary");
 * ```
 */
export function mediaType(name: string, own: Readonly<Record<string, string>> = {}): string {
  const base = name.slice(name.lastIndexOf("/") + 1);
  const dot = base.lastIndexOf(".");
  if (dot < 0) return UNKNOWN;
  const extension = base.slice(dot + 1).toLowerCase();
  return Object.hasOwn(own, extension) ? own[extension] as string : TYPES.get(extension) ?? UNKNOWN;
}

const COMPRESSIBLE =
  /^(?:text\/|[^;]*\+(?:json|xml|text|yaml)\s*(?:;|$)|application\/(?:json|javascript|ecmascript|xml|(?:x-)?yaml|toml|sql|x-sh|x-www-form-urlencoded|openmetrics-text|wasm|x-ndjson|jsonl|graphql|rtf|manifest|vnd\.ms-fontobject|x-javascript)\b|font\/(?:ttf|otf)|image\/(?:svg|bmp|vnd\.microsoft\.icon|x-icon))/i;

/**
 * Whether compression makes content of a media type smaller. Images, sound, video and archives are compressed already.
 *
 * @example
 * ```ts
 * import { isCompressible } from "./media_types.ts";
 * console.assert(isCompressible("image/svg+xml") && !isCompressible("image/png"));
 * ```
 */
export function isCompressible(type: string): boolean {
  return COMPRESSIBLE.test(type);
}
