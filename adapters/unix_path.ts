/**
 * Claims the path of a Unix socket before listening, and releases it afterwards.
 *
 * A runtime refuses to bind a path that exists. When it closes, it removes the name that it bound, even if another
 * process owns that name by then. So the socket is bound under a temporary name and then renamed. An existing socket is
 * replaced only if nothing answers on it, as when its process has died. A socket that answers, or a file of another
 * kind, is never replaced.
 *
 * The umask at the moment of the bind sets the mode, and the owner is set before the rename. After the rename, other
 * users could swap the file at the path, so nothing is changed by that name any more.
 *
 * @module
 */

import { chmodSync, lchownSync, lstatSync, statSync } from "node:fs";
import { connect } from "node:net";
import { resolve } from "node:path";
import { ListenError, listenError } from "../core/errors.ts";
import { identityAt, placeFile, temporaryName } from "./placed_file.ts";

const { process } = globalThis;

/** Maximum length in bytes of a socket path: `sun_path` without its NUL. */
const MOST_BYTES = process.platform === "linux" ? 107 : 103;

/** The mode and owner that a socket file gets. */
export interface SocketFile {
  /** File mode; when undefined, the umask decides. */
  readonly mode?: number | undefined;
  /** Owner; when undefined, that of this process. */
  readonly uid?: number | undefined;
  /** Group; when undefined, that of this process. */
  readonly gid?: number | undefined;
}

/** The part of the global `Deno` that is used here. */
interface DenoPermissions {
  readonly permissions: { querySync(descriptor: { name: "sys"; kind: "umask" }): { state: string } };
}

/** A claimed path that a server may listen on. */
export class UnixPath {
  /** The name to bind, in the same directory. */
  readonly temporary: string;
  readonly #path: string;
  readonly #file: SocketFile;
  readonly #before: string | undefined; // identity of the stale socket to replace
  #made: string | undefined; // identity of the new socket
  #remove: () => void = () => {};

  private constructor(path: string, file: SocketFile, before: string | undefined) {
    this.#path = path;
    this.#file = file;
    this.#before = before;
    const temporary = temporaryName(path, MOST_BYTES);
    if (temporary === undefined) {
      const reason = `it is made under another name first, and no name of at most ${MOST_BYTES} bytes is free in its ` +
        "directory: choose a shorter path";
      throw refusal(path, reason, "ENAMETOOLONG");
    }
    this.temporary = temporary;
  }

  /**
   * Checks that a server can listen on `path`.
   *
   * @throws {ListenError} (as a rejection) when it cannot: another server listens there, the path is not a socket, or
   *   its directory does not exist.
   */
  static async claim(path: string, file: SocketFile): Promise<UnixPath> {
    const bytes = new TextEncoder().encode(path).length;
    if (bytes > MOST_BYTES) {
      throw refusal(path, `the path has ${bytes} bytes, and the system takes ${MOST_BYTES}`, "ENAMETOOLONG");
    }
    try {
      return new UnixPath(path, file, await replaceable(path));
    } catch (error) {
      throw failure(path, error);
    }
  }

  /**
   * Calls `listen`, which binds the temporary name. The umask is set meanwhile, so the socket never has a wrong mode.
   */
  bind<T>(listen: () => T): T {
    const { mode } = this.#file;
    const umask = mode === undefined ? undefined : changeUmask(0o777 & ~mode);
    try {
      return listen();
    } finally {
      if (umask !== undefined) process.umask(umask);
      this.#made = identityAt(this.temporary); // runtimes bind within the call; node:cluster workers later
    }
  }

  /**
   * Sets the owner of the socket and renames it to its path, once it listens.
   *
   * @throws {ListenError} when this fails; the socket is then removed.
   */
  publish(): void {
    const { mode, uid, gid } = this.#file;
    try {
      const { temporary } = this;
      if (this.#made !== undefined && identityAt(temporary) !== this.#made) {
        throw refusal(this.#path, `another file stands at ${temporary}, where the socket was made`, "EEXIST");
      }
      if (uid !== undefined || gid !== undefined) giveTo(temporary, uid, gid, this.#path);
      // A worker thread has no umask, Deno wants a permission for it, and the ACLs of a directory may override it.
      if (mode !== undefined && (lstatSync(temporary).mode & 0o777) !== mode) chmodSync(temporary, mode);
      const path = resolve(this.#path); // the working directory may have changed when the path is removed
      const remove = placeFile(temporary, path, this.#before);
      if (remove === undefined) throw refusal(this.#path, "another server listens there", "EADDRINUSE");
      this.#remove = remove;
    } catch (error) {
      throw failure(this.#path, error);
    }
  }

  /** Removes the path, if it still belongs to this socket. Call it before the socket is closed. */
  release(): void {
    this.#remove();
  }
}

/** Sets user and group, without following links. */
function giveTo(temporary: string, uid: number | undefined, gid: number | undefined, path: string): void {
  const user = uid ?? process.getuid?.() ?? 0;
  const group = gid ?? process.getgid?.() ?? 0;
  try {
    lchownSync(temporary, user, group);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw code === "EPERM" ? refusal(path, `only root can give it to user ${user} and group ${group}`, code) : error;
  }
}

/**
 * Returns the identity of the stale socket at `path`, or undefined when there is none. Throws if it must not be
 * replaced.
 */
async function replaceable(path: string): Promise<string | undefined> {
  const directory = path.slice(0, path.lastIndexOf("/") + 1);
  statSync(directory === "" ? "." : directory); // for a missing directory, Node would report "permission denied"
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (!stat.isSocket()) throw refusal(path, "there is a file that is not a socket", "EEXIST");
  const identity = identityAt(path);
  const answer = await knock(path);
  switch (answer) {
    case "ECONNREFUSED":
      return identity;
    case "ENOENT":
      return undefined; // it was removed in the meantime
    case "":
      throw refusal(path, "another server listens there", "EADDRINUSE");
    case "EAGAIN":
      throw refusal(path, "another server listens there, and its queue is full", "EADDRINUSE");
    default:
      throw refusal(path, `there is a socket, and whether a server listens there cannot be told: ${answer}`, answer);
  }
}

/** Tries to connect; returns the system's error code, or `""` for success. */
async function knock(path: string): Promise<string> {
  const code = await new Promise<string>((done) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      done("");
    });
    socket.once("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
  });
  return code === "ECONNREFUSED" && process.versions.bun !== undefined ? await knockByFetch(path) : code;
}

/**
 * Finds the real error on Bun, whose sockets report ECONNREFUSED for every failure, even a full queue. Its fetch does
 * not.
 */
async function knockByFetch(path: string): Promise<string> {
  const unix = { unix: path, method: "HEAD", signal: AbortSignal.timeout(1000) };
  return await fetch("http://localhost/", unix).then(
    () => "",
    ({ name, code }) => name === "TimeoutError" ? "" : String(code ?? name), // timed out, but connected
  );
}

/** Sets the umask, if that is possible, and returns the previous one. */
function changeUmask(mask: number): number | undefined {
  const { Deno } = globalThis as { readonly Deno?: DenoPermissions };
  // Without the permission, Deno would stop the program at a prompt. So the permission is checked first.
  if (Deno !== undefined && Deno.permissions.querySync({ name: "sys", kind: "umask" }).state !== "granted") return;
  try {
    return process.umask(mask);
  } catch {
    return undefined; // a worker thread has none
  }
}

function refusal(path: string, reason: string, code: string): ListenError {
  return new ListenError(`unix:${path}`, reason, code);
}

function failure(path: string, error: unknown): ListenError {
  if (error instanceof ListenError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return listenError({ transport: "unix", path }, code, error);
}
