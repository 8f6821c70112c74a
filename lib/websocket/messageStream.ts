import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers';
import type { Message, MessagePart } from '../contracts';
import { overhead } from '../framing/cost';
import { noteDerivedStreams } from '../nodeStreams/duplexOverrides';
import { throwLater } from '../nodeStreams/throwLater';
import { tolerateErrors, tolerateSameErrors } from './closing';

/** The high water mark: bytes of a binary message, or characters of a text message. */
const readAhead = 64 * 1024;

/**
 * One message as a Readable, while it is being received: of bytes, or of strings for a text message. The next message
 * is not delivered until this one has been read; `resume()` or `destroy()` skips it. If the connection fails before the
 * message has ended, the stream is destroyed with the error.
 */
export class MessageStream extends Readable {
  /** True for a binary message, false for a text message. */
  readonly binary: boolean;
  readonly #readOn: () => void;
  #failure: Error | undefined;
  /** Pieces received since the queue of the stream was last empty. */
  #pieces = 0;
  /** Whether the stream has asked for more, but pieces are held back because the queue keeps too much memory alive. */
  #held = false;

  constructor(binary: boolean, readOn: () => void) {
    super({ highWaterMark: readAhead, ...(!binary && { encoding: 'utf8' }) });
    this.binary = binary;
    this.#readOn = readOn;
    // The WebSocket reports failures too. An error of a message that nobody reads must not end the process.
    tolerateErrors(this);
  }

  /** Returns a stream of a message that was received as a whole. */
  static of(message: Message): MessageStream {
    const stream = new MessageStream(typeof message !== 'string', ignore);
    if (message.length > 0) stream.push(message, 'utf8');
    stream.push(null);
    return stream;
  }

  /** Receives the next part. Returns false if the high water mark is reached. */
  receive({ payload, last }: MessagePart): boolean {
    if (this.destroyed) return true;
    if (payload.length > 0) {
      this.#pieces = this.readableLength === 0 ? 1 : this.#pieces + 1;
      this.push(payload);
    }
    if (last) this.push(null);
    return last || !this.#isFull;
  }

  get #isFull(): boolean {
    // Each piece counts with its overhead: a peer that sends single bytes must not fill the memory with Buffer objects.
    return this.readableLength > 0 && this.readableLength + overhead * this.#pieces >= readAhead;
  }

  /** Destroys the stream with the error, after the received pieces have been read. */
  fail(error: Error): void {
    if (this.readableLength === 0) this.destroy(error);
    else this.#failure = error;
  }

  /**
   * Returns the bytes of a binary message or the characters of a text message, as `read()` of every Readable; null if
   * none are in the queue.
   */
  override read(size?: number): string | Buffer | null {
    const bytes = super.read(size);
    if (this.#failure !== undefined && this.readableLength === 0) {
      // setImmediate(): these bytes must reach the reader before the error does.
      setImmediate(() => this.destroy(this.#failure));
    }
    if (this.#held && !this.#isFull) {
      this.#held = false;
      // nextTick(): these bytes must reach the reader before the next ones do.
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
    // Skip the rest of the message.
    throwLater(this.#readOn);
  }

  static {
    noteDerivedStreams(MessageStream.prototype, tolerateSameErrors);
  }
}

function ignore(): void {}
