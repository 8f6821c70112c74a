import type { Message } from '../contracts';
import { WebSocketError } from '../errors';
import type { BinaryData, PreparedMessage } from '../framing/outgoingMessage';
import type { HighWaterMarkOptions } from '../options';
import type { Delivered } from './incomingMessages';
import type { MessageSource } from './outgoingStream';
import { WriteAheadDuplex } from './writeAheadDuplex';

/** What is called when a message has been taken, or has failed. */
export type Callback = (error?: Error | null) => void;

/** What a message can be written as. */
export type Writable = string | BinaryData | PreparedMessage | MessageSource;

/** A Duplex of messages that says of each write what becomes of it: sent past the queue, queued, failed alone, or too late. */
export abstract class WritingDuplex<M extends Delivered = Message> extends WriteAheadDuplex<M> {
  /** We, and not the program, have ended the writable side. */
  #endedUnasked = false;
  /** Why the program could not say all that it wanted to. */
  #unsaid: Error | undefined;
  readonly #tolerant: boolean;

  /** @param options.tolerant whether failures that the peer caused may go unheard */
  constructor({ tolerant, marks }: { tolerant: boolean; marks: HighWaterMarkOptions }) {
    super(marks);
    this.#tolerant = tolerant;
  }

  /** From now on an error that nobody listens for is none of the program's, and must not end the process. */
  protected tolerateError(): void {
    if (this.#tolerant && !this.listeners('error').includes(ignore)) this.on('error', ignore);
  }

  /** Why a message cannot be sent in the version of the protocol in use; undefined if it can. */
  protected abstract refusal(message: unknown): WebSocketError | undefined;

  /** Writes a message at once, if it is one and there is room. */
  protected abstract writeNow(message: unknown): boolean;

  /** Called before a message goes into the queue. */
  protected abstract writing(message: unknown): void;

  /** Called with a message that will not be sent. */
  protected abstract discard(message: unknown): void;

  /** Called when the writable side has ended, with messages in the queue perhaps. */
  protected abstract ending(): void;

  override write(message: Writable, callback?: Callback): boolean;
  override write(message: Writable, encoding: BufferEncoding | undefined, callback?: Callback): boolean;
  override write(message: unknown, encoding?: unknown, callback?: unknown): boolean {
    if (this.#endedUnasked) return this.#refuseWrite(message, typeof encoding === 'function' ? encoding : callback);
    const refusal = this.refusal(message);
    if (refusal !== undefined) return this.#failWrite(refusal, typeof encoding === 'function' ? encoding : callback);
    // Past the queue if nothing waits in it: a tick of the event loop less.
    if (this.writableLength === 0 && this.writableCorked === 0 && this.writable && this.writeNow(message)) {
      const done = typeof encoding === 'function' ? encoding : callback;
      if (typeof done === 'function') process.nextTick(done, null);
      return !this.isFull || this.mayWriteOn();
    }
    this.writing(message);
    return super.write(message, encoding as BufferEncoding, callback as Callback) && this.mayWriteOn();
  }

  override end(callback?: () => void): this;
  override end(message: Writable, callback?: () => void): this;
  override end(message: Writable, encoding: BufferEncoding | undefined, callback?: () => void): this;
  override end(message?: unknown, encoding?: unknown, callback?: unknown): this {
    if (typeof message !== 'function' && message != null) {
      if (this.#endedUnasked) {
        this.#refuseWrite(message, typeof encoding === 'function' ? encoding : callback);
        return this;
      }
      this.writing(message);
    }
    super.end(message, encoding as BufferEncoding, callback as () => void);
    this.ending();
    return this;
  }

  /**
   * Fails one call and leaves the stream as it is. The peer has chosen the version, so on a server this must not end the process.
   */
  #failWrite(error: WebSocketError, callback: unknown): boolean {
    this.tolerateError();
    if (typeof callback === 'function') process.nextTick(callback as Callback, error);
    else process.nextTick(() => this.emit('error', error));
    return true;
  }

  /** Fails one write that comes after we have ended the writable side. Whoever has no callback is told when all is over. */
  #refuseWrite(message: unknown, callback: unknown): boolean {
    this.discard(message);
    const error = new WebSocketError('WS_ERR_NOT_OPEN', 'the connection is closing');
    if (typeof callback === 'function') process.nextTick(callback as Callback, error);
    else this.tellAtTheEnd(error);
    return false;
  }

  /** Ends the writable side in place of the program, which may not know of it yet: a write that comes too late is no mistake. */
  protected endUnasked(): void {
    this.#endedUnasked = true;
    this.end();
  }

  /** An error that is told when both sides are over: it concerns neither what is still to be read nor the close handshake. */
  protected tellAtTheEnd(error: Error): void {
    this.tolerateError();
    this.#unsaid ??= error;
  }

  /** That error. */
  protected get unsaid(): Error | null {
    return this.#unsaid ?? null;
  }
}

function ignore(): void {}
