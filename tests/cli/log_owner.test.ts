/**
 * Logs that root opens for workers of another user: that user cannot make root give away, or write to, another file.
 */

import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { closeLog, openLog } from "../../cli/log_open.ts";
import { runtimes, SITE, until, withCommand } from "./command.ts";

const NOBODY = 65534;
const OWNER = { uid: NOBODY, gid: NOBODY };

/** A folder of root, with `theirs/` of nobody in it and a file of root that is none of theirs. */
interface Place {
  readonly root: string;
  readonly theirs: string;
  readonly target: string;
}

function makePlace(): Place {
  const root = mkdtempSync(join(tmpdir(), "tsgi-owner-"));
  chmodSync(root, 0o755);
  const theirs = join(root, "theirs");
  mkdirSync(theirs);
  chownSync(theirs, NOBODY, NOBODY);
  mkdirSync(join(root, "roots"));
  const target = join(root, "roots", "log");
  writeFileSync(target, "", { mode: 0o600 });
  return { root, theirs, target };
}

const ofNobody = (path: string): string => {
  execFileSync("chown", ["-h", "nobody:nogroup", path]);
  return path;
};

describe.runIf(process.getuid?.() === 0)("as root", () => {
  // Each makes the path of a log in a place; then whether it can be opened, and whose it is.
  const table: [what: string, make: (place: Place) => string, refused: RegExp | null, uid: number][] = [
    ["a file that is not there yet", ({ theirs }) => join(theirs, "new"), null, NOBODY],
    ["a file of root that stays where it was", ({ target }) => target, null, NOBODY],
    [
      "root's own link in a folder of root",
      ({ root, theirs }) => {
        symlinkSync(join(theirs, "new"), join(root, "link"));
        return join(root, "link");
      },
      null,
      NOBODY,
    ],
    [
      "root's own link to a folder",
      ({ root }) => {
        symlinkSync("theirs", join(root, "link"));
        return join(root, "link", "new");
      },
      null,
      NOBODY,
    ],
    [
      "a link of theirs",
      ({ theirs, target }) => {
        symlinkSync(target, join(theirs, "log"));
        return ofNobody(join(theirs, "log"));
      },
      /theirs\/log is a symbolic link, and root follows none that other users can change/,
      0,
    ],
    [
      "a link of root that they can replace",
      ({ theirs, target }) => {
        symlinkSync(target, join(theirs, "log"));
        return join(theirs, "log");
      },
      /is a symbolic link/,
      0,
    ],
    [
      "a link of theirs to a folder of root",
      ({ theirs }) => {
        symlinkSync("../roots", join(theirs, "logs"));
        ofNobody(join(theirs, "logs"));
        return join(theirs, "logs", "log");
      },
      /theirs\/logs is a symbolic link/,
      0,
    ],
    [
      "root's link to a link of theirs",
      ({ root, theirs, target }) => {
        symlinkSync(target, join(theirs, "log"));
        ofNobody(join(theirs, "log"));
        symlinkSync("theirs/log", join(root, "link"));
        return join(root, "link");
      },
      /theirs\/log is a symbolic link/,
      0,
    ],
    [
      "a second name of a file of root",
      ({ theirs, target }) => {
        linkSync(target, join(theirs, "log"));
        return join(theirs, "log");
      },
      /log has 2 names: root gives away files with one name only/,
      0,
    ],
    [
      "links in a circle",
      ({ root }) => {
        symlinkSync("link", join(root, "link"));
        return join(root, "link");
      },
      /is a symbolic link/,
      0,
    ],
  ];

  it.each(table)("14.2 %s", (_what, make, refused, uid) => {
    const place = makePlace();
    try {
      const path = make(place);
      if (refused === null) {
        closeLog(openLog(path, 1, OWNER));
        expect(lstatSync(execFileSync("realpath", [path], { encoding: "utf8" }).trim()).uid).toBe(uid);
      } else {
        expect(() => openLog(path, 1, OWNER)).toThrow(refused);
        const { uid: owner, mode } = lstatSync(place.target);
        expect([owner, mode & 0o777]).toEqual([0, 0o600]);
      }
    } finally {
      rmSync(place.root, { recursive: true });
    }
  });

  it.each(["/dev/null", "/dev/full", "a named pipe", "/dev/stdout"])(
    "14.2 %s is written to, and keeps its owner",
    (name) => {
      const place = makePlace();
      try {
        const path = name === "a named pipe" ? join(place.root, "pipe") : name;
        if (name === "a named pipe") execFileSync("mkfifo", [path]);
        const before = lstatSync(path);
        const log = openLog(path, 1, OWNER);
        closeLog(log);
        expect(lstatSync(path).uid).toBe(before.uid);
      } finally {
        rmSync(place.root, { recursive: true });
      }
    },
  );

  describe.each(runtimes)("%s", (runtime) => {
    it("18.4 the workers of --user have its ids, no group of root and no right of root", async () => {
      const args = ["-u", "nobody", "-w", "1", SITE];
      await withCommand(runtime, { args, shell: 'chmod 755 . && exec "$@"' }, async (command) => {
        const status = readFileSync(`/proc/${command.workers[0]}/status`, "utf8");
        const line = (name: string): string[] =>
          new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1]?.split(/\s+/) ?? [];
        expect(line("Uid")).toEqual(Array(4).fill(String(NOBODY)));
        expect(line("Gid")).toEqual(Array(4).fill(String(NOBODY)));
        expect(line("Groups").filter((group) => group !== "" && group !== String(NOBODY))).toEqual([]);
        expect(line("CapEff")).toEqual(["0".repeat(16)]);
        expect(await command.get("/?a")).toBe("ok a");
      });
    });

    it("14.2 a log that its user replaces by a link to a file of root is not given away at USR1", async () => {
      const place = makePlace();
      const { theirs, target } = place;
      const access = join(theirs, "access");
      try {
        const args = ["-u", "nobody", "--access-logfile", access, SITE];
        await withCommand(runtime, { args, shell: 'chmod 755 . && exec "$@"' }, async (command) => {
          await command.get("/first");
          await until("the log", () => /first/.test(readFileSync(access, "utf8")));
          expect(lstatSync(access).uid).toBe(NOBODY);
          symlinkSync(target, `${access}.new`);
          renameSync(ofNobody(`${access}.new`), access);
          command.kill("SIGUSR1");
          await command.logged(/Cannot prepare the access log for the workers: .*access is a symbolic link/);
          await command.logged(/Cannot reopen the access log: .*(EACCES|denied)/); // the worker, which is nobody
          expect([lstatSync(target).uid, readFileSync(target, "utf8")]).toEqual([0, ""]);
          unlinkSync(access);
          command.kill("SIGUSR1");
          await until("a log of its own", async () => {
            await command.get("/second");
            try {
              return lstatSync(access).uid === NOBODY && /second/.test(readFileSync(access, "utf8"));
            } catch {
              return false; // not yet
            }
          });
        });
      } finally {
        rmSync(place.root, { recursive: true });
      }
    });
  });
});
