import type { Writable } from 'node:stream';

export type WriteCallback = (error?: Error | null) => void;

/**
 * Calls all of them. What one of them throws is thrown again in a later tick: it must cut off neither the others nor the byte stream that calls
 * this, which would not finish any more.
 */
export function callAll(callbacks: readonly WriteCallback[], error: Error | undefined): void {
  for (const callback of callbacks) {
    try {
      callback(error);
    } catch (thrown) {
      process.nextTick(() => {
        throw thrown;
      });
    }
  }
}

interface Waiting {
  bytes: Uint8Array;
  readonly callback: WriteCallback | undefined;
}

/**
 * Hands bytes to a byte stream in pieces of a limited size, the next one when the stream has room again. A stream tells of progress
 * only between writes, and what a stream of HTTP/2 has been given counts for the memory of its session.
 */
export class PacedWriter {
  /** Bytes that wait. */
  length = 0;
  readonly #stream: Writable;
  readonly #limit: number;
  readonly #waiting: Waiting[] = [];

  /** @param limit bytes of one write */
  constructor(stream: Writable, limit: number) {
    this.#stream = stream;
    this.#limit = limit;
  }

  /**
   * Returns false if the stream has enough. It then emits 'drain', and `resume()` goes on.
   * @param callback called when the last of these bytes has left, or failed
   */
  write(bytes: Uint8Array, callback?: WriteCallback): boolean {
    if (this.#waiting.length === 0 && bytes.length <= this.#limit) return writeTo(this.#stream, bytes, callback);
    this.#waiting.push({ bytes, callback });
    this.length += bytes.length;
    return !this.#stream.writableNeedDrain && this.resume();
  }

  /** Goes on after 'drain'. Returns whether nothing waits any longer, and the stream has room. */
  resume(): boolean {
    while (this.#waiting.length > 0) {
      const [first] = this.#waiting as [Waiting];
      const last = first.bytes.length <= this.#limit;
      const piece = last ? first.bytes : first.bytes.subarray(0, this.#limit);
      if (last) this.#waiting.shift();
      else first.bytes = first.bytes.subarray(this.#limit);
      this.length -= piece.length;
      if (!writeTo(this.#stream, piece, last ? first.callback : undefined)) return false;
    }
    return true;
  }
}

function writeTo(stream: Writable, bytes: Uint8Array, callback: WriteCallback | undefined): boolean {
  return callback === undefined ? stream.write(bytes) : stream.write(bytes, callback);
}
