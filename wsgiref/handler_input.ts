/**
 * The input of a handler: a stream of bytes. The first CONTENT_LENGTH bytes are the request body.
 *
 * @module
 */

import { type BodySource, RequestBody, TruncatedBodyError } from "../core/contract/request_body.ts";

/** The source of a request body: its bytes, or an iterable of them. */
export type HandlerInput = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array> | null;

/** Reads from an input into a body, on demand of the application. */
class Intake implements BodySource {
  readonly body: RequestBody = new RequestBody(this);
  readonly #pieces: Iterator<Uint8Array> | AsyncIterator<Uint8Array>;
  #missing: number;
  #busy = false;

  constructor(input: Exclude<HandlerInput, null>, length: number) {
    this.#missing = length;
    if (input instanceof Uint8Array) this.#pieces = [input].values();
    else if (Symbol.asyncIterator in input) this.#pieces = input[Symbol.asyncIterator]();
    else this.#pieces = input[Symbol.iterator]();
  }

  wanted(): void {
    if (this.#busy) return;
    this.#busy = true;
    void this.#next();
  }

  async #next(): Promise<void> {
    try {
      const step = await this.#pieces.next();
      this.#busy = false;
      if (step.done === true) return this.#truncated();
      const bytes = step.value.length <= this.#missing ? step.value : step.value.subarray(0, this.#missing);
      this.#missing -= bytes.length;
      this.body.push(bytes);
      if (this.#missing === 0) this.body.finish();
      else if (bytes.length === 0) this.wanted();
    } catch (cause) {
      this.#busy = false;
      this.#truncated({ cause });
    }
  }

  #truncated(options?: ErrorOptions): void {
    const text = `The request body ended ${this.#missing} bytes before its declared end`;
    this.body.fail(new TruncatedBodyError(text, options));
  }
}

/** Makes a request body from the first `length` bytes of `input`. */
export function inputBody(input: HandlerInput, length: number): RequestBody {
  if (length === 0) return RequestBody.empty();
  return new Intake(input ?? [], length).body;
}
