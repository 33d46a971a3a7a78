/**
 * Middleware: what applications without a framework need most often. `tsgi` itself loads none of it.
 *
 * @example
 * ```ts
 * import { mkdtempSync, writeFileSync } from "node:fs";
 * import { staticFiles } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 *
 * const folder = mkdtempSync("site-");
 * writeFileSync(`${folder}/hello.txt`, "hello");
 * console.assert(await (await client(staticFiles(folder)).get("/hello.txt")).text() === "hello");
 * ```
 *
 * @module
 */

export type { Coding } from "./compression/encoder.ts";
export { compress, type CompressOptions } from "./compress.ts";
export { conditionalGet } from "./conditional_get.ts";
export { attachment, sendFile, type SendFileOptions } from "./send_file.ts";
export { staticFiles, StaticFilesError, type StaticFilesOptions } from "./static_files.ts";
