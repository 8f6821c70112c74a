import type { Duplex } from 'node:stream';
import type { WriteCallback } from './pacedWriter';

/** The properties of a byte stream that tell whether it was destroyed. */
type Destroyable = Pick<Duplex, 'destroyed'>;

/**
 * Returns whether a write callback that was called with this error says that the bytes have reached the operating
 * system. If a byte stream is destroyed during a write, some versions of Node call the callback of this write without
 * an error: Node 20, and Node 26 for HTTP/2.
 */
export function hasReachedSystem(stream: Destroyable, error: Error | null | undefined): boolean {
  return !error && !stream.destroyed;
}

/**
 * Counts the writes to a byte stream that have not reached the operating system. Only the callbacks of the writes tell
 * that: when the byte stream emits 'close', Node has failed the writes, and `writableLength` can be 0.
 */
export class UnsentWrites {
  readonly #stream: Destroyable;
  #count = 0;
  #note: WriteCallback | undefined;

  constructor(stream: Destroyable) {
    this.#stream = stream;
  }

  /** Whether a write has not reached the operating system, or has failed. */
  get any(): boolean {
    return this.#count > 0;
  }

  /** Counts a write, and returns the callback for it, which also calls `callback`. */
  add(callback?: WriteCallback): WriteCallback {
    this.#count++;
    this.#note ??= (error) => {
      if (hasReachedSystem(this.#stream, error)) this.#count--;
    };
    const note = this.#note;
    if (callback === undefined) return note;
    return (error) => {
      note(error);
      callback(error);
    };
  }

  /** Counts bytes that were not written to the byte stream, because it accepts no more bytes. */
  addRefused(): void {
    this.#count++;
  }
}
