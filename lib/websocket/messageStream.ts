import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers';
import type { Message, MessagePart } from '../contracts';
import { overhead } from '../framing/cost';
import { throwLater } from './throwLater';

/** Bytes of a message, or characters of a text, that are kept for a reader before the peer is held back. */
const readAhead = 64 * 1024;

/**
 * One message while it comes: a stream of bytes, or, for a text, of strings. It holds back what is behind it until it has been
 * read; `resume()` or `destroy()` skips it. If the connection fails before the message has ended, so does the stream.
 */
export class MessageStream extends Readable {
  /** Whether it is a binary message. */
  readonly binary: boolean;
  readonly #readOn: () => void;
  #failure: Error | undefined;
  /** Pieces that have come since nothing was left to read. */
  #pieces = 0;
  /** The stream would take more bytes, but not more pieces. */
  #held = false;

  constructor(binary: boolean, readOn: () => void) {
    super({ highWaterMark: readAhead, ...(!binary && { encoding: 'utf8' }) });
    this.binary = binary;
    this.#readOn = readOn;
    // The WebSocket tells of failures too. One that breaks off a message nobody looks at must not end the process.
    this.on('error', ignore);
  }

  /** A message that has come as a whole. */
  static of(message: Message): MessageStream {
    const stream = new MessageStream(typeof message !== 'string', ignore);
    if (message.length > 0) stream.push(message, 'utf8');
    stream.push(null);
    return stream;
  }

  /** Takes the next part. Returns false if that is enough for now. */
  receive({ payload, last }: MessagePart): boolean {
    if (this.destroyed) return true;
    if (payload.length > 0) {
      this.push(payload);
      this.#pieces++;
    }
    if (last) this.push(null);
    return last || !this.#isFull;
  }

  get #isFull(): boolean {
    if (this.readableLength === 0) this.#pieces = 0;
    // A peer that sends bytes one by one must not fill the memory with what holds them.
    return this.readableLength + overhead * this.#pieces >= readAhead;
  }

  /** Nothing more will come, and this is why. What has come is read first. */
  fail(error: Error): void {
    if (this.readableLength === 0) this.destroy(error);
    else this.#failure = error;
  }

  /** Returns bytes or, of a text message, characters, as every Readable does; null if none have arrived. */
  override read(size?: number): string | Buffer | null {
    const bytes = super.read(size);
    if (this.#failure !== undefined && this.readableLength === 0) {
      // What is in hand reaches its reader before the error does.
      setImmediate(() => this.destroy(this.#failure));
    }
    if (this.#held && !this.#isFull) {
      this.#held = false;
      // Not now: what is in hand must reach its reader before what comes next.
      process.nextTick(this.#readOn);
    }
    return bytes;
  }

  /** @internal */
  override _read(): void {
    if (this.#isFull) this.#held = true;
    else throwLater(this.#readOn);
  }

  /** @internal */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.unpipe();
    done(error);
    // The rest of it is skipped.
    throwLater(this.#readOn);
  }
}

function ignore(): void {}
