import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';

/** A byte stream that is full with 8 bytes. Written bytes stay in it until `letLeave()` is called. */
export class FakeByteStream extends Duplex {
  /** The bytes that were taken from the write queue, in hexadecimal digits. */
  written = '';
  #left: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 8, read() {} });
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written += bytes.toString('hex');
    this.#left = done;
  }

  /** The operating system takes the bytes of the last write. */
  async letLeave(): Promise<void> {
    const left = this.#left;
    this.#left = undefined;
    left?.();
    await turn();
  }
}
