import type { Writable } from 'node:stream';

export type WriteCallback = (error?: Error | null) => void;

/**
 * Calls all callbacks. If one throws, the exception is thrown again in a later tick: the other callbacks must still be
 * called, and an exception inside of the write callback of the byte stream would keep the stream from finishing.
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
 * Writes bytes to a byte stream in pieces of a limited size, each one when the stream has drained. A stream reports
 * progress only between writes, and bytes written to an HTTP/2 stream count for the memory of its session.
 */
export class PacedWriter {
  /** Bytes that wait to be written to the byte stream. */
  length = 0;
  readonly #stream: Writable;
  readonly #limit: number;
  readonly #waiting: Waiting[] = [];

  /** @param limit most bytes of one write */
  constructor(stream: Writable, limit: number) {
    this.#stream = stream;
    this.#limit = limit;
  }

  /**
   * Writes bytes. Returns false if the stream is full; when it emits 'drain', call `resume()`.
   * @param callback called when the last of these bytes has reached the operating system, or with an error
   */
  write(bytes: Uint8Array, callback?: WriteCallback): boolean {
    if (this.#waiting.length === 0 && bytes.length <= this.#limit) return writeTo(this.#stream, bytes, callback);
    this.#waiting.push({ bytes, callback });
    this.length += bytes.length;
    return !this.#stream.writableNeedDrain && this.resume();
  }

  /** Goes on with writing after 'drain'. Returns true if no bytes wait any more and the stream is not full. */
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
