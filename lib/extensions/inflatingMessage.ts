import { WebSocketError } from '../errors';
import type { SlidingWindow } from './slidingWindow';
import { Streams } from './streams';
import { flushTail, SyncInflater } from './zlibEngines';

/**
 * The compressed bytes that are given to zlib at once. One byte yields at most 1032 bytes, so the output is at most 1
 * MiB.
 */
const step = 1024;
const mostOfStep = 2 * 1024 * 1024;

/** A message that is decompressed while it is received, in bounded memory. */
export class InflatingMessage {
  readonly #windowBits: number;
  readonly #window: SlidingWindow;
  readonly #limit: number;
  #inflater: SyncInflater | undefined;
  #closed = false;
  #size = 0;
  readonly #streams = new Streams();
  /** The compressed bytes that zlib has read. */
  #used = 0;

  /** @param limit most bytes of the message after decompression */
  constructor(windowBits: number, window: SlidingWindow, limit: number) {
    this.#windowBits = windowBits;
    this.#window = window;
    this.#limit = limit;
  }

  /**
   * Decompresses a part of the message, a step at a time.
   * @throws WebSocketError WS_ERR_MESSAGE_TOO_BIG, WS_ERR_INVALID_COMPRESSION, or WS_ERR_TRUNCATED if `close()` was
   * called
   * @throws the error of zlib
   */
  *inflate(payload: Buffer, last: boolean): Generator<Buffer, void, undefined> {
    const input = last ? Buffer.concat([payload, flushTail]) : payload;
    let at = 0;
    while (at < input.length) {
      // A new engine would read the rest of a block as the start of one, and return bytes that were never sent.
      if (this.#closed) throw new WebSocketError('WS_ERR_TRUNCATED', 'the decompressor was released in it');
      // Only the tail is left: after a final block, or in an empty message, which some senders compress to no byte at all.
      // It is half of a block header and cannot be decompressed.
      if (last && this.#inflater === undefined && input.length - at <= flushTail.length) return;
      const { output, used } = this.#engine().inflateSome(input.subarray(at, at + step));
      // After a final block (BFINAL) a new stream begins, with the same window (RFC 7692 §7.2.3.4).
      if (used < Math.min(step, input.length - at)) this.#dropInflater();
      at += used;
      this.#used += used;
      if (output.length > 0) yield this.#count(output);
    }
  }

  /** Frees the memory. The rest of the message cannot be decompressed after that. */
  close(): void {
    this.#closed = true;
    this.#dropInflater();
  }

  #dropInflater(): void {
    this.#inflater?.close();
    this.#inflater = undefined;
  }

  /**
   * Returns the engine, or makes one. A new engine is correct only at the start of the message, or after a final block.
   */
  #engine(): SyncInflater {
    if (this.#inflater !== undefined) return this.#inflater;
    this.#streams.begin(this.#used);
    this.#inflater = new SyncInflater({
      windowBits: this.#windowBits,
      maxOutputLength: mostOfStep,
      dictionary: this.#window.toBuffer(),
    });
    return this.#inflater;
  }

  #count(output: Buffer): Buffer {
    this.#size += output.length;
    if (this.#size > this.#limit)
      throw new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', `more than ${this.#limit} bytes after decompression`);
    this.#window.append(output);
    return output;
  }
}
