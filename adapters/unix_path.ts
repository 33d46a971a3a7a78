/**
 * The path of a Unix socket: taken before listening, given back after.
 *
 * A runtime refuses a path that exists, and at the end it removes the name that it bound, whoever has that by then. So
 * the socket is bound under another name and gets its own by a rename. A socket at which nobody answers, left by a
 * process that died, is replaced; one at which somebody answers, or a file of another kind, is not.
 *
 * The mode comes from the umask at the moment of the bind, and the owner before the rename: a path that others can write
 * at is not changed by name afterwards.
 *
 * @module
 */

import { chmodSync, lchownSync, lstatSync, statSync } from "node:fs";
import { connect } from "node:net";
import { resolve } from "node:path";
import { ListenError, listenError } from "../core/errors.ts";
import { identityAt, placeFile, temporaryName } from "./placed_file.ts";

const { process } = globalThis;

/** Bytes that the system takes for the path of a socket: `sun_path` without its NUL. */
const MOST_BYTES = process.platform === "linux" ? 107 : 103;

/** What a socket is to have besides a path. */
export interface SocketFile {
  /** File mode; undefined leaves what the umask leaves. */
  readonly mode?: number | undefined;
  /** Owner; undefined leaves this process. */
  readonly uid?: number | undefined;
  /** Group; undefined leaves that of this process. */
  readonly gid?: number | undefined;
}

/** The global of Deno, as far as it is used here. */
interface DenoPermissions {
  readonly permissions: { querySync(descriptor: { name: "sys"; kind: "umask" }): { state: string } };
}

/** A path that may be listened at. */
export class UnixPath {
  /** The name to bind, in the same directory. */
  readonly temporary: string;
  readonly #path: string;
  readonly #file: SocketFile;
  readonly #before: string | undefined; // the identity of what is to be replaced
  #made: string | undefined; // the identity of the socket
  #remove: () => void = () => {};

  private constructor(path: string, file: SocketFile, before: string | undefined) {
    this.#path = path;
    this.#file = file;
    this.#before = before;
    this.temporary = temporaryName(path, MOST_BYTES);
  }

  /**
   * Makes sure that `path` can be listened at.
   *
   * @throws {ListenError} (as a rejection) when it cannot be: a server listens there, or it is no socket, or its
   *   directory does not exist.
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

  /** Calls `listen`, which binds the temporary name, so that the socket has its mode from its first moment on. */
  bind<T>(listen: () => T): T {
    const { mode } = this.#file;
    const umask = mode === undefined ? undefined : changeUmask(0o777 & ~mode);
    try {
      return listen();
    } finally {
      if (umask !== undefined) process.umask(umask);
      this.#made = identityAt(this.temporary); // runtimes bind within the call; in a worker of node:cluster, later
    }
  }

  /**
   * Gives the socket its owner and its name, once it listens.
   *
   * @throws {ListenError} when that cannot be; the socket is removed then.
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
      const path = resolve(this.#path); // the working directory may be another one at the end
      const remove = placeFile(temporary, path, this.#before);
      if (remove === undefined) throw refusal(this.#path, "another server listens there", "EADDRINUSE");
      this.#remove = remove;
    } catch (error) {
      throw failure(this.#path, error);
    }
  }

  /** Removes the path, if it is still that of this socket. To be called before the socket is closed. */
  release(): void {
    this.#remove();
  }
}

/** Sets user and group; a link is not followed. */
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

/** The identity of what is at `path`, undefined for nothing, if it may be replaced. */
async function replaceable(path: string): Promise<string | undefined> {
  const directory = path.slice(0, path.lastIndexOf("/") + 1);
  statSync(directory === "" ? "." : directory); // Node says of a directory that is not there: permission denied
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (!stat.isSocket()) throw refusal(path, "there is a file that is not a socket", "EEXIST");
  const identity = identityAt(path);
  const answer = await knock(path);
  switch (answer) {
    case "ECONNREFUSED":
      return identity;
    case "ENOENT":
      return undefined; // it has been removed meanwhile
    case "":
      throw refusal(path, "another server listens there", "EADDRINUSE");
    case "EAGAIN":
      throw refusal(path, "another server listens there, and its queue is full", "EADDRINUSE");
    default:
      throw refusal(path, `there is a socket, and whether a server listens there cannot be told: ${answer}`, answer);
  }
}

/** The system's code for a failure to connect, `""` for success. */
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

/** Bun's sockets say ECONNREFUSED for every failure, also for a full queue; its fetch says what it was. */
async function knockByFetch(path: string): Promise<string> {
  const unix = { unix: path, method: "HEAD", signal: AbortSignal.timeout(1000) };
  return await fetch("http://localhost/", unix).then(
    () => "",
    ({ name, code }) => name === "TimeoutError" ? "" : String(code ?? name), // out of time, but connected
  );
}

/** Sets the umask, where that can be done; gives what it was. */
function changeUmask(mask: number): number | undefined {
  const { Deno } = globalThis as { readonly Deno?: DenoPermissions };
  // Asking Deno for what it has not been allowed would stop at a prompt.
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
  return listenError({ hostname: "", port: 0, path, fd: undefined }, code, error);
}
