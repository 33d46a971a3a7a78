/**
 * One connection that a test opens, and when what happened to it.
 *
 * @module
 */

import { connect, type Socket } from "node:net";

const KEPT = 256; // characters of what arrives: enough for a status line and some fields

/** A connection. Times are those of `performance.now()`, and 0 until then. */
export class Visitor {
  /** The connection. */
  readonly socket: Socket;
  /** Before it began: a server may know of a connection before its client does. */
  readonly since: number;
  /** The first characters that arrived; an error follows them. */
  text = "";
  answered = 0;
  ended = 0;

  private constructor(socket: Socket, since: number) {
    this.socket = socket;
    this.since = since;
    const over = (): number => this.ended ||= performance.now();
    socket.on("error", (error) => {
      this.text += error.message;
      over();
    });
    socket.on("end", over).on("close", over);
    socket.on("data", (bytes: Uint8Array) => {
      if (this.text.length < KEPT) this.text += String.fromCharCode(...bytes.subarray(0, KEPT));
      this.answered ||= performance.now();
    });
  }

  /** Connects, and sends `first`. */
  static visit(port: number, first: string = ""): Promise<Visitor> {
    return new Promise((resolve, reject) => {
      const since = performance.now();
      const socket = connect({ host: "127.0.0.1", port, noDelay: true });
      socket.once("error", reject).once("connect", () => {
        socket.off("error", reject);
        if (first !== "") socket.write(first, "latin1");
        resolve(new Visitor(socket, since));
      });
    });
  }

  /** Many that send `first`, 50 of them at a time, since a queue of connections is finite. */
  static async crowd(port: number, many: number, first: string = ""): Promise<Visitor[]> {
    const visitors: Visitor[] = [];
    while (visitors.length < many) {
      const more = Math.min(50, many - visitors.length);
      visitors.push(...await Promise.all(Array.from({ length: more }, () => Visitor.visit(port, first))));
    }
    return visitors;
  }

  /** Sends a text octet by octet, one every `gap` ms, until the server has answered or ended the connection. */
  trickle(text: string, gap: number): void {
    let at = 0;
    const timer = setInterval(() => {
      if (this.ended > 0 || !this.socket.writable || at === text.length) clearInterval(timer);
      else this.socket.write(text.charAt(at++), "latin1");
    }, gap);
    this.socket.once("close", () => clearInterval(timer));
  }

  /** Reads nothing more. */
  deafen(): void {
    this.socket.pause();
  }

  /** Reads at most 2 KiB every `gap` ms. */
  readSlowly(gap: number): void {
    this.socket.pause();
    const timer = setInterval(() => this.socket.read(Math.min(2048, this.socket.readableLength)), gap);
    this.socket.once("close", () => clearInterval(timer));
  }
}
