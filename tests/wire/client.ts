/**
 * A raw client of one TCP connection: bytes out, bytes in, and waiting for a condition.
 *
 * The two directions of the socket end independently, because a client may send FIN and still read its response. All
 * input is kept as a latin-1 string. Nothing here sleeps: `until` checks again after each event, until its deadline.
 *
 * A server that refuses a request closes while we may still be writing; the reset that follows makes Node destroy
 * the socket with whatever it has not read yet. So a large message goes out in pieces, with a turn of the event
 * loop after each, in which the answer is read; and nothing is sent any more once the server has ended.
 */

import { connect, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";

const PIECE = 64 * 1024;
const CONNECT_MS = 5_000;

/** Where the server under test listens. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Seconds to wait for an answer, or for the close, before a case has failed. */
  readonly timeout: number;
}

/** One connection to the server under test. */
export class Client {
  /** Everything received so far, latin-1. */
  received = "";
  /** The server ended its side: FIN or reset. */
  ended = false;

  readonly #socket: Socket;
  #look: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => {
      this.received += bytes.toString("latin1");
      this.#look?.();
    });
    const ended = (): void => {
      this.ended = true;
      this.#look?.();
    };
    socket.on("end", ended);
    socket.on("error", ended);
    socket.on("close", ended);
  }

  /** Connects, or rejects with the reason. */
  static open(target: Target): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: target.host, port: target.port, allowHalfOpen: true });
      const fail = (error: Error): void => {
        socket.destroy();
        reject(error);
      };
      socket.setTimeout(CONNECT_MS, () => fail(new Error("timeout")));
      socket.once("error", fail);
      socket.once("connect", () => {
        socket.setTimeout(0);
        socket.off("error", fail);
        resolve(new Client(socket));
      });
    });
  }

  /** Sends `text` as latin-1. False: the connection no longer takes it. */
  async send(text: string): Promise<boolean> {
    const bytes = Buffer.from(text, "latin1");
    for (let at = 0; at < bytes.length; at += PIECE) {
      if (at > 0) await nextTurn();
      if (this.ended) return false;
      const piece = bytes.subarray(at, at + PIECE);
      const sent = await new Promise<boolean>((resolve) => {
        this.#socket.write(piece, (error) => resolve(!error));
      });
      if (!sent) return false;
    }
    return !this.ended;
  }

  /** Half-closes: the server reads our FIN, we go on reading. */
  finish(): void {
    if (!this.#socket.destroyed) this.#socket.end();
  }

  /** Waits until `holds()`, at most `seconds`. One wait at a time. */
  until(holds: () => boolean, seconds: number): Promise<boolean> {
    if (holds()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (value: boolean): void => {
        clearTimeout(timer);
        this.#look = null;
        resolve(value);
      };
      const timer = setTimeout(() => settle(false), seconds * 1000);
      this.#look = () => {
        if (holds()) settle(true);
      };
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
