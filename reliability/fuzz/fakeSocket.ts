import { Duplex } from 'node:stream';

/** A byte stream whose other end is the target: what the library writes is kept, what it reads is pushed. */
export class FakeSocket extends Duplex {
  readonly #written: Buffer[] = [];
  /** Called with each piece that the library writes. */
  onWrite: ((bytes: Buffer) => void) | undefined;

  get written(): Buffer {
    return Buffer.concat(this.#written);
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#written.push(chunk);
    this.onWrite?.(chunk);
    setImmediate(done);
  }

  override _final(done: () => void): void {
    done();
  }

  /** What Node asks of sockets. */
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

/** So many turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
