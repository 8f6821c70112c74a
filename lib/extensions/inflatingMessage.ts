import { WebSocketError } from '../errors';
import type { SlidingWindow } from './slidingWindow';
import { flushTail, SyncInflater } from './zlibEngines';

/** Compressed bytes that zlib gets at once. One byte yields at most 1032, so the output is at most 1 MiB. */
const step = 1024;
const mostOfStep = 2 * 1024 * 1024;

/** Final blocks that a message may have, and one more for each KiB. Each costs a new engine, and no sender needs more than one. */
const finalBlocks = 4;

/** A message that is decompressed while it is received, in bounded memory. */
export class InflatingMessage {
  readonly #windowBits: number;
  readonly #window: SlidingWindow;
  readonly #limit: number;
  #inflater: SyncInflater | undefined;
  /** Whether a compressed byte has been received. */
  #begun = false;
  #closed = false;
  #size = 0;
  #blocksLeft = finalBlocks;

  /** @param limit bytes of the message, decompressed */
  constructor(windowBits: number, window: SlidingWindow, limit: number) {
    this.#windowBits = windowBits;
    this.#window = window;
    this.#limit = limit;
  }

  /**
   * Decompresses a part of the message, a step at a time.
   * @throws WebSocketError WS_ERR_MESSAGE_TOO_BIG, WS_ERR_INVALID_COMPRESSION, or WS_ERR_TRUNCATED if `close()` was called
   * @throws the error of zlib
   */
  *inflate(payload: Buffer, last: boolean): Generator<Buffer, void, undefined> {
    this.#begun ||= payload.length > 0;
    // Some senders compress an empty message to no byte at all; the tail alone is half of a block header.
    if (!this.#begun) return;
    const input = last ? Buffer.concat([payload, flushTail]) : payload;
    this.#blocksLeft += input.length / 1024;
    let at = 0;
    while (at < input.length) {
      const { output, used } = this.#engine().inflateSome(input.subarray(at, at + step));
      at += used;
      // Behind a final block (BFINAL) a new stream begins, with the same window (RFC 7692 §7.2.3.4).
      if (used < Math.min(step, input.length - at + used)) this.#beginNewStream();
      if (output.length > 0) yield this.#count(output);
      // Behind a final block the tail stands alone: it is no block.
      if (last && this.#inflater === undefined && input.length - at <= flushTail.length) return;
    }
  }

  /** Gives the memory back. The rest of the message cannot be decompressed after that. */
  close(): void {
    this.#closed = true;
    this.#dropInflater();
  }

  #dropInflater(): void {
    this.#inflater?.close();
    this.#inflater = undefined;
  }

  /** Returns the engine, or a new one, which is right only at the start of a block behind a final one or of the message. */
  #engine(): SyncInflater {
    // A new engine would take the rest of a block for the start of one, and return bytes that were never sent.
    if (this.#closed) throw new WebSocketError('WS_ERR_TRUNCATED', 'the decompressor was released in it');
    this.#inflater ??= new SyncInflater({
      windowBits: this.#windowBits,
      maxOutputLength: mostOfStep,
      dictionary: this.#window.toBuffer(),
    });
    return this.#inflater;
  }

  #beginNewStream(): void {
    if (this.#blocksLeft-- < 0) throw new WebSocketError('WS_ERR_INVALID_COMPRESSION', 'too many final blocks');
    this.#dropInflater();
  }

  #count(output: Buffer): Buffer {
    this.#size += output.length;
    if (this.#size > this.#limit)
      throw new WebSocketError('WS_ERR_MESSAGE_TOO_BIG', `more than ${this.#limit} bytes after decompression`);
    this.#window.append(output);
    return output;
  }
}
