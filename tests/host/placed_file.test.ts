/**
 * Names for files of ours in directories that others may write in.
 */

import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { identityAt, placeFile, temporaryName } from "../../adapters/placed_file.ts";
import { UnixPath } from "../../adapters/unix_path.ts";
import { until } from "../lifecycle/cell.ts";

const root = mkdtempSync(join(tmpdir(), "tsgi-placed-"));
afterAll(() => rmSync(root, { recursive: true }));
let folder = "";
beforeEach(() => folder = mkdtempSync(join(root, "x")));

const path = (name: string): string => join(folder, name);

/** A file of ours that waits for its name. */
function made(): string {
  const temporary = temporaryName(path("name"));
  writeFileSync(temporary, "ours", { flag: "wx" });
  return temporary;
}

describe("14.2 a name is given", () => {
  it("where nothing is", () => {
    const remove = placeFile(made(), path("name"), undefined);
    expect(readFileSync(path("name"), "utf8")).toBe("ours");
    remove?.();
    expect(existsSync(path("name"))).toBe(false);
  });

  it("in place of what may be replaced, which stays as it is under its other names", () => {
    writeFileSync(path("precious"), "precious");
    linkSync(path("precious"), path("name"));
    expect(placeFile(made(), path("name"), identityAt(path("name")))).toBeDefined();
    expect(readFileSync(path("name"), "utf8")).toBe("ours");
    expect(readFileSync(path("precious"), "utf8")).toBe("precious");
  });

  it("in place of a link, which is not followed", () => {
    writeFileSync(path("precious"), "precious");
    symlinkSync("precious", path("name"));
    expect(placeFile(made(), path("name"), identityAt(path("name")))).toBeDefined();
    expect(readFileSync(path("precious"), "utf8")).toBe("precious");
  });

  it("not where something else has come to stand meanwhile", () => {
    const temporary = made();
    writeFileSync(path("name"), "of another");
    expect(placeFile(temporary, path("name"), undefined)).toBeUndefined();
    expect(readFileSync(path("name"), "utf8")).toBe("of another");
    expect(existsSync(temporary)).toBe(false);
  });
});

describe("14.4 a name is removed", () => {
  it.each<[how: string, change: () => unknown]>([
    ["a rename", () => placeFile(made(), path("name"), identityAt(path("name")))],
    ["rm and anew, while the first is in use", () => {
      linkSync(path("name"), path("kept"));
      rmSync(path("name"));
      writeFileSync(path("name"), "of another");
    }],
    ["rm and anew, which may give it the same inode", () => {
      rmSync(path("name"));
      writeFileSync(path("name"), "of another");
    }],
  ])("not when it is that of another file by now: %s", async (_how, change) => {
    const remove = placeFile(made(), path("name"), undefined);
    const { birthtimeMs } = lstatSync(path("name"));
    await until("another moment", () => Date.now() > birthtimeMs + 20);
    change();
    remove?.();
    expect(existsSync(path("name"))).toBe(true);
  });

  it("also when its rights and links have changed since", () => {
    const remove = placeFile(made(), path("name"), undefined);
    chmodSync(path("name"), 0o600);
    linkSync(path("name"), path("another"));
    remove?.();
    expect([existsSync(path("name")), existsSync(path("another"))]).toEqual([false, true]);
  });

  it("without a word when its directory is gone", () => {
    const remove = placeFile(made(), path("name"), undefined);
    rmSync(folder, { recursive: true });
    expect(() => remove?.()).not.toThrow();
  });
});

describe("14.4 a temporary name", () => {
  it("is in the same directory, and another one each time", () => {
    expect(dirname(temporaryName(path("name")))).toBe(folder);
    expect(temporaryName("name")).not.toContain("/");
    expect(temporaryName(path("name"))).not.toBe(temporaryName(path("name")));
  });

  it.each(["s", "ss", "s".repeat(30), "\u00e9\u00e9"])("is no longer than there is room: %s", (name) => {
    const room = new TextEncoder().encode(path(name)).length;
    for (let i = 0; i < 200; i++) {
      const temporary = temporaryName(path(name), room) ?? expect.fail("no name");
      expect(new TextEncoder().encode(temporary).length).toBeLessThanOrEqual(room);
      expect(basename(temporary)).not.toBe(name);
      expect(basename(temporary)).not.toBe("");
    }
  });

  it("2h is undefined where there is room for one letter and all are taken, or for none", () => {
    for (let i = 0; i < 36; i++) writeFileSync(path(i.toString(36)), "");
    const room = new TextEncoder().encode(path("s")).length;
    expect(temporaryName(path("s"), room)).toBeUndefined();
    expect(temporaryName(path("s"), room - 1)).toBeUndefined();
    expect(temporaryName(path("ss"), room + 1)).toBeDefined();
  });

  it("2h a Unix socket that has room for no other name is refused with the reason", async () => {
    const most = process.platform === "linux" ? 107 : 103;
    const deep = path("d".repeat(most - 3 - folder.length));
    mkdirSync(deep);
    for (let i = 0; i < 36; i++) writeFileSync(join(deep, i.toString(36)), "");
    rmSync(join(deep, "s"));
    await expect(UnixPath.claim(join(deep, "s"), {})).rejects.toThrow(
      /made under another name first, and no name of at most \d+ bytes is free in its directory: choose a shorter path/,
    );
  });
});
