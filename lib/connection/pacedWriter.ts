import type { Writable } from 'node:stream';

/**
 * Hands bytes to a stream in pieces no larger than it should have at a time. What a stream of HTTP/2 has been given counts for the
 * memory of its session, from which other streams live too, so a large message waits here and not there.
 */
export class PacedWriter {
  /** Bytes that wait. */
  length = 0;
  readonly #stream: Writable;
  readonly #limit: number;
  readonly #waiting: Uint8Array[] = [];

  /** @param limit bytes */
  constructor(stream: Writable, limit: number) {
    this.#stream = stream;
    this.#limit = limit;
  }

  /** Returns false if it is better to wait: the stream emits 'drain', and `resume()` says when all has been handed over. */
  write(bytes: Uint8Array): boolean {
    if (this.#waiting.length === 0 && bytes.length <= this.#limit) return this.#stream.write(bytes);
    this.#waiting.push(bytes);
    this.length += bytes.length;
    return !this.#stream.writableNeedDrain && this.resume();
  }

  /** The stream takes more. Returns whether nothing waits any longer, and the stream has room. */
  resume(): boolean {
    while (this.#waiting.length > 0) {
      const [bytes] = this.#waiting as [Uint8Array];
      if (bytes.length <= this.#limit) this.#waiting.shift();
      else this.#waiting[0] = bytes.subarray(this.#limit);
      const piece = bytes.subarray(0, this.#limit);
      this.length -= piece.length;
      if (!this.#stream.write(piece)) return false;
    }
    return true;
  }
}
